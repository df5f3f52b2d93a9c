package row

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
)

// maxReported is how many rows a fold remembers as reported, so that it says of each but once that it differs.
const maxReported = 1024

// folds compares a bucket of folded rows. The row in the file says in seen up to which entry it tells; there the row folded from
// the entries must be the same, and no entry of that row may follow. So a row takes memory only until its last entry has come.
type folds struct {
	c        *Comparer
	name     string
	width    int // of a key
	budget   int64
	cursor   *boltread.Cursor // nil if the bucket is not compared further
	live     map[[16]byte]*live
	used     int64
	matched  int64 // rows of the file that an entry explains
	reported map[[16]byte]bool
	crowded  bool // reported is full
	scratch  []byte
}

// live is a row that is being folded.
type live struct {
	window *Window // one of the two
	cursor *Cursor
	seen   int64 // what the file's row says
	size   int64
}

func beUint64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// add takes an entry into the row of its window and, in cursors, chain.
func (f *folds) add(e *evidence.Entry, window [8]byte, chain int64) {
	if f.cursor == nil || e.Head.Window <= 0 {
		return
	}
	switch e.Body.(type) {
	case *evidence.Window, *evidence.Exchange:
	default:
		return
	}
	var key [16]byte
	copy(key[:], window[:])
	if f.width == 16 {
		key = CursorKey(e.Head.Window, chain)
	}
	l := f.live[key]
	if l == nil {
		if l = f.begin(key, e); l == nil {
			return
		}
	}
	if f.width == 8 {
		l.window = FoldWindow(l.window, e)
	} else {
		l.cursor = FoldCursor(l.cursor, e)
	}
	f.used -= l.size
	l.size = l.estimate()
	f.used += l.size
	switch {
	case e.Head.Seq >= l.seen:
		f.settle(key, l)
	case f.used > f.budget:
		f.c.result.Uncompared = append(f.c.result.Uncompared, f.name)
		f.cursor, f.live = nil, nil
	}
}

// begin starts the row of an entry that is the first of its row, or comes after the row was settled. It returns nil if there is nothing to fold.
func (f *folds) begin(key [16]byte, e *evidence.Entry) *live {
	if f.reported[key] {
		return nil
	}
	_, opens := e.Body.(*evidence.Window)
	explains := opens || f.width == 16
	found := f.cursor.Seek(key[:f.width]) && bytes.Equal(f.cursor.Key(), key[:f.width])
	if !f.readable() {
		return nil
	}
	if !found {
		if explains {
			f.report(key, "row is missing")
		}
		return nil
	}
	seen, ok := claim(f.cursor.Value())
	switch {
	case !ok:
		f.matched++
		f.report(key, "value differs")
		return nil
	case seen < e.Head.Seq:
		f.report(key, fmt.Sprintf("tells of entries up to %d, and entry %d is of this row", seen, e.Head.Seq))
		return nil
	case !explains:
		return nil // an exchange of a window that was not opened
	}
	f.matched++
	l := &live{seen: seen}
	f.live[key] = l
	return l
}

// claim reads the last member of a row of the file: up to which entry it tells. The rest is compared when that entry has come.
func claim(value []byte) (seen int64, ok bool) {
	const member = `,"seen":`
	i := bytes.LastIndex(value, []byte(member))
	if i < 0 || value[len(value)-1] != '}' {
		return 0, false
	}
	seen, err := strconv.ParseInt(string(value[i+len(member):len(value)-1]), 10, 64)
	return seen, err == nil
}

// settle compares a row that is complete and forgets it.
func (f *folds) settle(key [16]byte, l *live) {
	delete(f.live, key)
	f.used -= l.size
	var want []byte
	var err error
	if f.width == 8 {
		want, err = l.window.Append(f.scratch[:0])
	} else {
		want, err = l.cursor.Append(f.scratch[:0])
	}
	f.scratch = want
	found := f.cursor.Seek(key[:f.width]) && bytes.Equal(f.cursor.Key(), key[:f.width])
	if !f.readable() {
		return
	}
	switch {
	case err != nil:
		f.report(key, "cannot be derived: "+err.Error())
	case !found || !bytes.Equal(f.cursor.Value(), want):
		f.report(key, "value differs")
	}
}

// finish settles the rows that say to tell of more entries than came, and looks for rows that no entry explains.
func (f *folds) finish() {
	keys := slices.SortedFunc(maps.Keys(f.live), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, key := range keys {
		f.report(key, fmt.Sprintf("tells of entries up to %d, which are not there", f.live[key].seen))
	}
	if f.cursor == nil || f.crowded {
		return
	}
	var n int64
	for ok := f.cursor.First(); ok; ok = f.cursor.Next() {
		n++
	}
	if f.readable() && n != f.matched {
		f.c.differ(f.name, "", fmt.Sprintf("%d rows, of which entries explain %d", n, f.matched))
	}
}

func (f *folds) readable() bool {
	if err := f.cursor.Err(); err != nil {
		f.c.differ(f.name, "", "unreadable: "+err.Error())
		f.cursor, f.live = nil, nil
		return false
	}
	return true
}

func (f *folds) report(key [16]byte, what string) {
	f.c.differ(f.name, keyText(key[:f.width]), what)
	if len(f.reported) == maxReported {
		f.crowded = true
		return
	}
	if f.reported == nil {
		f.reported = map[[16]byte]bool{}
	}
	f.reported[key] = true
}

// estimate is about what the row takes in memory.
func (l *live) estimate() int64 {
	n := int64(200)
	if w := l.window; w != nil {
		n += int64(200 + len(w.Source) + len(w.User) + len(w.From) + len(w.To) + len(w.Reason) + len(w.Text))
		for _, p := range w.Parameters {
			n += int64(32 + len(p.Name) + len(p.Value))
		}
	}
	return n
}
