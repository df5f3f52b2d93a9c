package extract

import (
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// errOverBudget says that one token or value is longer than the limit.
var errOverBudget = errors.New("longer than the limit")

// feedSlack is how far beyond the record limit the decoder may read ahead.
const feedSlack = 64 << 10

const bomLength = 3

// feed gives a body to the decoder. It stops when the decoder asks for more
// than the budget beyond the last thing that it finished reading, which bounds
// the decoder's buffer.
type feed struct {
	src    io.Reader
	before [][]byte // to be given before src
	budget int64
	given  int64 // to the present decoder
	dec    *jsontext.Decoder
	err    error // of src, once it failed or ended

	keeping   bool
	keepLimit int
	held      []byte
}

func (f *feed) Read(p []byte) (int, error) {
	room := f.dec.InputOffset() + f.budget - f.given
	if room <= 0 {
		return 0, errOverBudget
	}
	if int64(len(p)) > room {
		p = p[:room]
	}
	n, err := f.next(p)
	f.given += int64(n)
	if f.keeping && len(f.held) <= f.keepLimit+feedSlack {
		f.held = append(f.held, p[:n]...)
	}
	return n, err
}

func (f *feed) next(p []byte) (int, error) {
	for len(f.before) > 0 && len(f.before[0]) == 0 {
		f.before = f.before[1:]
	}
	if len(f.before) > 0 {
		n := copy(p, f.before[0])
		f.before[0] = f.before[0][n:]
		return n, nil
	}
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.src.Read(p)
	f.err = err
	return n, err
}

// skipBOM takes a UTF-8 byte order mark from the start and reports whether
// there was one.
func (f *feed) skipBOM() bool {
	head := make([]byte, bomLength)
	n := 0
	for n < len(head) {
		k, err := f.next(head[n:])
		n += k
		if err != nil {
			break
		}
	}
	if string(head[:n]) == "\ufeff" {
		return true
	}
	f.before = [][]byte{head[:n]}
	return false
}
