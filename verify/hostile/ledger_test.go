//go:build linux

package hostile

import (
	"bytes"
	"debug/buildinfo"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/exhibit-dfir/exhibit/evidence"
)

const boltPage = 4096

// ledgerDamages are the nine classes of damage to a bbolt file. Each returns other bytes than it was given.
func ledgerDamages() []struct {
	name   string
	damage func(r *rand.Rand, b []byte) []byte
} {
	numbers := []uint64{0, 1, 2, 3, 1 << 15, 1<<16 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1 << 52, 1 << 63, 1<<64 - 1}
	somePage := func(r *rand.Rand, b []byte) []byte { p := r.IntN(len(b) / boltPage); return b[p*boltPage:][:boltPage] }
	return []struct {
		name   string
		damage func(r *rand.Rand, b []byte) []byte
	}{
		{"bit", func(r *rand.Rand, b []byte) []byte { b[r.IntN(len(b))] ^= 1 << r.IntN(8); return b }},
		{"64 bytes", func(r *rand.Rand, b []byte) []byte {
			at := r.IntN(len(b) - 64)
			for i := range 64 {
				b[at+i] ^= byte(1 + r.IntN(255))
			}
			return b
		}},
		{"sector of zeros", func(r *rand.Rand, b []byte) []byte { clear(b[r.IntN(len(b)/512)*512:][:512]); return b }},
		{"page of zeros", func(r *rand.Rand, b []byte) []byte { clear(somePage(r, b)); return b }},
		{"page of another", func(r *rand.Rand, b []byte) []byte { copy(somePage(r, b), bytes.Clone(somePage(r, b))); return b }},
		{"cut", func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] }},
		{"longer", func(r *rand.Rand, b []byte) []byte { return append(b, make([]byte, 1+r.IntN(3*boltPage))...) }},
		{"number of a meta page, with its checksum", func(r *rand.Rand, b []byte) []byte {
			for page := range 2 {
				meta := b[page*boltPage+16:][:64]
				binary.LittleEndian.PutUint64(meta[8*(1+r.IntN(6)):], numbers[r.IntN(len(numbers))])
				sum := fnv.New64a()
				_, _ = sum.Write(meta[:56])
				binary.LittleEndian.PutUint64(meta[56:], sum.Sum64())
			}
			return b
		}},
		{"number of a page's header or elements", func(r *rand.Rand, b []byte) []byte {
			page := somePage(r, b)
			at := []int{0, 8, 10, 12, 16, 20, 24, 28, 32, 36, 40, 44}[r.IntN(12)]
			binary.LittleEndian.PutUint32(page[at:], uint32(numbers[r.IntN(len(numbers))]))
			return b
		}},
	}
}

// intact holds a report against what must be said of a case whose ledger.db alone is damaged: it is damaged, and the segments are not.
func intact(r *report, o *outcome, resealed bool) error {
	for _, f := range r.Findings {
		if f.Class == "damage" && f.Path != evidence.LedgerPath && !strings.HasSuffix(f.Path, ".txt") && f.Path != evidence.PackageNotePath {
			return o.fail("%s is found at %s", f.Code, f.Path)
		}
	}
	said := false
	for _, c := range r.Codes {
		said = said || strings.Contains(c.Meaning, "segments remain intact")
	}
	switch {
	case !r.damage(evidence.LedgerPath):
		return o.fail("no finding is about %s", evidence.LedgerPath)
	case resealed && !said:
		return o.fail("it is not said that the segments are intact")
	}
	return nil
}

// ledgerTry damages data/ledger.db. Every second one is sealed again, so that its content is all that gives it away.
func ledgerTry(t testing.TB, good bundle) func(d *desk, i int) error {
	all := ledgerDamages()
	return func(d *desk, i int) error {
		c := all[i%len(all)]
		b := clone(good)
		for k := 0; bytes.Equal(b[evidence.LedgerPath], good[evidence.LedgerPath]); k++ { // zeros over zeros are no damage
			b[evidence.LedgerPath] = c.damage(dice("ledger", i+k<<20), bytes.Clone(good[evidence.LedgerPath]))
		}
		resealed := i/len(all)%2 == 1
		if resealed {
			reseal(t, b, key(t))
		}
		if err := b.write(d.dir); err != nil {
			return err
		}
		r, o, err := d.check(nil, 3)
		if err == nil {
			err = intact(r, o, resealed)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		return nil
	}
}

// TestLedgers damages the index of a sealed case in nine ways (row B3).
func TestLedgers(t *testing.T) {
	sweep(t, part(2000, 100), ledgerTry(t, small(t)))
}

// TestNoBolt reads in the program itself that it does not hold bbolt, so that no bundle can be opened with it.
func TestNoBolt(t *testing.T) {
	info, err := buildinfo.ReadFile(os.Getenv(programEnv))
	if err != nil {
		t.Fatal(err)
	}
	if len(info.Deps) == 0 {
		t.Fatal("the program names no modules")
	}
	for _, m := range info.Deps {
		if strings.Contains(m.Path, "bbolt") {
			t.Errorf("the program holds %s", m.Path)
		}
	}
}

// odd puts something at path that is no ordinary file.
type odd struct {
	name  string
	place func(t *testing.T, path string) error
	root  bool // only root can
}

func odds() []odd {
	return []odd{
		{name: "FIFO", place: func(_ *testing.T, path string) error { return unix.Mkfifo(path, 0o600) }},
		{name: "socket", place: func(t *testing.T, path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) }},
		{name: "folder", place: func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) }},
		{name: "link to /dev/zero", place: func(_ *testing.T, path string) error { return os.Symlink("/dev/zero", path) }},
		{name: "link to itself", place: func(_ *testing.T, path string) error { return os.Symlink(filepath.Base(path), path) }},
		{name: "link to a good copy", place: func(t *testing.T, path string) error {
			outside := filepath.Join(t.TempDir(), "copy")
			return errors.Join(os.WriteFile(outside, small(t)[evidence.LedgerPath], 0o600), os.Symlink(outside, path))
		}},
		{name: "device of zeros", root: true, place: func(_ *testing.T, path string) error {
			return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5)))
		}},
		{name: "nothing", place: func(*testing.T, string) error { return nil }},
		{name: "empty file", place: func(_ *testing.T, path string) error { return os.WriteFile(path, nil, 0o600) }},
		{name: "no permission", place: func(t *testing.T, path string) error {
			return os.WriteFile(path, small(t)[evidence.LedgerPath][:boltPage], 0) // root may read it all the same
		}},
		{name: "sparse file of 8 GiB", place: sparse(8 << 30)},
	}
}

// sparse makes a file of a size that takes no room: two meta pages of a good ledger, and a hole.
func sparse(size int64) func(*testing.T, string) error {
	return func(t *testing.T, path string) error {
		return errors.Join(os.WriteFile(path, small(t)[evidence.LedgerPath][:3*boltPage], 0o600), os.Truncate(path, size))
	}
}

// TestOddLedgers puts what is no file, or a file of no honest size, in the place of the index.
func TestOddLedgers(t *testing.T) {
	d, good := newDesk(t), small(t)
	all := odds()
	if *full {
		all = append(all, odd{name: "sparse file of 1 TiB", place: sparse(1 << 40)})
	}
	for _, o := range all {
		t.Run(o.name, func(t *testing.T) {
			if o.root && os.Geteuid() != 0 {
				untested(t, "a device in a bundle: only root can make one")
			}
			b := clone(good)
			delete(b, evidence.LedgerPath)
			if err := b.write(d.dir); err != nil {
				t.Fatal(err)
			}
			if err := o.place(t, filepath.Join(d.dir, filepath.FromSlash(evidence.LedgerPath))); err != nil {
				t.Fatal(err)
			}
			r, out, err := d.check(nil, 3)
			if err != nil {
				t.Fatal(err)
			}
			if err := intact(r, out, true); err != nil {
				t.Error(err)
			}
			t.Logf("%v, %d MiB", out.Wall.Round(1e6), out.Peak>>20)
		})
	}
}

// TestLockedLedger checks a case while another process holds locks on the index.
func TestLockedLedger(t *testing.T) {
	d, good := newDesk(t), small(t)
	if err := good.write(d.dir); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(d.dir, filepath.FromSlash(evidence.LedgerPath)), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.check(nil, 0); err != nil {
		t.Error(err)
	}
}

// TestShrinkingLedger cuts the index to and fro while checks read it. No child may die of it, and what is found is at the index alone.
func TestShrinkingLedger(t *testing.T) {
	d, good := newDesk(t), small(t)
	if err := good.write(d.dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(d.dir, filepath.FromSlash(evidence.LedgerPath))
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for i := 0; err == nil; i++ {
			select {
			case <-stop:
				stopped <- nil
				return
			default:
				err = errors.Join(os.Truncate(path, int64(i%11)*boltPage), os.Truncate(path, 11*boltPage))
			}
		}
		stopped <- err
	}()
	for range part(200, 15) {
		r, o, err := d.check(nil, 3)
		if err == nil {
			err = intact(r, o, false)
		}
		if err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
