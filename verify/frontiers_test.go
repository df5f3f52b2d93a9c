package verify

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestManyFrontiers: a case whose segments are damaged one and all, or made to look so, has a frontier at every break, and each lies within the subtrees of
// those behind it. What they prove is worked out in a time that does not double with each.
func TestManyFrontiers(t *testing.T) {
	const n = 512
	s := &salvage{}
	var tree evidence.Tree
	for i := range int64(n) {
		leaf := evidence.Hash(sha256.Sum256(fmt.Append(nil, i)))
		one := &subtrees{from: i, to: i}
		one.add(leaf)
		s.cells = append(s.cells, cell{from: i, to: i + 1, byBatches: one})
		tree.Add(leaf)
		f, ok := frontierOf(i+1, tree.Frontier())
		if !ok {
			t.Fatalf("no frontier of %d leaves", i+1)
		}
		s.frontiers = append(s.frontiers, &frontierAt{subtrees: f})
	}
	s.frontiers[n-2].proven = n
	s.underFrontiers()
	for i := range s.cells[:n-1] {
		if s.cells[i].proven == 0 {
			t.Errorf("entry %d is not proven", i)
		}
	}
	if s.cells[n-1].proven != 0 {
		t.Error("the entry behind the frontier is proven")
	}
	if s.joins > 4*n*n {
		t.Errorf("%d subtrees were joined, for %d frontiers", s.joins, n)
	}
}
