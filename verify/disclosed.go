package verify

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// ErrWithheld says that a production does not disclose an entry.
var ErrWithheld = errors.New("withheld from this production")

// disclosed is what a container holds the production against while it is read again.
type disclosed struct{ root evidence.Hash }

// walk reads the production again and calls visit for each line, until visit returns [errEnough] or another error.
func (c *Container) walk(ctx context.Context, visit func(*evidence.Disclosure) error) error {
	dec, err := warc.NewDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	w := evidence.NewProductionWalker(dec, c.files)
	w.Locate = true
	err = w.Walk(ctx, visit)
	var fault *evidence.Fault
	if errors.As(err, &fault) {
		return fmt.Errorf("%s: %w", segmentPath(fault.Segment), ErrChanged)
	}
	if err != nil {
		return err
	}
	if tree, ok := w.Tree(); !ok || tree.Root() != c.production.root {
		return fmt.Errorf("%s: %w", evidence.ProductionPath, ErrChanged)
	}
	return nil
}

// disclosedEntries yields the entries that a production discloses.
func (c *Container) disclosedEntries(ctx context.Context) iter.Seq2[*evidence.Entry, error] {
	return func(yield func(*evidence.Entry, error) bool) {
		err := c.walk(ctx, func(d *evidence.Disclosure) error {
			if d.Entry != nil && !yield(d.Entry, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(nil, err)
		}
	}
}

// Disclosure returns what a production has of entry seq, once all of it was read again. Of a case it is nil.
func (c *Container) Disclosure(ctx context.Context, seq int64) (found *evidence.Disclosure, err error) {
	if c.production == nil {
		return nil, nil
	}
	err = c.walk(ctx, func(d *evidence.Disclosure) error {
		if d.Seq == seq {
			found = d
		}
		return nil
	})
	if err == nil && found == nil {
		err = fmt.Errorf("entry %d of %d: %w", seq, c.entries, ErrNoEntry)
	}
	return found, err
}

// disclosedEntry returns an entry that a production discloses, and [ErrWithheld] for another.
func (c *Container) disclosedEntry(ctx context.Context, seq int64) (*evidence.Entry, error) {
	d, err := c.Disclosure(ctx, seq)
	if err != nil {
		return nil, err
	}
	if d.Entry == nil {
		return nil, fmt.Errorf("entry %d: %w", seq, ErrWithheld)
	}
	return d.Entry, nil
}

// leaf is a leaf with its place in the tree.
type leaf struct {
	seq  int64
	hash evidence.Hash
}

// leaves yields all leaves in order.
func (c *Container) leaves(ctx context.Context) iter.Seq2[leaf, error] {
	return func(yield func(leaf, error) bool) {
		var err error
		if c.production != nil {
			err = c.walk(ctx, func(d *evidence.Disclosure) error {
				if !yield(leaf{d.Seq, d.Leaf}, nil) {
					return errEnough
				}
				return nil
			})
		} else {
			for e, eerr := range c.Entries(ctx) {
				if err = eerr; err != nil || !yield(leaf{e.Head.Seq, evidence.LeafHash(e.HeadLine)}, nil) {
					break
				}
			}
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(leaf{}, err)
		}
	}
}
