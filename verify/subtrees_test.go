package verify

import (
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestSubtrees holds every range of every tree of up to 40 leaves, joined from two pieces at every place, against the tree of x/mod.
func TestSubtrees(t *testing.T) {
	const most = 40
	var leaves []evidence.Hash
	for i := range most {
		leaves = append(leaves, evidence.LeafHash(fmt.Appendf(nil, "leaf %d", i)))
	}
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(at []int64) (out []tlog.Hash, err error) {
		for _, i := range at {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for size := int64(1); size <= most; size++ {
		more, err := tlog.StoredHashesForRecordHash(size-1, tlog.Hash(leaves[size-1]), read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
		want, err := tlog.TreeHash(size, read)
		if err != nil {
			t.Fatal(err)
		}
		for a := range size {
			for b := a; b <= size; b++ {
				var whole subtrees
				for _, r := range [][2]int64{{0, a}, {a, b}, {b, size}} {
					part := subtrees{from: r[0], to: r[0]}
					for i := r[0]; i < r[1]; i++ {
						part.add(leaves[i])
					}
					whole.join(&part)
				}
				if whole.to != size || whole.root() != evidence.Hash(want) {
					t.Fatalf("%d leaves joined at %d and %d: %d leaves with another root", size, a, b, whole.to)
				}
			}
		}
		tree := evidence.Tree{}
		for _, l := range leaves[:size] {
			tree.Add(l)
		}
		f, ok := frontierOf(size, tree.Frontier())
		if !ok || f.to != size || f.root() != evidence.Hash(want) {
			t.Fatalf("frontier of %d leaves: %v", size, ok)
		}
		if _, ok := frontierOf(size, tree.Frontier()[1:]); ok {
			t.Fatalf("frontier of %d leaves with a hash less is taken", size)
		}
	}
}
