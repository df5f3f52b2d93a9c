package extract

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// sink is where records go: to emit, or encoded to w.
type sink struct {
	emit    func(*Record) error
	w       io.Writer
	encoder func() Encoder
}

// extraction is what all workers share.
type extraction struct {
	ctx   context.Context
	from  pages
	sink  sink
	limit int // Options.RecordLimit
	quick int // quickLimit

	native bool // Options.Native
	norm   normaliser
	total  int // pieces of the present source
	taken  atomic.Int64

	// Pieces pass two gates in their order. What stands behind one belongs to
	// the worker that is between.
	marking gate
	seen    *seen // behind marking

	writing gate
	sum     *Summary // behind writing, as the rest
	counts  [32]int64
	err     error
}

func run(ctx context.Context, from pages, opt Options, to sink) (Summary, error) {
	x := &extraction{ctx: ctx, from: from, sink: to, quick: quickLimit}
	return x.run(opt)
}

func (x *extraction) run(opt Options) (sum Summary, err error) {
	list, err := chosen(opt.Sources)
	if err != nil {
		return sum, err
	}
	if x.limit = opt.RecordLimit; x.limit == 0 {
		x.limit = defaultRecordLimit
	}
	if x.limit < 0 || x.limit > maxRecordLimit {
		return sum, fmt.Errorf("record limit %d out of range 1 to %d", x.limit, maxRecordLimit)
	}
	x.native = opt.Native
	x.sum, x.seen = &sum, newSeen(opt.TempDir, opt.MemoryKeys)
	defer func() {
		sum.Flags = x.flagCounts()
		err = errors.Join(err, x.seen.Close())
	}()
	count := opt.Workers
	if count <= 0 {
		count = runtime.GOMAXPROCS(0)
	}
	workers, err := x.hire(count)
	if err != nil {
		return sum, err
	}
	defer func() {
		for _, w := range workers {
			err = errors.Join(err, w.pages.Close())
		}
	}()
	for _, n := range list {
		if err := x.source(workers, n); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// hire makes the workers.
func (x *extraction) hire(n int) (workers []*worker, err error) {
	for range n {
		r, err := x.from.Reader()
		if err != nil {
			for _, w := range workers {
				err = errors.Join(err, w.pages.Close())
			}
			return nil, err
		}
		workers = append(workers, newWorker(x, r))
	}
	return workers, nil
}

// source extracts the pages of one source.
func (x *extraction) source(workers []*worker, n normaliser) error {
	x.norm, x.total = n, x.from.Pieces(n.source())
	x.taken.Store(0)
	x.marking.reset()
	x.writing.reset()
	if len(workers) == 1 || x.total <= 1 {
		workers[0].work()
		return x.err
	}
	var wg sync.WaitGroup
	for _, w := range workers[:min(len(workers), x.total)] {
		wg.Go(w.work)
	}
	wg.Wait()
	return x.err
}

// gate lets pieces pass in their order.
type gate struct {
	mu     sync.Mutex
	moved  sync.Cond
	next   int  // the piece whose turn it is
	closed bool // no other may pass
}

func (g *gate) reset() {
	g.moved.L = &g.mu
	g.next, g.closed = 0, false
}

// enter waits for a piece's turn. It reports false if that will not come.
func (g *gate) enter(piece int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.next != piece && !g.closed {
		g.moved.Wait()
	}
	return !g.closed
}

// leave makes it the next piece's turn.
func (g *gate) leave() {
	g.mu.Lock()
	g.next++
	g.mu.Unlock()
	g.moved.Broadcast()
}

// close lets nobody in any more.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.moved.Broadcast()
}

// mark flags the records whose id was seen before for the same mailbox.
func (x *extraction) mark(records []staged) error {
	for i := range records {
		r := &records[i]
		if !r.hasKey {
			continue
		}
		sum := binary.LittleEndian.Uint64(r.sha256[:8])
		before, found, err := x.seen.add(r.key, sum)
		if err != nil {
			return fmt.Errorf("finding duplicates: %w", err)
		}
		if found {
			r.flags |= DuplicateID
			if before != sum {
				r.flags |= DuplicateIDOtherBytes
			}
		}
	}
	return nil
}

// note adds the pages and problems of a piece to the summary.
func (x *extraction) note(s *stage) {
	x.sum.Pages += s.pages
	x.sum.ProblemCount += s.problemCount
	room := maxProblems - len(x.sum.Problems)
	x.sum.Problems = append(x.sum.Problems, s.problems[:min(room, len(s.problems))]...)
}

func (x *extraction) count(f Flags) {
	x.sum.Records++
	if f == 0 {
		return
	}
	x.sum.Flagged++
	for i := range x.counts {
		if f&(1<<i) != 0 {
			x.counts[i]++
		}
	}
}

func (x *extraction) flagCounts() map[string]int64 {
	m := make(map[string]int64)
	for i, w := range flagWords() {
		if x.counts[i] > 0 {
			m[w] = x.counts[i]
		}
	}
	return m
}
