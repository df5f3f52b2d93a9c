package simulation

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"
)

// wall is the clock of the examiner's machine. Its wall time can be set; its monotonic time is that of the bubble, as an operating system has them.
type wall struct {
	mu    sync.Mutex
	begun time.Time // in the bubble
	told  time.Time // the wall time when it was set
	at    time.Time // when that was, in the bubble
}

// story is when simtenant's story has ended, and when the simulation begins.
var story = time.Date(2018, 6, 11, 12, 0, 0, 0, time.UTC)

func newWall() *wall { return &wall{begun: time.Now(), told: story, at: time.Now()} }

// now is what time.Now gives on a machine whose clock was set.
func (w *wall) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return withWall(w.reading(), time.Since(w.begun)+1)
}

func (w *wall) reading() time.Time { return w.told.Add(time.Since(w.at)) }

// move sets the clock forward or back.
func (w *wall) move(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told, w.at = w.reading().Add(d), time.Now()
}

// set sets the clock to a time.
func (w *wall) set(to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told, w.at = to, time.Now()
}

// jump moves or sets the clock.
func (w *wall) jump(j jump) {
	if j.to.IsZero() {
		w.move(j.by)
	} else {
		w.set(j.to)
	}
}

// withWall is a wall time with a monotonic reading. Package time has no way to make one: only an operating system sets clocks, and the time of a bubble has no
// monotonic reading. Like time.Now it leaves the reading out of times before 1885 and after 2157 (src/time/time.go).
func withWall(t time.Time, reading time.Duration) time.Time {
	const first, last = 1885, 2156
	if y := t.Year(); y < first || y > last {
		return t
	}
	const hasMonotonic = 1 << 63
	bits := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t))
	seconds := t.Unix() - time.Date(first, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	bits.wall, bits.ext = hasMonotonic|uint64(seconds)<<30|uint64(t.Nanosecond()), int64(reading)
	return t
}

// TestWall: the made time behaves as one of a machine whose clock was set.
func TestWall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWall()
		first := w.now()
		if want := time.Date(2018, 6, 11, 12, 0, 0, 0, time.UTC); !first.Equal(want) {
			t.Fatalf("it begins at %v", first)
		}
		time.Sleep(time.Second)
		w.move(-time.Hour)
		second := w.now()
		if d := second.Sub(first); d != time.Second {
			t.Errorf("monotonic time: %v", d)
		}
		if d := second.Round(0).Sub(first.Round(0)); d != time.Second-time.Hour {
			t.Errorf("wall time: %v", d)
		}
		for _, year := range []int{1970, 2038, 2106, 9999} {
			to := time.Date(year, 3, 4, 5, 6, 7, 8, time.UTC)
			w.set(to)
			if got := w.now(); !got.Equal(to) {
				t.Errorf("set to %v it says %v", to, got)
			}
		}
	})
}
