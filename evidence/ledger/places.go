package ledger

import (
	"context"
	"encoding/binary"

	bolt "go.etcd.io/bbolt"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// places is a bucket that only the index of an open case has: where batches lie. Its keys are segment and offset, its values empty. A seal reads the batches by it
// and nothing between them; without it, or where it is wrong, a seal reads all. An index that was built anew, or by an older program, has none or begins in the middle.
const places = "places"

var _ evidence.Places = (*Ledger)(nil)

func placeKey(segment, offset int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(segment)), uint64(offset))
}

func putPlace(tx *bolt.Tx, b *evidence.Batch) error {
	bucket, err := tx.CreateBucketIfNotExists([]byte(places))
	if err != nil {
		return err
	}
	bucket.FillPercent = 1 // keys only ascend
	return bucket.Put(placeKey(b.Segment, b.Offset), []byte{})
}

// BatchOffsets is that of [evidence.Places].
func (l *Ledger) BatchOffsets(ctx context.Context, segment int64) ([]int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var offsets []int64
	err := l.view(func(tx *bolt.Tx) error {
		bucket := tx.Bucket([]byte(places))
		if bucket == nil {
			return nil
		}
		c := bucket.Cursor()
		for k, _ := c.Seek(placeKey(segment, 0)); len(k) == 16 && int64(binary.BigEndian.Uint64(k)) == segment; k, _ = c.Next() {
			offsets = append(offsets, int64(binary.BigEndian.Uint64(k[8:])))
		}
		return nil
	})
	return offsets, err
}
