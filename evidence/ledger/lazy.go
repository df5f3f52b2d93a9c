package ledger

import (
	"context"
	"errors"
	"sync"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// lazyBytes is how many bytes of lines may wait in a Lazy. One batch may always wait.
const lazyBytes = 16 << 20

// errLazyClosed answers Apply after Close.
var errLazyClosed = errors.New("index is closed")

// Lazy is an index that takes batches at once and hands them to another one from its own goroutine, as many together as are
// waiting. It lags behind what it was given, never the other way round: what it was given is durable elsewhere. It blocks
// only while 16 MiB of lines wait. After the other index has failed once, all that waits is dropped and every call
// returns that error. Its methods may be called concurrently.
type Lazy struct {
	index evidence.Index
	done  chan struct{}

	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever something below changes
	waiting []*evidence.Batch
	bytes   int
	busy    bool
	closed  bool
	err     error
}

var (
	_ evidence.Index  = (*Lazy)(nil)
	_ evidence.Places = (*Lazy)(nil)
)

// NewLazy starts the goroutine that feeds index. Close ends it.
func NewLazy(index evidence.Index) *Lazy {
	z := &Lazy{index: index, done: make(chan struct{}), changed: make(chan struct{})}
	go z.run()
	return z
}

// Position tells what the other index covers: batches that wait are not in it.
func (z *Lazy) Position(ctx context.Context) (evidence.Position, error) {
	z.mu.Lock()
	err := z.err
	z.mu.Unlock()
	if err != nil {
		return evidence.Position{}, err
	}
	return z.index.Position(ctx)
}

// Apply lets batches wait and returns. They must not be changed afterwards. An error of an earlier batch surfaces here or at Flush.
func (z *Lazy) Apply(ctx context.Context, batches []*evidence.Batch) error {
	size := 0
	for _, b := range batches {
		for _, e := range b.Entries {
			size += len(e.HeadLine) + len(e.DetailLine)
		}
	}
	err := z.wait(ctx, func() bool { return z.closed || z.bytes == 0 || z.bytes+size <= lazyBytes })
	if err != nil {
		return err
	}
	defer z.mu.Unlock()
	if z.closed {
		return errLazyClosed
	}
	z.waiting = append(z.waiting, batches...)
	z.bytes += size
	z.signal()
	return nil
}

// Flush waits until everything that Apply was given before is in the other index.
func (z *Lazy) Flush(ctx context.Context) error {
	err := z.wait(ctx, func() bool { return len(z.waiting) == 0 && !z.busy })
	if err == nil {
		z.mu.Unlock()
	}
	return err
}

// BatchOffsets is that of the other index, once it has everything that Apply was given before; none if it does not offer any.
func (z *Lazy) BatchOffsets(ctx context.Context, segment int64) ([]int64, error) {
	places, ok := z.index.(evidence.Places)
	if !ok {
		return nil, nil
	}
	if err := z.Flush(ctx); err != nil {
		return nil, err
	}
	return places.BatchOffsets(ctx, segment)
}

// Close takes no more batches, waits until those given are in the other index, and returns the error, if any. It does not close the other index.
func (z *Lazy) Close() error {
	z.mu.Lock()
	z.closed = true
	z.signal()
	z.mu.Unlock()
	<-z.done
	return z.err
}

// wait returns with z.mu locked once ready holds, or with an error and without the lock.
func (z *Lazy) wait(ctx context.Context, ready func() bool) error {
	for {
		z.mu.Lock()
		if err := z.err; err != nil {
			z.mu.Unlock()
			return err
		}
		if ready() {
			return nil
		}
		changed := z.changed
		z.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// signal wakes all that wait; z.mu is held.
func (z *Lazy) signal() {
	close(z.changed)
	z.changed = make(chan struct{})
}

func (z *Lazy) run() {
	defer close(z.done)
	for {
		err := z.wait(context.Background(), func() bool { return len(z.waiting) > 0 || z.closed })
		if err != nil {
			return
		}
		if len(z.waiting) == 0 {
			z.mu.Unlock()
			return
		}
		batches, bytes := z.waiting, z.bytes
		z.waiting, z.busy = nil, true
		z.mu.Unlock()
		err = z.index.Apply(context.Background(), batches)
		z.mu.Lock()
		z.bytes -= bytes
		z.busy, z.err = false, err
		if err != nil {
			z.waiting = nil
		}
		z.signal()
		z.mu.Unlock()
	}
}
