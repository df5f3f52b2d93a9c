package verify

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// After so many rows on end, or in all, that cannot be read, the rest of a ledger is given up.
const (
	maxBadRun  = 1 << 13
	maxBadRows = 1 << 14
)

// ledgerRows are the head lines that data/ledger.db has, as far as they can be read. They prove nothing.
type ledgerRows struct {
	file   fs.File
	bucket *boltread.Bucket // nil if there is none that can be read
}

// openRows opens the ledger for as much of it as can be read.
func openRows(files fs.FS) *ledgerRows {
	r := &ledgerRows{}
	info, err := fs.Lstat(files, evidence.LedgerPath)
	if err != nil || !info.Mode().IsRegular() {
		return r
	}
	if r.file, err = files.Open(evidence.LedgerPath); err != nil {
		return &ledgerRows{}
	}
	at, ok := r.file.(io.ReaderAt)
	if !ok {
		return r
	}
	if db, err := boltread.Open(patient{at, info.Size()}, info.Size()); err == nil {
		r.bucket, _ = db.Bucket(row.Entries)
	}
	return r
}

func (r *ledgerRows) close() {
	if r.file != nil {
		r.file.Close()
	}
}

// rowCursor walks the rows in order and steps over those that cannot be read.
type rowCursor struct {
	r    *ledgerRows
	cur  *boltread.Cursor
	run  int // rows on end that could not be read
	bad  int // in all
	done bool
}

func (r *ledgerRows) cursor() *rowCursor { return &rowCursor{r: r, done: r.bucket == nil} }

// next is the first row of entry from or a later one. The line is valid until the next call. from never goes back.
func (c *rowCursor) next(from int64) (seq int64, line []byte, ok bool) {
	for !c.done {
		found := false
		if c.cur == nil {
			c.cur = c.r.bucket.Cursor()
			key := row.Key(from)
			found = c.cur.Seek(key[:])
		} else {
			found = c.at() >= from || c.cur.Next()
		}
		switch {
		case !found && c.cur.Err() == nil:
			c.done = true
		case !found:
			c.cur, from = nil, from+1
			c.run, c.bad = c.run+1, c.bad+1
			c.done = c.run == maxBadRun || c.bad == maxBadRows
		case c.at() >= from:
			c.run = 0
			return c.at(), c.cur.Value(), true
		}
	}
	return 0, nil, false
}

// at is the seq of the row that the cursor stands on, -1 for a key that is none.
func (c *rowCursor) at() int64 {
	key := c.cur.Key()
	if len(key) != 8 {
		return -1
	}
	return int64(binary.BigEndian.Uint64(key))
}

// keysOfLedger are the keys that the ledger's row of the case entry names. They count as if they stood in the case entry if a package.note by one of them
// covers the manifests and the manifest covers the ledger as it is.
func keysOfLedger(files fs.FS) []trust.VKey {
	manifest, tags, note := smallFile(files, "manifest-sha256.txt", 64<<20), smallFile(files, "tagmanifest-sha256.txt", 64<<10), smallFile(files, evidence.PackageNotePath, maxNote)
	body, sum, err := ledgerCase(files)
	if err != nil {
		return nil
	}
	keys := parseVKeys(body.Keys)
	text, _, err := trust.Verify(note, keys)
	if err != nil {
		return nil
	}
	p, err := trust.ParsePackageStatement(text)
	if err != nil || p.TagManifest != sha256.Sum256(tags) || p.Head.Origin != evidence.Origin(body.Case) ||
		!lists("tagmanifest-sha256.txt", tags, "manifest-sha256.txt", sha256.Sum256(manifest)) ||
		!lists("manifest-sha256.txt", manifest, evidence.LedgerPath, sum) {
		return nil
	}
	return keys
}

// smallFile is the content of a file, nil if it cannot be read or is longer than limit.
func smallFile(files fs.FS, name string, limit int64) []byte {
	b, err := readSmall(files, name, limit)
	if err != nil {
		return nil
	}
	return b
}

func lists(name string, text []byte, path string, sum bag.Sum) bool {
	m, problems := bag.ParseManifest(name, text)
	return len(problems) == 0 && slices.Contains(m, bag.Line{Path: path, Sum: sum})
}

// ledgerCase reads the row of entry 0 in the ledger's log, and hashes the ledger.
func ledgerCase(files fs.FS) (body evidence.Case, sum bag.Sum, err error) {
	info, err := fs.Lstat(files, evidence.LedgerPath)
	if err != nil || !info.Mode().IsRegular() {
		return body, sum, errors.Join(err, errors.New("no regular file"))
	}
	file, err := files.Open(evidence.LedgerPath)
	if err != nil {
		return body, sum, err
	}
	defer file.Close()
	at, ok := file.(io.ReaderAt)
	if !ok {
		return body, sum, errors.New("no io.ReaderAt")
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(at, 0, info.Size())); err != nil {
		return body, sum, err
	}
	db, err := boltread.Open(at, info.Size())
	if err != nil {
		return body, sum, err
	}
	bucket, err := db.Bucket(row.Log)
	if err != nil {
		return body, sum, err
	}
	cur := bucket.Cursor()
	if !cur.First() {
		return body, sum, errors.Join(cur.Err(), errors.New("empty log"))
	}
	entry, err := row.DecodeLog(cur.Value())
	if err == nil {
		err = json.Unmarshal(entry.Body, &body, json.RejectUnknownMembers(true))
	}
	if err == nil && (entry.Seq != 0 || entry.Kind != evidence.KindCase) {
		err = errors.New("the log does not begin with the case entry")
	}
	return body, bag.Sum(hash.Sum(nil)), err
}

// parseVKeys reads verifier keys and leaves out what is none.
func parseVKeys(texts []string) []trust.VKey {
	var keys []trust.VKey
	for _, t := range texts {
		if k, err := trust.ParseVKey(t); err == nil && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}
