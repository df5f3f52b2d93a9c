package warc

import (
	"crypto/sha256"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// Encoder turns records into frames. Encode may be called concurrently.
type Encoder struct{ small, large *zstd.Encoder }

// smallRecord is the size in bytes up to which a record is compressed at the library's default level, which makes a page of 5 KB 3 % smaller for
// 10 microseconds. Above it the fastest level is used: what the network brings must not wait for compression.
const smallRecord = 32 << 10

// NewEncoder returns an encoder.
func NewEncoder() (*Encoder, error) {
	cores := zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0))
	// Single segments, because a frame of less than 256 bytes does not carry its content size otherwise (RFC 8878, 3.1.1.1.4).
	small, err := zstd.NewWriter(nil, cores, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(true), zstd.WithSingleSegment(true))
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	large, err := zstd.NewWriter(nil, options(cores)...)
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	return &Encoder{small, large}, nil
}

func options(more ...zstd.EOption) []zstd.EOption {
	return append(more, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(true))
}

// Encoded is a record ready to be appended, with the hashes and lengths that an entry names.
type Encoded struct {
	Header       Header
	HeaderLength int64
	BlockHash    [32]byte
	RecordHash   [32]byte // header, block and end; of records encoded in memory only
	Frame        []byte   // nil where the frame went to a writer
}

// Encode makes the frame of a record whose block is in memory. It fills in the header's block digest and length.
func (e *Encoder) Encode(h Header, block []byte) (*Encoded, error) {
	out := &Encoded{BlockHash: sha256.Sum256(block)}
	h = h.Describe(out.BlockHash, int64(len(block)))
	record := make([]byte, 0, len(block)+1024)
	record, err := h.Append(record)
	if err != nil {
		return nil, err
	}
	out.Header, out.HeaderLength = h, int64(len(record))
	record = append(record, block...)
	record = append(record, recordEnd...)
	if h.Type == Warcinfo {
		out.RecordHash = sha256.Sum256(record)
	}
	level := e.large
	if len(record) <= smallRecord {
		level = e.small
	}
	out.Frame = level.EncodeAll(record, make([]byte, 0, len(record)/2+512))
	return out, nil
}

// EncodeTo makes the frame of a record whose block is size bytes of src and writes it to w. It reads src twice: the
// header, which stands before the block, holds the block's hash.
func EncodeTo(w io.Writer, h Header, src io.ReaderAt, size int64) (*Encoded, error) {
	out := &Encoded{}
	sum := sha256.New()
	if n, err := io.Copy(sum, io.NewSectionReader(src, 0, size)); err != nil || n != size {
		return nil, fmt.Errorf("block of %d bytes, %d read: %w", size, n, orEOF(err))
	}
	sum.Sum(out.BlockHash[:0])
	h = h.Describe(out.BlockHash, size)
	head, err := h.Append(nil)
	if err != nil {
		return nil, err
	}
	out.Header, out.HeaderLength = h, int64(len(head))
	z, err := zstd.NewWriter(nil, options(zstd.WithEncoderConcurrency(1))...)
	if err != nil {
		return nil, fmt.Errorf("zstd encoder: %w", err)
	}
	z.ResetContentSize(w, int64(len(head))+size+int64(len(recordEnd)))
	again := sha256.New()
	if _, err := z.Write(head); err != nil {
		return nil, err
	}
	if n, err := io.Copy(io.MultiWriter(z, again), io.NewSectionReader(src, 0, size)); err != nil || n != size {
		return nil, fmt.Errorf("block of %d bytes, %d read: %w", size, n, orEOF(err))
	}
	if [32]byte(again.Sum(nil)) != out.BlockHash {
		return nil, fmt.Errorf("block changed while it was read")
	}
	if _, err := io.WriteString(z, recordEnd); err != nil {
		return nil, err
	}
	return out, z.Close()
}

func orEOF(err error) error {
	if err == nil {
		return io.ErrUnexpectedEOF
	}
	return err
}
