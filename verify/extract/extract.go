package extract

import (
	"context"
	"errors"
	"io"

	"github.com/exhibit-dfir/exhibit/verify"
)

// keptPage is one kept answer to normalise.
type keptPage struct {
	Container string // id of the case
	Seq       int64  // sequence number of the exchange
	Source    string // for example "outlook-activities"
	Window    int64  // that asked; 0 for none
	User      string // the window's user; may be empty
	// Body is the decoded body: transfer and content coding removed. It is
	// read once, from the start. What it reads is not trusted.
	Body io.Reader
}

// pages is what a verified container offers. Its pages come in pieces, which
// several readers read at the same time.
type pages interface {
	// Pieces is how many pieces the pages of a source come in.
	Pieces(source string) int
	// Reader returns a reader for one goroutine.
	Reader() (pageReader, error)
}

// pageReader reads pages, piece by piece.
type pageReader interface {
	// Read reads a piece and returns how many pages it holds. An error ends
	// the extraction.
	Read(ctx context.Context, source string, piece int) (n int, err error)
	// Page returns page i of the piece that was read last, valid until the
	// next call of either. An error is a fault of this page alone, whose
	// number and source are given all the same.
	Page(i int) (keptPage, error)
	Close() error
}

// Options bound and direct an extraction. The zero value is ready for use.
type Options struct {
	// Sources to extract, in this order; empty means all of [Sources].
	Sources []string
	// RecordLimit is the length in bytes of the longest record that is
	// interpreted; 0 means 16 MiB. At most 1 GiB.
	RecordLimit int
	// TempDir receives the file that finding duplicates may need; empty means
	// the system's. The file holds hashes alone and is removed at the end.
	TempDir string
	// MemoryKeys is the number of record ids whose hashes are held in memory
	// before they go to the file; 0 means 786,432 (24 MiB).
	MemoryKeys int
	// Native gives each record its JSON text, too.
	Native bool
	// Workers is how many pages are worked on at the same time; 0 means as many
	// as there are processors. Records and summary do not depend on it.
	Workers int
}

const (
	defaultRecordLimit = 16 << 20
	maxRecordLimit     = 1 << 30
	maxProblems        = 10_000
)

// Summary says what an extraction did.
type Summary struct {
	Pages   int64
	Records int64
	// Flagged counts the records with at least one flag; Flags counts by word.
	Flagged int64
	Flags   map[string]int64
	// Problems holds the first 10,000 problems, ProblemCount counts all.
	Problems     []Problem
	ProblemCount int64
}

// ErrUnknownSource is returned for a source that has no normaliser.
var ErrUnknownSource = errors.New("unknown source")

// Encoder writes records in a format of its own. It is used by one goroutine.
type Encoder interface {
	// Append appends a record, which it does not keep.
	Append(dst []byte, r *Record) ([]byte, error)
}

// Extract emits the records of all pages of a verified container, in order: the
// complete answers with status 200 that no later attempt replaced. It stops with
// an error when ctx ends, when emit fails, when the container is not any more what
// was verified, or when the temporary file cannot be used; faults in a page are
// problems in the summary, not errors. The summary is valid beside an error, for
// what was done until then. emit is called once at a time, not always by the same goroutine.
func Extract(ctx context.Context, c *verify.Container, opt Options, emit func(*Record) error) (Summary, error) {
	return run(ctx, containerPages{c}, opt, sink{emit: emit})
}

// Write writes the same records in the same order to w, as encoders write them.
// It calls encoder once for each worker, so that records are encoded at the same time too.
func Write(ctx context.Context, c *verify.Container, opt Options, w io.Writer, encoder func() Encoder) (Summary, error) {
	return run(ctx, containerPages{c}, opt, sink{w: w, encoder: encoder})
}
