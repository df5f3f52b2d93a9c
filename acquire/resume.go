package acquire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// inMemory is up to how many bytes a block is read back into memory; a larger one goes through a file.
const inMemory = 4 << 20

// load finds where a chain stands. It returns no chain if it has ended, with why it ended short of its end, if it did.
//
// BUG: whether a chain has ended is told by its last page alone, so that going on with a window reads one page, and the one before it, of every chain: about
// 0.2 ms a chain, three minutes for a list of a million URLs.
func (r *run) load(ctx context.Context, n int64) (*chain, *PageError, error) {
	c := &chain{n: n, request: r.plan.Pager.First(n), page: 1, parent: evidence.None, attempt: 1, retryOf: evidence.None, asked: map[uint64]struct{}{}}
	if r.window.old == nil {
		return c, nil, nil
	}
	p, err := r.index.Progress(r.window.number, n)
	if err != nil || p == nil {
		return c, nil, err
	}
	var why *PageError
	if p.Taken != nil {
		ended := false
		if ended, why, err = r.goOn(ctx, c, p); err != nil || ended {
			return nil, why, err
		}
	}
	if p.Latest.Page == c.page { // attempts at the page that is to be asked for
		if settled, err := r.settled(ctx, p.Latest); err != nil || settled {
			return nil, nil, err
		}
		c.attempt, c.retryOf = p.Latest.Attempt+1, p.Latest.Seq
	}
	return c, nil, nil
}

// settled reports whether an earlier run got an answer that ended the chain although it brought no page.
func (r *run) settled(ctx context.Context, x *row.Exchange) (bool, error) {
	if x.Status == 200 || x.Ended != evidence.EndedComplete {
		return false, nil
	}
	r.reading.loads <- struct{}{}
	defer func() { <-r.reading.loads }()
	p, done, err := r.readBack(ctx, x)
	if err != nil {
		return false, err
	}
	defer done()
	f := r.plan.Pager.Refused(p)
	if f.Settled {
		r.window.settle(&PageError{f.Reason, r.scrub(f.Text)})
	}
	return f.Settled, nil
}

// goOn sets a chain behind the page taken last, or on it if that cannot be taken as it is. The page before it is read as well, for what it says of this one.
func (r *run) goOn(ctx context.Context, c *chain, at *ledger.Progress) (ended bool, why *PageError, err error) {
	last := at.Taken
	r.reading.loads <- struct{}{}
	defer func() { <-r.reading.loads }()
	if err := r.history(c, last); err != nil {
		return false, nil, err
	}
	c.page, c.before, c.parent, c.flags = last.Page, last.Before, last.Parent, defects(last)
	if last.Parent != evidence.None {
		if err := r.fromParent(ctx, c, last); err != nil {
			return false, nil, err
		}
	}
	r.window.took(last.Page-1, last.Before, last.Parent)
	p, s, fault, err := r.reread(ctx, c, last)
	if err != nil {
		return false, nil, err
	}
	if fault == nil {
		fault = s.Defect
	}
	if fault != nil && at.Latest.Page == last.Page { // asked for again, as often as one run may; not once the next page was asked for: nothing can stand in its stead then
		return false, nil, nil
	}
	if s == nil {
		return true, fault, nil
	}
	ended, why = r.advance(c, p, s, last.Seq)
	return ended, why, nil
}

// history walks the pages before one and takes their URLs and defects in.
func (r *run) history(c *chain, last *row.Exchange) error {
	for x := last; ; {
		for _, f := range defects(x) {
			r.window.defect(&PageError{strings.TrimPrefix(f, flagAfter), fmt.Sprintf("page %d, as an earlier run noted", x.Page-1)})
		}
		if x.Parent == evidence.None {
			return nil
		}
		before, err := r.index.Exchange(x.Parent)
		if err != nil {
			return err
		}
		if before == nil || before.Window != r.window.number || before.Chain != c.n || before.Page != x.Page-1 {
			return fmt.Errorf("exchange %d: the page before it, exchange %d, is not where it should be", x.Seq, x.Parent)
		}
		x = before
		c.remember(r.seed, x.URL)
	}
}

// fromParent repeats how the page before led to this one: the request, the mark of its rows, and those themselves, or of the last page before it that has any.
func (r *run) fromParent(ctx context.Context, c *chain, last *row.Exchange) error {
	x, err := r.index.Exchange(last.Parent)
	if err != nil {
		return err
	}
	p, s, fault, err := r.reread(ctx, c, x)
	if err != nil {
		return err
	}
	if fault != nil || s.Next == nil {
		return fmt.Errorf("exchange %d: it led to exchange %d and now leads nowhere", x.Seq, last.Seq)
	}
	link, bad := resolve(r.plan.Origin, p.URL, s.Next.URL)
	if bad != nil {
		return fmt.Errorf("exchange %d: it led to exchange %d and now nowhere: %w", x.Seq, last.Seq, bad)
	}
	c.request, c.mark, c.rows = Request{URL: link, Header: s.Next.Header}, s.Mark, s.Rows
	for s.Records == 0 && x.Parent != evidence.None {
		if x, err = r.index.Exchange(x.Parent); err != nil {
			return err
		}
		if _, s, fault, err = r.reread(ctx, c, x); err != nil || fault != nil {
			return err
		}
		c.rows = s.Rows
	}
	return nil
}

// reread reads a page back and interprets it. The page's body is read by then.
func (r *run) reread(ctx context.Context, c *chain, x *row.Exchange) (*Page, *Step, *PageError, error) {
	p, done, err := r.readBack(ctx, x)
	if err != nil {
		return nil, nil, nil, err
	}
	defer done()
	s, fault := r.interpret(c, p)
	return p, s, fault, nil
}

// defects are the flags of an exchange that tell of a defect of the page before it.
func defects(x *row.Exchange) []string {
	var words []string
	for _, f := range x.Flags {
		if strings.HasPrefix(f, flagAfter) {
			words = append(words, f)
		}
	}
	return words
}

// readBack reads a page from the segments. The hash of its block must be the one that the ledger names. done frees what the page needs.
func (r *run) readBack(ctx context.Context, x *row.Exchange) (p *Page, done func(), err error) {
	ref := x.Record(warc.Response)
	if ref == nil {
		return nil, nil, fmt.Errorf("exchange %d has no response", x.Seq)
	}
	block, done, err := r.block(ctx, ref)
	if err != nil {
		return nil, nil, fmt.Errorf("response of exchange %d: %w", x.Seq, err)
	}
	l, err := httpblock.ParseResponse(block, ref.BlockLength, x.Method)
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("response of exchange %d: %w", x.Seq, err)
	}
	return &Page{Chain: x.Chain, Number: x.Page, Before: x.Before, URL: x.URL, Status: int(x.Status), Header: l.Fields, Body: newContent(&l, block)}, done, nil
}

// block copies a record's block out of its segment.
func (r *run) block(ctx context.Context, ref *row.Record) (io.ReaderAt, func(), error) {
	file, size, err := evidence.OpenSegment(r.o.Case.Files(), ref.Segment)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, nil, err
	}
	defer dec.Close()
	var out interface {
		io.Writer
		io.ReaderAt
	} = &memory{}
	done := func() {}
	if ref.BlockLength > inMemory {
		f, err := os.CreateTemp(r.o.SpoolDir, "page-*.spool")
		if err != nil {
			return nil, nil, err
		}
		out, done = f, func() { f.Close(); os.Remove(f.Name()) }
	}
	rec, err := warc.CopyBlock(ctx, dec, file, ref.Offset, min(size, ref.Offset+ref.Length), out)
	if err == nil && evidence.Hash(rec.BlockHash) != ref.Block {
		err = errors.New("the block is not the one that the ledger names")
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return out, done, nil
}

// memory is a block in memory.
type memory struct{ bytes.Buffer }

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.Bytes()).ReadAt(p, off)
}
