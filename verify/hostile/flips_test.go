//go:build linux

package hostile

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// dice are those of case i of a row: the same for the same seed.
func dice(row string, i int) *rand.Rand {
	s := [32]byte{}
	copy(s[:], fmt.Sprintf("%s %d %d", row, *seed, i))
	return rand.New(rand.NewChaCha8(s))
}

// flip is one random change of one file: a bit, eight bytes, or sixty-four.
func flip(b bundle, i int) (name string, at, width int, to []byte) {
	r := dice("flip", i)
	names := slices.Sorted(maps.Keys(b))
	name = names[r.IntN(len(names))]
	if r.IntN(2) == 0 { // else large files would hardly ever be hit in proportion
		at := r.IntN(size(b))
		for _, n := range names {
			if name = n; at < len(b[n]) {
				break
			}
			at -= len(b[n])
		}
	}
	content := b[name]
	width = []int{1, 8, 64}[i%3]
	width = min(width, len(content))
	at = r.IntN(len(content) - width + 1)
	to = bytes.Clone(content)
	if width == 1 {
		to[at] ^= 1 << r.IntN(8)
		return name, at, width, to
	}
	for k := range width {
		to[at+k] = byte(r.Uint32())
	}
	to[at] = content[at] ^ byte(1+r.IntN(255)) // it differs
	return name, at, width, to
}

func size(b bundle) (n int) {
	for _, content := range b {
		n += len(content)
	}
	return n
}

// flipCase alters one file, lets the program look, and puts the file back.
func flipCase(good bundle) func(d *desk, i int) error {
	return func(d *desk, i int) (err error) {
		name, at, width, to := flip(good, i)
		path := filepath.Join(d.dir, filepath.FromSlash(name))
		if _, err := os.Stat(path); err != nil {
			if err := good.write(d.dir); err != nil {
				return err
			}
		}
		if err := os.WriteFile(path, to, 0o600); err != nil {
			return err
		}
		defer func() {
			if werr := os.WriteFile(path, good[name], 0o600); err == nil {
				err = werr
			}
			if err != nil {
				err = fmt.Errorf("%s, %d bytes at %d: %w", name, width, at, err)
			}
		}()
		r, o, err := d.check(nil, 3)
		if err != nil {
			return err
		}
		if !r.damage(name) {
			return o.fail("no finding of class damage is about %s", name)
		}
		if i%25 == 0 {
			return d.refuses()
		}
		return nil
	}
}

// refuses runs everything else on a bundle that is altered: nothing comes out.
func (d *desk) refuses() error {
	for _, args := range [][]string{{"check", "--deep", d.dir}, {"extract", d.dir, "-o", "records.jsonl"}, {"extract", "--format", "csv", d.dir}, {"show", d.dir, "5"}, {"show", d.dir, "5", "--body"}} {
		o := d.run(args...)
		if err := o.common(3); err != nil {
			return err
		}
		if args[0] != "check" && o.stdout.Len() > 0 {
			return o.fail("it printed something of an altered case")
		}
	}
	return nil
}

// TestFlips alters one place of one file of a sealed case (row B1).
func TestFlips(t *testing.T) {
	good := small(t)
	n := part(10_000, 300)
	sweep(t, n, flipCase(good))
}

// TestFlipsInPython lets verify.py look at the same alterations.
func TestFlipsInPython(t *testing.T) {
	good := small(t)
	newDesk(t).python(t)
	sweep(t, part(500, 12), func(d *desk, i int) error {
		name, at, width, to := flip(good, i*7)
		altered := maps.Clone(good)
		altered[name] = to
		if err := altered.write(d.dir); err != nil {
			return err
		}
		if err := d.python(t).run(d.dir).common(3); err != nil {
			return fmt.Errorf("%s, %d bytes at %d: %w", name, width, at, err)
		}
		return nil
	})
}

// TestUntouched is the other side: what nobody altered is intact, and looking at it changes nothing.
func TestUntouched(t *testing.T) {
	good, d := small(t), newDesk(t)
	if err := good.write(d.dir); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", d.dir}, {"check", "--deep", d.dir}, {"extract", d.dir}, {"show", d.dir, "5"}} {
		if err := d.run(args...).common(0); err != nil {
			t.Error(err)
		}
	}
	if err := d.python(t).run(d.dir).common(0); err != nil {
		t.Error(err)
	}
	if name := good.differs(d.dir); name != "" {
		t.Errorf("%s was changed", name)
	}
}
