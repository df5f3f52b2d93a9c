package acquire

import (
	"io"
	"runtime"
	"runtime/debug"
)

// smallContent is up to how many bytes the content of an answer is interpreted beside that of others.
const smallContent = 1 << 20

// hugeContent is from how many bytes on what an answer took is freed at once.
const hugeContent = 16 << 20

// reading bounds the memory that interpreting answers takes, however many chains are worked on. A decoder holds a string whole, and an answer that is small on the wire
// may hold one of 64 MiB.
type reading struct {
	turns chan struct{} // one is held for each answer that is interpreted: as many as can be at once
	large chan struct{} // the one of an answer with more than smallContent
}

func newReading() *reading {
	return &reading{make(chan struct{}, runtime.GOMAXPROCS(0)), make(chan struct{}, 1)}
}

// turn is one answer's, from the first byte of its content that is read until it is done.
type turn struct {
	r     *reading
	body  io.Reader
	read  int64
	large bool
}

// take waits for a turn to interpret body.
func (r *reading) take(body io.Reader) *turn {
	r.turns <- struct{}{}
	return &turn{r: r, body: body}
}

// Read reads the content. What makes it large waits until no other large one is interpreted.
func (t *turn) Read(p []byte) (int, error) {
	if t.read >= smallContent && !t.large {
		t.r.large <- struct{}{}
		t.large = true
	}
	if !t.large {
		p = p[:min(int64(len(p)), smallContent-t.read)]
	}
	n, err := t.body.Read(p)
	t.read += int64(n)
	return n, err
}

// done gives the turn back.
func (t *turn) done() {
	if t.large {
		if t.read >= hugeContent {
			debug.FreeOSMemory() // what the decoder held must not stand beside what the next one will hold
		}
		<-t.r.large
	}
	<-t.r.turns
}
