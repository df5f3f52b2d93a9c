package evidence

import "context"

// Position is how much of the container something covers: everything up to the end of a batch.
type Position struct {
	Batch   int64 // number of the last batch covered, 0 for none
	Entries int64 // entries covered
	Segment int64 // where that batch ends
	Offset  int64
	Hash    Hash // of that batch's block
}

// Index is told of what has become durable. It is derived: it may lag behind the segments, it is caught up from them when
// a case is opened, and it can be deleted. The Writer calls it from one goroutine at a time.
type Index interface {
	// Position tells what the index covers. An index that cannot be read is empty: the zero Position.
	Position(ctx context.Context) (Position, error)
	// Apply takes in batches that follow the position without a hole. When it returns, all of them are in the index or none.
	Apply(ctx context.Context, batches []*Batch) error
}

// Places is what an Index may offer besides: where batches lie, so that they can be read without what lies between them.
type Places interface {
	// BatchOffsets returns the offsets of the frames of the batches of a segment, ascending. They are derived like all of an index: they may be incomplete, or wrong.
	BatchOffsets(ctx context.Context, segment int64) ([]int64, error)
}

// PositionOf is the position at the end of a batch.
func PositionOf(b *Batch) Position {
	return Position{Batch: b.Batch, Entries: b.First + b.Count, Segment: b.Segment, Offset: b.End, Hash: b.Hash}
}
