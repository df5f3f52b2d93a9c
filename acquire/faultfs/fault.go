package faultfs

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"syscall"
)

// Op is a kind of operation that can fail.
type Op string

// Operations. A sync may be of a file or of a folder.
const (
	Write    Op = "write"
	Sync     Op = "sync"
	Rename   Op = "rename"
	Close    Op = "close"
	Truncate Op = "truncate"
	Read     Op = "read"
	Create   Op = "create"
)

// Fault says which operation fails, and how.
type Fault struct {
	Op     Op
	At     int           // which one, from 1; 0 for none
	Sticky bool          // all behind it fail as well
	Errno  syscall.Errno // what the caller gets
	In     string        // counts only in files whose path contains it
	Short  bool          // of a write: half of the bytes are written and reported as written, and the next write fails. Else half is written and the write fails
	Lose   bool          // of a sync: what was appended since the last good one is gone, as a kernel drops pages that it could not write
	Done   bool          // of a rename: it is done, and fails all the same
	Flip   *Flip         // of reads and writes: nothing fails, and this is what happens
}

// Flip changes a byte of a file wherever it is read or written.
type Flip struct {
	Path   string // how the file's path ends
	Offset int64
	Mask   byte // exclusive or
}

// Strike is one operation that failed.
type Strike struct {
	Op   Op
	Path string // of the file, relative to the file system; of a rename both, with " to " between
	N    int    // which one of its kind
}

func (s Strike) String() string { return fmt.Sprintf("%s %d of %s", s.Op, s.N, s.Path) }

// Plan counts operations and tells which one fails. It is safe for concurrent use.
type Plan struct {
	mu      sync.Mutex
	fault   Fault
	counts  map[Op]int
	strikes []Strike
	failed  map[string]bool // files whose sync failed
	misuses []string
}

// Arm forgets what was counted and sets the next fault.
func (p *Plan) Arm(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.counts, p.strikes, p.failed, p.misuses = f, map[Op]int{}, nil, map[string]bool{}, nil
}

// Strikes lists what failed since Arm.
func (p *Plan) Strikes() []Strike {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Strike(nil), p.strikes...)
}

// Misuses lists what was done to a file behind a sync of it that had failed: after that nobody can tell what of it is on the disk, and another sync would
// succeed without having written anything.
func (p *Plan) Misuses() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.misuses...)
}

// Counts tells how many operations of each kind there were since Arm.
func (p *Plan) Counts() map[Op]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts)
}

// verdict is what becomes of one operation.
type verdict struct {
	errno syscall.Errno // 0: it goes on
	short bool          // a write that writes half and says so
	fault Fault
}

// step counts an operation and tells what becomes of it.
func (p *Plan) step(op Op, path string) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.counts == nil {
		p.counts = map[Op]int{}
	}
	f := p.fault
	if (op == Write || op == Sync || op == Truncate) && p.failed[path] {
		p.misuses = append(p.misuses, fmt.Sprintf("%s of %s behind a sync of it that failed", op, path))
	}
	if f.In != "" && !strings.Contains(path, f.In) {
		return verdict{}
	}
	p.counts[op]++
	n := p.counts[op]
	if f.Op != op || f.At == 0 || f.Flip != nil || n < f.At {
		return verdict{}
	}
	last := f.At
	if op == Write && f.Short {
		last++
	}
	if n > last && !f.Sticky {
		return verdict{}
	}
	if op == Write && f.Short && n == f.At {
		return verdict{short: true, fault: f}
	}
	p.strikes = append(p.strikes, Strike{op, path, n})
	if op == Sync {
		p.failed[path] = true
	}
	return verdict{errno: f.Errno, fault: f}
}

// fresh forgets a failed sync of a file that was made anew.
func (p *Plan) fresh(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.failed, path)
}

// flip changes b, which stands at off in a file, where the fault says so.
func (p *Plan) flip(op Op, path string, b []byte, off int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.fault.Flip
	if x == nil || p.fault.Op != op || !strings.HasSuffix(path, x.Path) || x.Offset < off || x.Offset >= off+int64(len(b)) {
		return
	}
	b[x.Offset-off] ^= x.Mask
	p.strikes = append(p.strikes, Strike{op, path, len(p.strikes) + 1})
}
