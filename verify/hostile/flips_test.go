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
func flipCase(t *testing.T, good bundle) func(d *desk, i int) error {
	whole := newDesk(t)
	if err := good.write(whole.dir); err != nil {
		t.Fatal(err)
	}
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
			return d.refuses(whole)
		}
		return nil
	}
}

// refuses runs everything else on a bundle that is altered: nothing comes out but what a head still proves, which is what the good case gives.
func (d *desk) refuses(good *desk) error {
	for _, args := range [][]string{{"check", "--deep"}, {"extract", "-o", "records.jsonl"}, {"extract", "--format", "csv"}, {"extract", "--salvage"}, {"show"}, {"show", "--body"}, {"show", "--response"}} {
		full := func(dir string) []string {
			full := append(slices.Clone(args), dir)
			if args[0] == "show" {
				full = append(full, "5")
			}
			return full
		}
		o := d.run(full(d.dir)...)
		if err := o.common(3); err != nil {
			return err
		}
		want := good.run(slices.DeleteFunc(full(good.dir), func(s string) bool { return s == "-o" || s == "records.jsonl" || s == "--salvage" })...)
		if err := want.common(0); err != nil {
			return err
		}
		whole := len(args) > 1 && args[0] == "show" // its very bytes, or none
		if whole && len(o.Stdout) > 0 && !bytes.Equal(o.Stdout, want.Stdout) {
			return o.fail("it printed something else of an altered case")
		}
		if args[0] == "extract" && !subset(o.Stdout, want.Stdout) || slices.Contains(args, "csv") && len(o.Stdout) > 0 {
			return o.fail("it printed a record that the good case does not have")
		}
	}
	return nil
}

// subset reports whether each line of some is one of all.
func subset(some, all []byte) bool {
	lines := map[string]bool{"": true}
	for line := range bytes.Lines(all) {
		lines[string(line)] = true
	}
	for line := range bytes.Lines(some) {
		if !lines[string(line)] {
			return false
		}
	}
	return true
}

// TestFlips alters one place of one file of a sealed case (row B1).
func TestFlips(t *testing.T) {
	sweep(t, part(10_000, 200), flipCase(t, small(t)))
}

// TestFlipsInPython lets verify.py look at the same alterations.
func TestFlipsInPython(t *testing.T) {
	good := small(t)
	newDesk(t).python(t)
	sweep(t, part(500, 8), func(d *desk, i int) error {
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
