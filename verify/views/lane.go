package views

import (
	"errors"
	"sync/atomic"
)

// lane hands things on to a goroutine of its own, in their order, so that it takes them while the next ones are made.
type lane[T any] struct {
	batch  []T
	size   int
	given  chan []T
	done   chan struct{}
	failed atomic.Bool
	err    error // of emit; to be read when done is closed
}

const (
	laneLength = 128       // things that are handed on at once,
	laneBytes  = 128 << 10 // or so many bytes of them
)

// errStopped says that no more is wanted. The reason is what end returns.
var errStopped = errors.New("stopped")

func newLane[T any](emit func(T) error) *lane[T] {
	l := &lane[T]{given: make(chan []T, 1), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for batch := range l.given {
			for _, x := range batch {
				if l.err == nil {
					l.err = emit(x)
				}
			}
			l.failed.Store(l.err != nil)
		}
	}()
	return l
}

// send takes a thing, which is not changed any more, of about so many bytes.
func (l *lane[T]) send(x T, size int) error {
	if l.failed.Load() {
		return errStopped
	}
	l.batch, l.size = append(l.batch, x), l.size+size
	if len(l.batch) == laneLength || l.size > laneBytes {
		l.hand()
	}
	return nil
}

func (l *lane[T]) hand() {
	l.given <- l.batch
	l.batch, l.size = make([]T, 0, laneLength), 0
}

// end waits until everything is taken. err is why there is no more.
func (l *lane[T]) end(err error) error {
	if err == nil {
		l.hand()
	}
	close(l.given)
	<-l.done
	if l.err != nil {
		return l.err
	}
	return err
}
