package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// ErrChanged says that a case is not any more what was checked.
var ErrChanged = errors.New("case changed since it was checked: check it again")

// ErrNoEntry says that there is no entry with the seq that was asked for.
var ErrNoEntry = errors.New("no such entry")

// Container gives access to a case that [Check] found neither altered nor damaged, or to what [Salvage] proved of one that is. What it hands
// out is held against the checked state again while it is read. Any number of goroutines may use it.
type Container struct {
	files   fs.FS
	caseID  string
	entries int64
	ends    []segmentEnd
	windows []*window
	retried map[int64]bool
	pages   pagePlan
	keeper  *keeper   // of pages; nil where the check kept none
	salvage *salvage  // of a damaged case, nil for an intact one
	stamps  []Stamped // by pinned authorities

	production *disclosed // of a production, nil for a case
}

func newContainer(c *checker) *Container {
	container := &Container{files: c.files, caseID: c.r.Case, entries: c.r.Entries, ends: c.ends, windows: c.rules.windows, retried: c.rules.retried,
		pages: c.rules.pages, keeper: c.keeper, stamps: c.stamps}
	if c.part != nil {
		tree, _ := c.part.walker.Tree()
		container.production = &disclosed{tree.Root()}
	}
	return container
}

// Close frees what the check kept for its container (Options.Keep). Nobody may be reading pages. A nil Container can be closed.
func (c *Container) Close() error {
	if c == nil {
		return nil
	}
	return c.keeper.close()
}

// CaseID is the id of the case.
func (c *Container) CaseID() string { return c.caseID }

// Len is the number of entries; of a salvaged case, of those that there are known to have been.
func (c *Container) Len() int64 { return c.entries }

// Window returns what window n was opened for and how it ended. ok is false if there is no such window, or none of its entries is left.
func (c *Container) Window(n int64) (w Window, ok bool) {
	if c.salvage != nil {
		return c.salvage.window(n)
	}
	if n < 1 || n > int64(len(c.windows)) {
		return Window{}, false
	}
	return c.windows[n-1].Window, true
}

// Replaced reports whether a later attempt replaced the exchange seq, so that its answer is not the page that was taken.
func (c *Container) Replaced(seq int64) bool { return c.retried[seq] }

// Entries yields all entries in order. An error ends it: ctx's, [ErrChanged], or one of reading. Of a salvaged case it yields those that are proven;
// the places of records that are lost are zero. Of a production it yields those that are disclosed.
func (c *Container) Entries(ctx context.Context) iter.Seq2[*evidence.Entry, error] {
	if c.salvage != nil {
		return c.salvage.entries(ctx)
	}
	if c.production != nil {
		return c.disclosedEntries(ctx)
	}
	return func(yield func(*evidence.Entry, error) bool) {
		dec, err := warc.NewDecoder()
		if err != nil {
			yield(nil, err)
			return
		}
		defer dec.Close()
		walker := evidence.NewWalker(dec)
		for i := range c.ends {
			err := c.segment(ctx, walker, int64(i+1), func(b *evidence.Batch) error {
				for _, e := range b.Entries {
					if !yield(e, nil) {
						return errEnough
					}
				}
				return nil
			})
			if errors.Is(err, errEnough) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

var errEnough = errors.New("enough")

// segment walks segment n and holds its end against the one that was checked: the chain of batches then proves the rest.
func (c *Container) segment(ctx context.Context, walker *evidence.Walker, n int64, visit func(*evidence.Batch) error) error {
	file, size, err := evidence.OpenSegment(c.files, n)
	if err != nil {
		return err
	}
	defer file.Close()
	end := c.ends[n-1]
	if size < end.size {
		return fmt.Errorf("%s: %w", evidence.SegmentPath(n), ErrChanged)
	}
	err = walker.Segment(ctx, n, file, end.size, visit)
	if errors.Is(err, errEnough) {
		return err
	}
	if err != nil && ctx.Err() != nil { // it was not read to its end, which says nothing of the case
		return ctx.Err()
	}
	var fault *evidence.Fault
	if walker.Position().Hash != end.hash {
		return fmt.Errorf("%s: %w", evidence.SegmentPath(n), ErrChanged)
	}
	if errors.As(err, &fault) { // the torn tail that the check found
		return nil
	}
	return err
}

// Entry returns one entry, once the segment that holds it was read to the end that was checked, with those before it. Of a salvaged case it returns an entry that is proven, and
// [ErrLost] for another; of a production, [ErrWithheld].
func (c *Container) Entry(ctx context.Context, seq int64) (*evidence.Entry, error) {
	if seq < 0 || seq >= c.entries {
		return nil, fmt.Errorf("entry %d of %d: %w", seq, c.entries, ErrNoEntry)
	}
	if c.salvage != nil {
		return c.salvage.entry(ctx, seq)
	}
	if c.production != nil {
		return c.disclosedEntry(ctx, seq)
	}
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	walker := evidence.NewWalker(dec)
	var found *evidence.Entry
	for i := 0; i < len(c.ends) && found == nil; i++ {
		if err := c.segment(ctx, walker, int64(i+1), func(b *evidence.Batch) error {
			if n := seq - b.First; n >= 0 && n < b.Count {
				found = b.Entries[n]
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	if found == nil {
		return nil, fmt.Errorf("entry %d: %w", seq, ErrChanged)
	}
	return found, nil
}

// Block is the block of a record.
type Block struct {
	io.ReaderAt
	Size  int64
	close func() error
}

// Close frees what the block holds.
func (b *Block) Close() error {
	if b.close == nil {
		return nil
	}
	return b.close()
}

// Block returns the block of record i of an entry. It is whole and is the one that the entry names: larger ones stand in a
// temporary file until they are proven.
func (c *Container) Block(ctx context.Context, e *evidence.Entry, i int) (*Block, error) {
	if i < 0 || i >= len(e.Located) || i >= len(e.Detail.Records) {
		return nil, fmt.Errorf("record %d of entry %d: %w", i, e.Head.Seq, ErrNoEntry)
	}
	at, ref := e.Located[i], e.Detail.Records[i]
	if at.Segment == 0 {
		return nil, fmt.Errorf("record %d of entry %d: %w", i, e.Head.Seq, ErrLost)
	}
	file, size, err := evidence.OpenSegment(c.files, int64(at.Segment))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	size = min(size, at.Offset+at.Length) // the frame and nothing behind it
	b := &Block{Size: ref.BlockLength}
	var rec *warc.Record
	if ref.BlockLength <= warc.InlineLimit {
		var buf bytes.Buffer
		rec, err = warc.CopyBlock(ctx, dec, file, at.Offset, size, &buf)
		b.ReaderAt = bytes.NewReader(buf.Bytes())
	} else {
		rec, err = c.spool(ctx, dec, file, at.Offset, size, b)
	}
	if err == nil && !e.Names(i, rec) {
		err = fmt.Errorf("record %d of entry %d: %w", i, e.Head.Seq, ErrChanged)
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (c *Container) spool(ctx context.Context, dec *warc.Decoder, file io.ReaderAt, offset, size int64, b *Block) (*warc.Record, error) {
	temp, err := os.CreateTemp("", "exhibit-block-*")
	if err != nil {
		return nil, err
	}
	b.ReaderAt = temp
	b.close = func() error { return errors.Join(temp.Close(), os.Remove(temp.Name())) }
	return warc.CopyBlock(ctx, dec, file, offset, size, temp)
}
