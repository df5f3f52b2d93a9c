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
// Where that is still too much, the rest is sorted by row and folded in the end (spill.go).
type folds struct {
	c        *Comparer
	name     string
	width    int // of a key
	budget   int64
	cursor   *boltread.Cursor // nil if the bucket is not compared further
	live     map[[16]byte]*live
	sorter   Sorter // what is folded in the end, nil as long as memory suffices
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
	if f.sorter != nil {
		f.postpone(key, e)
		return
	}
	_, opens := e.Body.(*evidence.Window)
	if l := f.row(key, e.Head.Seq, opens); l != nil {
		f.fold(l, e)
		f.folded(key, e.Head.Seq, l)
	}
}

func (f *folds) fold(l *live, e *evidence.Entry) {
	if f.width == 8 {
		l.window = FoldWindow(l.window, e)
	} else {
		l.cursor = FoldCursor(l.cursor, e)
	}
}

// row finds the row of an entry, or begins it. It returns nil if there is nothing to fold.
func (f *folds) row(key [16]byte, seq int64, opens bool) *live {
	if l := f.live[key]; l != nil {
		return l
	}
	return f.begin(key, seq, opens)
}

// folded goes on after the entry seq was folded into a row: it settles the row if that was its last one.
func (f *folds) folded(key [16]byte, seq int64, l *live) {
	f.used -= l.size
	l.size = l.estimate()
	f.used += l.size
	switch {
	case seq >= l.seen:
		f.settle(key, l)
	case f.used > f.budget && f.sorter == nil:
		f.spill()
	}
}

// begin starts the row of an entry that is the first of its row, or comes after the row was settled. It returns nil if there is nothing to fold.
func (f *folds) begin(key [16]byte, seq int64, opens bool) *live {
	if f.reported[key] {
		return nil
	}
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
	case seen < seq:
		f.report(key, fmt.Sprintf("tells of entries up to %d, and entry %d is of this row", seen, seq))
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
	want, err := l.append(f.scratch[:0])
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

// finish folds what was spilled, and looks for rows that no entry explains.
func (f *folds) finish() {
	f.rest()
	f.unfinished()
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

// unfinished reports the rows that say to tell of more entries than came.
func (f *folds) unfinished() {
	keys := slices.SortedFunc(maps.Keys(f.live), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	for _, key := range keys {
		f.report(key, fmt.Sprintf("tells of entries up to %d, which are not there", f.live[key].seen))
		f.used -= f.live[key].size
		delete(f.live, key)
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

// append writes the row's value behind dst, and nothing if no entry has begun the row.
func (l *live) append(dst []byte) ([]byte, error) {
	switch {
	case l.window != nil:
		return l.window.Append(dst)
	case l.cursor != nil:
		return l.cursor.Append(dst)
	}
	return dst, nil
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
