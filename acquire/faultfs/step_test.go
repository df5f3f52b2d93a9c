//go:build linux

package faultfs

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// way is a way to fail, and whether only the program itself meets it.
type way struct {
	Fault
	program bool
}

// writes are the ways in which a write fails, row F6.
func writes() []way {
	return []way{
		{Fault{Op: Write, Errno: syscall.EIO}, false},
		{Fault{Op: Write, Errno: syscall.ENOSPC, Short: true, Sticky: true}, false},
		{Fault{Op: Write, Errno: syscall.EIO, Sticky: true}, true},
		{Fault{Op: Write, Errno: syscall.ENOSPC, Short: true}, true},
		{Fault{Op: Write, Errno: syscall.EDQUOT, Short: true, Sticky: true}, true},
	}
}

// others are the ways in which everything else fails, row F7.
func others() []way {
	return []way{
		{Fault{Op: Sync, Errno: syscall.EIO, Lose: true}, false},
		{Fault{Op: Sync, Errno: syscall.EIO, Sticky: true}, false},
		{Fault{Op: Rename, Errno: syscall.EIO}, false},
		{Fault{Op: Rename, Errno: syscall.EIO, Done: true, Sticky: true}, false},
		{Fault{Op: Close, Errno: syscall.EIO}, false},
		{Fault{Op: Close, Errno: syscall.EIO, Sticky: true}, true},
		{Fault{Op: Truncate, Errno: syscall.EIO}, false},
		{Fault{Op: Truncate, Errno: syscall.EIO, Sticky: true}, false},
		{Fault{Op: Read, Errno: syscall.EIO}, false},
		{Fault{Op: Read, Errno: syscall.EIO, Sticky: true}, true},
		{Fault{Op: Create, Errno: syscall.ENOSPC}, false},
		{Fault{Op: Create, Errno: syscall.ENOSPC, Sticky: true}, true},
	}
}

// casesOf lists k = 1..K for each scene and fault, where K is how many operations an undisturbed process makes.
func (w *world) casesOf(t *testing.T, scenes []scene, ways []way) (all []faultCase) {
	t.Helper()
	for _, sc := range scenes {
		if sc.program && w.mount == nil {
			continue
		}
		at, err := w.copied(t.Context(), sc.base)
		if err != nil {
			t.Fatal(err)
		}
		e, o, err := w.play(sc, at, Fault{}, "")
		if err != nil || e.code != 0 {
			t.Fatalf("%s, undisturbed: %d, %s, %v", sc.name, e.code, e.text, err)
		}
		if err := at.drop(); err != nil {
			t.Fatal(err)
		}
		for _, way := range ways {
			f := way.Fault
			if way.program && !sc.program {
				continue
			}
			for f.At = 1; f.At <= o.Counts[f.Op]; f.At++ {
				if sc.of != large || f.At%everyLarge == 1 {
					all = append(all, faultCase{sc, f, f.At > o.Counts[f.Op]-everyLarge})
				}
			}
		}
	}
	return all
}

// everyLarge is of how many operations on a large answer one fails: they are the same many times over.
const everyLarge = 16

// workers is how many cases are tried at once, each with a service and a file system of its own.
const workers = 2

// each gives all of a list to workers, in order, and each worker its world.
func each[T any](t *testing.T, list []T, do func(*world, T)) {
	var wg sync.WaitGroup
	next := make(chan T)
	for range workers {
		w := newWorld(t)
		wg.Go(func() {
			for c := range next {
				do(w, c)
			}
		})
	}
	for _, c := range list {
		next <- c
	}
	close(next)
	wg.Wait()
}

// everyNth takes a part of a list: as many as wanted, spread evenly.
func everyNth[T any](list []T, wanted int) (part []T) {
	for i := range wanted {
		part = append(part, list[i*len(list)/wanted])
	}
	return part
}

// count keeps count of what was tried.
type count struct {
	mu sync.Mutex
	by map[string]int
}

func (c *count) add(words ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range words {
		c.by[w]++
	}
}

func (c *count) log(t *testing.T) {
	t.Helper()
	for _, word := range slices.Sorted(maps.Keys(c.by)) {
		t.Logf("%5d %s", c.by[word], word)
	}
}

// step tries a list of cases, and where it is the whole list goes on with each series until a run completes untouched.
func step(t *testing.T, list []faultCase, whole bool) {
	t.Helper()
	n := count{by: map[string]int{}}
	each(t, list, func(w *world, c faultCase) {
		for {
			v, untouched, err := w.meets(t.Context(), c, "")
			if err != nil {
				t.Errorf("%s: %v", c, err)
				return
			}
			for _, wrong := range v.wrong {
				t.Errorf("%s: %s", c, wrong)
			}
			if untouched {
				n.add("untouched")
				return
			}
			n.add(c.name, string(c.Op), "cases")
			for word, holds := range map[string]bool{"left a torn tail": v.torn, "left a seal begun": v.sealing, "left a sealed case": v.sealed,
				"ended well all the same": v.struck.code == 0} {
				if holds {
					n.add(word)
				}
			}
			if !whole || !c.last {
				return
			}
			c.At++
		}
	})
	n.log(t)
}

// tryWays tries a row: scene by scene all of it, or a part.
func tryWays(t *testing.T, ways []way) {
	t.Helper()
	if !*full {
		all := newWorld(t).casesOf(t, scenes(), ways)
		part := everyNth(all, *some)
		t.Logf("%d of %d cases; -fault.full tries all", len(part), len(all))
		step(t, part, false)
		return
	}
	for _, sc := range scenes() {
		t.Run(sc.name, func(t *testing.T) { step(t, newWorld(t).casesOf(t, []scene{sc}, ways), true) })
	}
}

// TestEveryWriteFails is row F6: the k-th write is torn, in every phase.
func TestEveryWriteFails(t *testing.T) {
	t.Parallel()
	tryWays(t, writes())
}

// TestEveryCallFails is row F7: the k-th sync, rename, close, truncation, read or creation fails, in every phase.
func TestEveryCallFails(t *testing.T) {
	t.Parallel()
	tryWays(t, others())
}

// shuffled puts cases into an order of the seed.
func shuffled[T any](all []T) []T {
	rand.New(rand.NewPCG(*seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}
