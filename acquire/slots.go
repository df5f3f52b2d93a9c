package acquire

import (
	"context"
	"sync"
)

// maxUnsynced bounds the answers in memory, in bytes, that are not durable yet while other chains ask on. One answer may pass it.
const maxUnsynced = 8 << 20

// answersInMemory bounds the answers, in bytes, that are held in memory while they come in. Larger ones go through files.
const answersInMemory = 32 << 20

// slots bounds what a run has under way: requests on the wire at once, and bytes that wait for the disk.
type slots struct {
	mu       sync.Mutex
	change   *sync.Cond
	free     int
	unsynced int64
}

func newSlots(n int) *slots {
	s := &slots{free: n}
	s.change = sync.NewCond(&s.mu)
	return s
}

// slot is one request's: on the wire until its answer has come, waiting for the disk until it is released.
type slot struct {
	s       *slots
	waiting bool
	size    int64
}

// take waits for a slot; nil if ctx ends first.
func (s *slots) take(ctx context.Context) *slot {
	defer context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.change.Broadcast()
	})()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.free == 0 || s.unsynced >= maxUnsynced {
		if ctx.Err() != nil {
			return nil
		}
		s.change.Wait()
	}
	s.free--
	return &slot{s: s}
}

// answered lets another request onto the wire.
func (t *slot) answered(size int64) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.waiting, t.size = true, size
	t.s.free++
	t.s.unsynced += size
	t.s.change.Broadcast()
}

// release gives back what the slot still holds.
func (t *slot) release() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if !t.waiting {
		t.s.free++
	}
	t.s.unsynced -= t.size
	t.s.change.Broadcast()
}
