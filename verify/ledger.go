package verify

import (
	"errors"
	"io"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
)

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
	l.cmp = row.NewComparer(db)
	return l
}

func (l *ledgerCheck) add(b *evidence.Batch) {
	if l == nil || l.cmp == nil {
		return
	}
	if err := l.cmp.Add(b); err != nil {
		l.cmp, l.err = nil, err
	}
}

func (l *ledgerCheck) finish(r *Report) {
	if l == nil {
		return
	}
	if l.file != nil {
		defer l.file.Close()
	}
	if l.err != nil {
		r.find("ledger-form", evidence.LedgerPath, "%v", l.err)
		return
	}
	result := l.cmp.Finish()
	for _, d := range result.Differences {
		r.find("ledger-differs", evidence.LedgerPath, "%s", d)
	}
	for _, b := range result.Uncompared {
		r.find("ledger-differs", evidence.LedgerPath, "bucket %s has more unfinished rows than can be compared", b)
	}
}
