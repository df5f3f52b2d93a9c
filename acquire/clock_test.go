package acquire

import (
	"testing"
	"time"
	"unsafe"
)

// TestMoved tells a clock that was set from time that passed. Nobody can set the test's clock, so the wall part of a reading of the system's is changed instead
// (its form is that of src/time/time.go).
func TestMoved(t *testing.T) {
	before := time.Now()
	after := func(passed, set time.Duration) time.Time {
		now := before.Add(passed)
		seconds := (*uint64)(unsafe.Pointer(&now))
		*seconds += uint64(int64(set/time.Second)) << 30
		return now
	}
	for _, c := range []struct{ passed, set time.Duration }{
		{0, 0}, {time.Hour, 0}, {time.Hour, time.Hour}, {time.Hour, -time.Hour}, {time.Millisecond, -time.Second}, {24 * time.Hour, 365 * 24 * time.Hour},
	} {
		if got := moved(before, after(c.passed, c.set)); got != c.set {
			t.Errorf("%v passed, set by %v: %v", c.passed, c.set, got)
		}
	}
	if got := moved(before.Round(0), before.Round(0).Add(time.Hour)); got != 0 {
		t.Errorf("a clock without a monotonic reading: %v", got)
	}
	if got := moved(before, before.Round(0).Add(time.Hour)); got != time.Hour {
		t.Errorf("a clock that lost its monotonic reading: %v", got)
	}
}
