package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes may be on their way or unread.
const window = 256 << 10

// half is one direction.
type half struct {
	line             Line
	back             *half
	reading, writing *deadline

	mu      sync.Mutex
	changed chan struct{} // closed and replaced whenever something below changes
	arrived []byte
	flying  int
	sent    int64     // bytes that were given a place on the line
	last    time.Time // arrival of the last segment
	silent  bool      // what is written from now on is lost
	over    error     // what a reader gets when arrived is empty
	refuse  error     // what a writer gets
	ended   bool      // the line broke, or the writer closed it
}

func newHalf(l Line) *half {
	if l.Delay == nil {
		l.Delay = func() time.Duration { return time.Microsecond }
	}
	if l.Size == nil {
		l.Size = func() int { return 16 << 10 }
	}
	return &half{line: l, changed: make(chan struct{}), reading: newDeadline(), writing: newDeadline()}
}

// signal wakes all that wait; h.mu is held.
func (h *half) signal() {
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *half) read(p []byte) (int, error) {
	for {
		expired, moved := h.reading.now()
		select {
		case <-expired:
			return 0, os.ErrDeadlineExceeded
		default:
		}
		h.mu.Lock()
		if n := copy(p, h.arrived); n > 0 || len(p) == 0 && h.over == nil {
			h.arrived = h.arrived[n:]
			h.signal()
			h.mu.Unlock()
			return n, nil
		}
		over, changed := h.over, h.changed
		h.mu.Unlock()
		if over != nil {
			return 0, over
		}
		select {
		case <-changed:
		case <-expired:
		case <-moved:
		}
	}
}

func (h *half) write(p []byte) (n int, err error) {
	for n < len(p) {
		expired, moved := h.writing.now()
		select {
		case <-expired:
			return n, os.ErrDeadlineExceeded
		default:
		}
		h.mu.Lock()
		if h.refuse != nil {
			h.mu.Unlock()
			return n, h.refuse
		}
		if room := window - h.flying - len(h.arrived); room > 0 {
			n += h.send(p[n:min(len(p), n+room)])
			h.mu.Unlock()
			continue
		}
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-expired:
		case <-moved:
		}
	}
	return n, nil
}

// send puts one segment on the line and tells how many bytes it took; h.mu is held.
func (h *half) send(p []byte) int {
	p = p[:min(len(p), max(1, h.line.Size()))]
	if h.silent {
		h.flying += len(p) // fills the window: nobody acknowledges
		return len(p)
	}
	taken := len(p)
	breaks := h.line.Break != Never && h.sent+int64(len(p)) >= h.line.After
	if breaks {
		p = p[:max(0, h.line.After-h.sent)]
	}
	h.sent += int64(len(p))
	segment := append([]byte(nil), p...)
	h.flying += len(segment)
	h.at(h.line.Delay(), nil, func() {
		h.flying -= len(segment)
		if h.over == nil {
			h.arrived = append(h.arrived, segment...)
		}
	})
	if breaks {
		h.breaks(h.line.Break)
	}
	return taken
}

// breaks ends the line behind what was sent; h.mu is held.
func (h *half) breaks(how Break) {
	if h.ended {
		return
	}
	h.ended, h.silent = true, true
	switch how {
	case Silence:
		h.at(0, h.back.hush, func() {})
	case Reset:
		h.at(0, func() { h.back.fail(syscall.ECONNRESET) }, func() {
			h.arrived, h.over, h.refuse = nil, syscall.ECONNRESET, syscall.ECONNRESET
		})
	case Finish, Never:
		h.at(0, func() { h.back.refused(syscall.EPIPE) }, func() {
			if h.over == nil {
				h.over = io.EOF
			}
		})
	}
}

// at does something to the half after d, and in any case after what was put on the line before. before is called first, without h.mu, and may be nil.
func (h *half) at(d time.Duration, before, do func()) {
	now := time.Now()
	when := now.Add(max(d, 1))
	if !when.After(h.last) {
		when = h.last.Add(1)
	}
	h.last = when
	time.AfterFunc(when.Sub(now), func() {
		if before != nil {
			before()
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		do()
		h.signal()
	})
}

// end is what the writer's Close does.
func (h *half) end(how Break) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = net.ErrClosed
	h.breaks(how)
	h.signal()
}

// fail ends the half at once for both sides.
func (h *half) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arrived, h.ended, h.silent = nil, true, true
	h.over, h.refuse = err, err
	h.signal()
}

// hush loses whatever is written from now on.
func (h *half) hush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended, h.silent = true, true
}

// refused ends the half for the writer: the reader has gone.
func (h *half) refused(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse == nil {
		h.refuse = err
	}
	h.signal()
}

// deadline is a point in time that can be moved.
type deadline struct {
	mu      sync.Mutex
	timer   *time.Timer
	expired chan struct{} // closed when it has passed
	moved   chan struct{} // closed and replaced when it is moved
}

func newDeadline() *deadline {
	return &deadline{expired: make(chan struct{}), moved: make(chan struct{})}
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	expired := make(chan struct{})
	d.expired = expired
	switch left := time.Until(t); {
	case t.IsZero():
	case left <= 0:
		close(expired)
	default:
		d.timer = time.AfterFunc(left, func() { close(expired) })
	}
	close(d.moved)
	d.moved = make(chan struct{})
}

// now returns what is closed when the deadline as it is has passed, and what is closed when it is moved.
func (d *deadline) now() (expired, moved <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.expired, d.moved
}
