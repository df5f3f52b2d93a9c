package verify

import (
	"errors"
	"io"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/verify/sortfile"
)

// ledgerMemory is how many bytes of a bucket's rows are sorted in memory, where more of them are unfinished than a comparison holds.
const ledgerMemory = 4 << 20

// ledgerCheck compares data/ledger.db with the segments. A sealed case has one; before that there is none to check.
type ledgerCheck struct {
	file fs.File
	cmp  *row.Comparer
	err  error
}

// openLedger opens the ledger of a sealed case, nil for an unsealed one.
func openLedger(files fs.FS, sealed bool) *ledgerCheck {
	if !sealed {
		return nil
	}
	l := &ledgerCheck{}
	info, err := fs.Lstat(files, evidence.LedgerPath)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		l.err = err
		return l
	}
	if l.file, l.err = files.Open(evidence.LedgerPath); l.err != nil {
		return l
	}
	at, ok := l.file.(io.ReaderAt)
	if !ok {
		l.err = errors.New("it cannot be read at any offset")
		return l
	}
	db, err := boltread.Open(at, info.Size())
	if err == nil {
		err = db.CheckWhole()
	}
	if err != nil {
		l.err = err
		return l
	}
	l.cmp = row.NewComparer(db, row.Options{Sorter: func() row.Sorter { return sortfile.New(sortfile.Options{Memory: ledgerMemory}) }})
	return l
}

func (l *ledgerCheck) add(b *evidence.Batch) {
	if l != nil && l.err == nil {
		l.err = l.cmp.Add(b)
	}
}

func (l *ledgerCheck) finish(r *Report) {
	if l == nil {
		return
	}
	if l.err != nil {
		r.find("ledger-form", evidence.LedgerPath, "%v", l.err)
		return
	}
	result := l.cmp.Finish()
	for _, d := range result.Differences {
		r.find("ledger-differs", evidence.LedgerPath, "%s", d)
	}
	for _, u := range result.Uncompared {
		r.find("ledger-uncompared", evidence.LedgerPath, "bucket %s has more unfinished rows than memory holds, and they could not be sorted outside of it: %v", u.Bucket, u.Err)
	}
}

// close frees what the comparison holds. It may be called at any time.
func (l *ledgerCheck) close() error {
	if l == nil {
		return nil
	}
	if l.file != nil {
		defer l.file.Close()
	}
	if l.cmp == nil {
		return nil
	}
	return l.cmp.Close()
}
