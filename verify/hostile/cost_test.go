//go:build linux

package hostile

import (
	"slices"
	"testing"
	"time"
)

// amplified is one of the bundles that cost a check the most time for their size.
//
// BUG: a frame within the format may hold 32,768 times its own length, and all of it is decoded and hashed; and looking for the next
// frame behind damage reads up to 256 KiB again at every place that might be one. One MiB in one segment costs up to 25 s so far, and more
// segments or larger bombs cost more. Memory stays flat.
type amplified struct {
	name  string
	bytes []byte
}

func amplifiers() []amplified {
	magic, head := []byte{0x28, 0xB5, 0x2F, 0xFD}, frameHead(window8M, 1<<50)
	empty := append(append(slices.Clone(magic), 0x24, 0x00), append(block(0, 0, true, nil), 0x99, 0xE9, 0xD8, 0x51)...)
	return []amplified{
		{"bomb of 256 MiB", bomb(256 << 20)},
		{"bomb of 1 GiB", bomb(1 << 30)},
		{"bomb of 4 GiB", bomb(4 << 30)},
		{"empty frames", repeated(empty, 1<<20/len(empty))()},
		{"empty frames", repeated(empty, 4<<20/len(empty))()},
		{"magic numbers", repeated(magic, 1<<20/4)()},
		{"frame headers", repeated(head, 1<<20/len(head))()},
		{"frame headers with a block", repeated(append(slices.Clone(head), block(1, 128<<10, false, []byte{0})...), 1<<20/18)()},
	}
}

// TestCost measures what a check pays for each MiB of the bundles that cost most. All end within the common bounds, and memory does not grow with them.
func TestCost(t *testing.T) {
	d, good := newDesk(t), small(t)
	all := amplifiers()
	for _, a := range all[:part(len(all), 1)] {
		b := clone(good)
		at := places(t, b[segment1])[1]
		b[segment1] = slices.Concat(b[segment1][:at], a.bytes, b[segment1][at:])
		if err := b.write(d.dir); err != nil {
			t.Fatal(err)
		}
		_, o, err := d.check(nil, 3)
		if err != nil {
			t.Errorf("%s, %d KiB: %v", a.name, len(a.bytes)>>10, err)
			continue
		}
		t.Logf("%s, %d KiB: %v, %.1f s for each MiB, %d MiB of memory", a.name, len(a.bytes)>>10, o.wall.Round(10*time.Millisecond),
			o.wall.Seconds()/(float64(len(a.bytes))/(1<<20)), o.peak>>20)
		if o.peak > maxFrameMemory {
			t.Errorf("%s: more than %d MiB", a.name, maxFrameMemory>>20)
		}
	}
}
