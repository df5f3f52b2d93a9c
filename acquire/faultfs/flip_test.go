//go:build linux

package faultfs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/verify"
)

// lengths are the sizes of the segments of a base.
func (w *world) lengths(name string) (sizes []int64, err error) {
	for n := int64(1); ; n++ {
		info, err := os.Stat(filepath.Join(where{w, name}.real(), filepath.FromSlash(evidence.SegmentPath(n))))
		if os.IsNotExist(err) {
			return sizes, nil
		}
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, info.Size())
	}
}

// flipCase is one case of row F19: a bit of what was written reads back as another, or is written as another.
type flipCase struct {
	segment int64
	Fault
}

func (c flipCase) String() string {
	return fmt.Sprintf("%s of segment %d at %d, mask %#02x", c.Op, c.segment, c.Flip.Offset, c.Flip.Mask)
}

// flipAt draws a case: any byte that a run adds to segments of these sizes, the first of which began with before bytes.
func flipAt(random *rand.Rand, before int64, sizes []int64, op Op) flipCase {
	total := -before
	for _, s := range sizes {
		total += s
	}
	at := before + random.Int64N(total)
	segment := int64(1)
	for at >= sizes[segment-1] {
		at -= sizes[segment-1]
		segment++
	}
	return flipCase{segment, Fault{Op: op, At: 1, Flip: &Flip{evidence.SegmentPath(segment), at, 1 << random.IntN(8)}}}
}

// covered reports whether a head that is signed in a case covers an entry whose batch, or records, hold the byte.
func covered(ctx context.Context, dir string, segment, offset int64) (bool, error) {
	survey, err := evidence.NewSurvey(os.DirFS(dir))
	if err != nil {
		return false, err
	}
	from := map[int64]int64{}
	for b, err := range evidence.Batches(ctx, os.DirFS(dir)) {
		if err != nil {
			return false, err
		}
		if b.Segment == segment && offset >= from[segment] && offset < b.End {
			return b.First < survey.Newest(), nil
		}
		from[b.Segment] = b.End
	}
	return false, nil
}

// flips tries one case. met is false if the byte was never read back, which happens behind the last head alone.
func (w *world) flips(ctx context.Context, c flipCase, p plant) (v *judge, met bool, err error) {
	at, err := w.copied(ctx, "new")
	if err != nil {
		return nil, false, err
	}
	v = &judge{where: at, phase: phaseAcquire, from: len(w.Requests())}
	var o outcome
	if v.struck, o, err = w.met(job{Phase: phaseAcquire, Plant: p}, at, c.Fault); err != nil {
		return nil, false, err
	}
	met = len(o.Strikes) > 0
	if c.Op == Write {
		v.written(ctx)
		return v, v.struck.code != 0 || len(v.wrong) > 0, at.drop() // what the last head covers is read back; its own entry is behind it
	}
	signed, err := covered(ctx, v.real(), c.segment, c.Flip.Offset)
	if v.failed("heads", err); signed && (met || p != "") {
		v.say("a head was signed over a byte that reads back as another")
	}
	if met && (v.struck.code == 0 || !strings.Contains(v.struck.text, "no head was signed over")) {
		v.say("a byte read back as another, and it ended with %d: %s", v.struck.code, v.struck.text)
	}
	v.all(ctx)
	return v, met, at.drop()
}

// written judges a case in which the disk holds another byte than was written: no head is signed over it, and no check calls the case whole.
func (v *judge) written(ctx context.Context) {
	folder, err := bag.OpenFolder(v.real())
	if v.failed("folder", err) {
		return
	}
	defer folder.Close()
	r, _, err := verify.Check(ctx, folder, verify.Options{Deep: true})
	if v.failed("check", err) {
		return
	}
	if r.Exit() == 0 {
		v.say("the disk holds another byte than was written, and the check ends with 0")
	}
	left := int64(0) // entries up to the byte
	for b, err := range evidence.Batches(ctx, os.DirFS(v.real())) {
		if err == nil {
			left = b.First + b.Count
		}
	}
	survey, err := evidence.NewSurvey(os.DirFS(v.real()))
	if v.failed("heads", err) {
		return
	}
	if survey.Newest() > left {
		v.say("a head was signed over %d entries, of which the disk holds %d", survey.Newest(), left)
	}
}

// TestFlippedByteIsNotSigned is row F19: what was written reads back with one bit changed before the head over it is signed, or was written so.
func TestFlippedByteIsNotSigned(t *testing.T) {
	for _, row := range []struct {
		op          Op
		part, whole int
	}{{Read, 6, 200}, {Write, 3, 60}} {
		t.Run(string(row.op), func(t *testing.T) {
			cases := row.part
			if *full {
				cases = row.whole
			}
			list := drawFlips(t, newWorld(t), row.op, 2*cases)
			n, left := count{by: map[string]int{}}, make(chan struct{}, cases)
			for range cases {
				left <- struct{}{}
			}
			each(t, list, func(w *world, c flipCase) {
				if len(left) == 0 {
					return
				}
				v, met, err := w.flips(t.Context(), c, "")
				if err != nil {
					t.Errorf("%s: %v", c, err)
					return
				}
				for _, wrong := range v.wrong {
					t.Errorf("%s: %s", c, wrong)
				}
				if !met {
					n.add("behind the last head, drawn again")
					return
				}
				n.add("cases")
				select {
				case <-left:
				default:
				}
			})
			n.log(t)
			if n.by["cases"] < cases {
				t.Errorf("%d cases, %d are wanted", n.by["cases"], cases)
			}
		})
	}
}

func drawFlips(t *testing.T, w *world, op Op, n int) (list []flipCase) {
	t.Helper()
	var sizes [2][]int64
	for i, base := range []string{"new", "acquired"} {
		name, err := w.base(t.Context(), base)
		if err == nil {
			sizes[i], err = w.lengths(name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (-fault.seed)", *seed)
	random := rand.New(rand.NewPCG(*seed, uint64(len(op))))
	for range n {
		list = append(list, flipAt(random, sizes[0][0], sizes[1], op))
	}
	return list
}
