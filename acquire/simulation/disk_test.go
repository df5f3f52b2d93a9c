package simulation

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
)

// fate is what happens to the disk during a run.
type fate int

// Fates. At some operation, or never:
const (
	peace  fate = iota
	power       // power is lost
	killed      // the process dies; what it wrote and did not sync stays in memory
	once        // one operation fails
	sticky      // that operation fails, and all that follow
)

func (f fate) String() string {
	return [...]string{"peace", "power lost", "process killed", "one failure", "failures"}[f]
}

// diskPlan is a fate, the operation that it meets, and what is left of what was not synced if power is lost then or, after a failure, before the next run.
type diskPlan struct {
	fate fate
	at   int
	left crashfs.Survival
	off  bool // power is lost after a failure
}

// disk is a crashfs.Folder that takes its time and leaves a trace.
type disk struct {
	*crashfs.Folder
	trace *trace
	plan  diskPlan
	dice  dice
	plant plant

	mu    sync.Mutex
	hit   bool
	hitAt time.Time           // when the plan met its operation
	notes map[int64]time.Time // size of a head → when its name was there
}

// arm makes the plan meet the operations from now on.
func (d *disk) arm(p diskPlan) {
	d.plan = p
	switch p.fate {
	case power, killed:
		d.CrashAt(p.at)
	case once:
		d.FailAt(p.at, syscall.EIO)
	case sticky:
		for n := range 400 {
			d.FailAt(p.at+n, syscall.ENOSPC)
		}
	}
}

// struck tells whether the plan has met an operation.
func (d *disk) struck() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hit
}

// next is the disk that the next process finds.
func (d *disk) next() *disk {
	n := &disk{trace: d.trace, dice: d.dice, plant: d.plant, notes: d.notes}
	switch {
	case !d.struck() || !d.Crashed() && !d.plan.off:
		n.Folder = d.Folder.Restart()
	case d.plan.fate == killed:
		n.Folder = d.Folder.Restart()
	default:
		n.Folder = d.Folder.Reboot(d.plan.left)
	}
	return n
}

// op lets an operation take time, does it, and notes it.
func (d *disk) op(what, name string, n int, do func() error) error {
	time.Sleep(d.dice.between(10*time.Microsecond, 3*time.Millisecond))
	err := do()
	if err != nil && (errors.Is(err, crashfs.ErrPowerLost) || errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC)) {
		d.mu.Lock()
		if !d.hit {
			d.hit, d.hitAt = true, time.Now()
		}
		d.mu.Unlock()
	}
	d.trace.note("disk", "%s %s %d %v", what, name, n, err)
	return err
}

func (d *disk) OpenFile(name string, flag int, perm fs.FileMode) (evidence.File, error) {
	var file evidence.File
	err := d.op("open", name, flag, func() (err error) {
		file, err = d.Folder.OpenFile(name, flag, perm)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &diskFile{file, d, name}, nil
}

func (d *disk) Rename(from, to string) error {
	err := d.op("rename", to, 0, func() error { return d.Folder.Rename(from, to) })
	if err == nil && path.Dir(to) == evidence.CheckpointsPath {
		d.mu.Lock()
		d.notes[evidence.NoteSize(path.Base(to))] = time.Now()
		d.mu.Unlock()
	}
	return err
}

type diskFile struct {
	evidence.File
	d    *disk
	name string
}

func (f *diskFile) Write(p []byte) (n int, err error) {
	err = f.d.op("write", f.name, len(p), func() error {
		n, err = f.File.Write(p)
		return err
	})
	return n, err
}

func (f *diskFile) Sync() error {
	return f.d.op("sync", f.name, 0, func() error {
		if f.d.plant == noSync && strings.HasPrefix(f.name, evidence.SegmentsPath+"/") {
			return nil
		}
		return f.File.Sync()
	})
}

func (f *diskFile) Truncate(size int64) error {
	return f.d.op("truncate", f.name, int(size), func() error { return f.File.Truncate(size) })
}
