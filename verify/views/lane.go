package views

import (
	"errors"
	"sync/atomic"
)

// lane hands rows on to a goroutine of its own, in their order, so that it takes them while the next ones are made.
type lane struct {
	batch  []*row
	size   int
	rows   chan []*row
	done   chan struct{}
	failed atomic.Bool
	err    error // of emit; to be read when done is closed
}

const (
	laneRows  = 128       // rows that are handed on at once,
	laneBytes = 128 << 10 // or so many bytes of them
)

// errStopped says that no more rows are wanted. The reason is what end returns.
var errStopped = errors.New("stopped")

func newLane(emit func(*row) error) *lane {
	l := &lane{rows: make(chan []*row, 1), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for batch := range l.rows {
			for _, r := range batch {
				if l.err == nil {
					l.err = emit(r)
				}
			}
			l.failed.Store(l.err != nil)
		}
	}()
	return l
}

// send takes a row, which is not changed any more, of about so many bytes.
func (l *lane) send(r *row, size int) error {
	if l.failed.Load() {
		return errStopped
	}
	l.batch, l.size = append(l.batch, r), l.size+size
	if len(l.batch) == laneRows || l.size > laneBytes {
		l.hand()
	}
	return nil
}

func (l *lane) hand() {
	l.rows <- l.batch
	l.batch, l.size = make([]*row, 0, laneRows), 0
}

// end waits until all rows are written. err is why there are no more.
func (l *lane) end(err error) error {
	if err == nil {
		l.hand()
	}
	close(l.rows)
	<-l.done
	if l.err != nil {
		return l.err
	}
	return err
}
