package evidence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Batches walks the segments from the first on, strictly, and yields each batch. It ends with an error at the first rule
// that is broken, and at records that no batch claims. Each range over it walks anew.
func Batches(ctx context.Context, files fs.FS) iter.Seq2[*Batch, error] {
	return sequence(func(visit func(*Batch) error) error { return walkBatches(ctx, files, visit) })
}

// sequence makes a sequence of a walk. An error of the walk is its last element.
func sequence(walk func(visit func(*Batch) error) error) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		err := walk(func(b *Batch) error {
			if !yield(b, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(nil, err)
		}
	}
}

func walkBatches(ctx context.Context, files fs.FS, visit func(*Batch) error) error {
	dec, err := warc.NewDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	return walkOn(ctx, NewWalker(dec), files, nil, visit)
}

// walkOn walks from where the walker stands to the end of the last segment. With places nothing but batches is decoded.
func walkOn(ctx context.Context, walker *Walker, files fs.FS, places Places, visit func(*Batch) error) error {
	survey, err := NewSurvey(files)
	if err != nil {
		return err
	}
	for n := max(walker.Position().Segment, 1); n <= survey.Segments; n++ {
		if places != nil {
			walker.batchesAt, _ = places.BatchOffsets(ctx, n) // where they cannot be had, all is decoded
		}
		if err := walkSegment(ctx, walker, files, n, visit); err != nil {
			return err
		}
	}
	return nil
}

// walkSegment walks one whole segment, behind which nothing may be left.
func walkSegment(ctx context.Context, walker *Walker, files fs.FS, n int64, visit func(*Batch) error) error {
	file, size, err := OpenSegment(files, n)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := walker.Segment(ctx, n, file, size, visit); err != nil {
		return err
	}
	if walker.Pending() > 0 {
		return &DamageError{Path: SegmentPath(n), Detail: fmt.Sprintf("%d records at its end are named by no batch", walker.Pending())}
	}
	return nil
}
