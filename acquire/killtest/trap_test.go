package killtest

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"sync"
)

// point is a place at which a child can die, such as "before sync data/evidence/N.warc.zst".
type point string

// The sides of an operation. A write, and a sync that has bytes to write, can be cut in half.
const (
	before = "before"
	amid   = "amid"
	after  = "after"
)

// numbers stand in names that differ from hit to hit of the same point.
var numbers = regexp.MustCompile(`[0-9]+`)

func pointOf(side, op, name string) point {
	return point(fmt.Sprintf("%s %s %s", side, op, numbers.ReplaceAllString(name, "N")))
}

// loss is what a disk loses with its power; the numbers are those of EXT4_IOC_SHUTDOWN.
type loss int

const (
	lossNone  loss = 0
	lossBytes loss = 1 // bytes of files that were not synced; names, sizes and what else is in the journal last
	lossAll   loss = 2 // everything that was not synced
)

func (l loss) String() string {
	return [...]string{"nothing is lost", "unsynced bytes are lost", "all that is unsynced is lost"}[l]
}

// trap counts the points that a child comes by, and kills it at the chosen hit of the chosen one. It is safe for concurrent use.
type trap struct {
	at  point        // none for a child that lives
	hit int          // from 1
	cut func() error // takes the power of the disk before the process dies; nil for a process that dies alone

	mu   sync.Mutex
	hits map[point]int
	seen io.Writer // gets a line for each hit; nil for none
}

// pass comes by a point. It does not return if that is the one to die at.
func (t *trap) pass(p point) {
	if t.due(p) {
		t.die()
	}
}

// due counts a hit and tells whether it is the one to die at.
func (t *trap) due(p point) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hits == nil {
		t.hits = map[point]int{}
	}
	t.hits[p]++
	if t.seen != nil {
		fmt.Fprintln(t.seen, p)
	}
	return p == t.at && t.hits[p] == t.hit
}

// around comes by the points before and after do.
func (t *trap) around(op, name string, do func() error) error {
	t.pass(pointOf(before, op, name))
	err := do()
	t.pass(pointOf(after, op, name))
	return err
}

// die ends this process, after its disk if there is one to end.
func (t *trap) die() {
	if t.cut != nil {
		if err := t.cut(); err != nil {
			panic(fmt.Sprintf("a disk that keeps its power: %v", err))
		}
	}
	die()
}

// die kills this process with SIGKILL and waits for it to be gone.
func die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(fmt.Sprintf("a child that cannot die: %v", err))
	}
	select {}
}
