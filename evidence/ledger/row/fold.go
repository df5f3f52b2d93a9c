package row

import (
	"fmt"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// Window is the row of a window: what its first window entry asked for and what the latest one said.
type Window struct {
	Window      int64           `json:"window"`
	Source      string          `json:"source"`
	Acquisition evidence.Hash   `json:"acquisition"`
	User        string          `json:"user"`
	From        string          `json:"from"`
	To          string          `json:"to"`
	Parameters  []evidence.Pair `json:"parameters"`
	State       string          `json:"state"`
	Reason      string          `json:"reason"`
	Text        string          `json:"text"`
	Requests    int64           `json:"requests"`
	Pages       int64           `json:"pages"`
	Records     int64           `json:"records"`
	Last        int64           `json:"last"`
	Opened      int64           `json:"opened"`    // seq of the first window entry
	Closed      int64           `json:"closed"`    // seq of the latest other one, evidence.None if there is none
	Exchanges   int64           `json:"exchanges"` // exchange entries of the window since it was opened
	Seen        int64           `json:"seen"`      // seq of the latest entry that this row tells of
}

// FoldWindow takes an entry into the row of its window: w, or nil if there is none yet. It returns the row, nil if there is still none.
// Entries of other kinds, or without a window, leave the row as it is. A row that is returned may be w, changed.
func FoldWindow(w *Window, e *evidence.Entry) *Window {
	h := &e.Head
	if h.Window <= 0 {
		return w
	}
	switch b := e.Body.(type) {
	case *evidence.Exchange:
		w.count(h.Seq)
	case *evidence.Window:
		return w.join(&Window{Window: h.Window, Source: h.Source, Acquisition: b.Acquisition, User: b.User, From: b.From, To: b.To, Parameters: b.Parameters,
			State: b.State, Reason: b.Reason, Text: b.Text, Requests: b.Requests, Pages: b.Pages, Records: b.Records, Last: b.Last,
			Opened: h.Seq, Closed: evidence.None, Seen: h.Seq})
	}
	return w
}

// count takes in the exchange seq of the window. Before a window is opened, none counts.
func (w *Window) count(seq int64) {
	if w != nil {
		w.Exchanges++
		w.Seen = seq
	}
}

// join takes in a later window entry, as the row that it alone makes. w is nil for the first one.
func (w *Window) join(later *Window) *Window {
	if w == nil {
		return later
	}
	w.State, w.Reason, w.Text = later.State, later.Reason, later.Text
	w.Requests, w.Pages, w.Records, w.Last = later.Requests, later.Pages, later.Records, later.Last
	w.Closed, w.Seen = later.Opened, later.Seen
	return w
}

// Append writes the row's value behind dst.
func (w *Window) Append(dst []byte) ([]byte, error) {
	l := line{b: dst}
	l.num(`{"window":`, w.Window)
	l.str(`,"source":`, w.Source)
	l.hash(`,"acquisition":`, w.Acquisition)
	l.str(`,"user":`, w.User)
	l.str(`,"from":`, w.From)
	l.str(`,"to":`, w.To)
	l.pairs(`,"parameters":`, w.Parameters)
	l.str(`,"state":`, w.State)
	l.str(`,"reason":`, w.Reason)
	l.str(`,"text":`, w.Text)
	l.num(`,"requests":`, w.Requests)
	l.num(`,"pages":`, w.Pages)
	l.num(`,"records":`, w.Records)
	l.num(`,"last":`, w.Last)
	l.num(`,"opened":`, w.Opened)
	l.num(`,"closed":`, w.Closed)
	l.num(`,"exchanges":`, w.Exchanges)
	l.num(`,"seen":`, w.Seen)
	return l.end()
}

// DecodeWindow reads the value of a row of windows.
func DecodeWindow(b []byte) (*Window, error) {
	w := &Window{}
	if err := decode(b, w); err != nil {
		return nil, fmt.Errorf("malformed row of %s: %w", Windows, err)
	}
	return w, nil
}

// MaxKept is how many pages a row of cursors remembers, so that pages may be replaced that many times in a row.
const MaxKept = 4

// Cursor is the row of a chain of a window: its progress (docs/container.md, 4.9).
type Cursor struct {
	Window   int64   `json:"window"`
	Chain    int64   `json:"chain"`
	Kept     []int64 `json:"kept"`     // seqs of the latest pages kept and not replaced, oldest first, at most MaxKept
	Older    bool    `json:"older"`    // pages were kept that are no longer listed
	Requests int64   `json:"requests"` // exchanges of the chain
	Failed   int64   `json:"failed"`   // those of them after the latest that was kept
	Seen     int64   `json:"seen"`     // seq of the latest exchange of the chain
}

// Last is the seq of the page taken last, evidence.None if there is none. ok is false if this row cannot tell: every page that
// it lists was replaced, and older ones exist.
func (c *Cursor) Last() (seq int64, ok bool) {
	if n := len(c.Kept); n > 0 {
		return c.Kept[n-1], true
	}
	return evidence.None, !c.Older
}

// FoldCursor takes an exchange into the row of its chain: c, or nil if there is none yet. Other entries, and exchanges without a window, leave c
// as it is. A row that is returned may be c, changed. All entries given for one row must be of its window and chain.
func FoldCursor(c *Cursor, e *evidence.Entry) *Cursor {
	b, ok := e.Body.(*evidence.Exchange)
	if !ok || e.Head.Window <= 0 {
		return c
	}
	if c == nil {
		c = &Cursor{Window: e.Head.Window, Chain: b.Chain}
	}
	c.fold(e.Head.Seq, b.RetryOf, evidence.Kept(e.Head, b))
	return c
}

// fold is Take for a row, which lists MaxKept pages and no more.
func (c *Cursor) fold(seq, retryOf int64, kept bool) {
	c.Take(seq, retryOf, kept)
	if n := len(c.Kept) - MaxKept; n > 0 {
		c.Kept = slices.Delete(c.Kept, 0, n)
		c.Older = true
	}
}

// Take counts an exchange of the chain: its seq, the one that it replaces and whether it was kept. It forgets no older page:
// a Cursor that took all exchanges of a chain this way knows the page taken last in any case.
func (c *Cursor) Take(seq, retryOf int64, kept bool) {
	c.Requests++
	c.Seen = seq
	if i := slices.Index(c.Kept, retryOf); i >= 0 {
		c.Kept = slices.Delete(c.Kept, i, i+1)
	}
	if !kept {
		c.Failed++
		return
	}
	c.Kept = append(c.Kept, seq)
	c.Failed = 0
}

// Append writes the row's value behind dst.
func (c *Cursor) Append(dst []byte) ([]byte, error) {
	l := line{b: dst}
	l.num(`{"window":`, c.Window)
	l.num(`,"chain":`, c.Chain)
	l.nums(`,"kept":`, c.Kept)
	l.bool(`,"older":`, c.Older)
	l.num(`,"requests":`, c.Requests)
	l.num(`,"failed":`, c.Failed)
	l.num(`,"seen":`, c.Seen)
	return l.end()
}

// DecodeCursor reads the value of a row of cursors.
func DecodeCursor(b []byte) (*Cursor, error) {
	c := &Cursor{}
	if err := decode(b, c); err != nil {
		return nil, fmt.Errorf("malformed row of %s: %w", Cursors, err)
	}
	if len(c.Kept) > MaxKept {
		return nil, fmt.Errorf("malformed row of %s: %d pages kept", Cursors, len(c.Kept))
	}
	return c, nil
}
