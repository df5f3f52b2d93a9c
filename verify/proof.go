package verify

import (
	"context"
	"fmt"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// Proof shows that an entry is part of what a head commits to (RFC 6962, 2.1.1).
type Proof struct {
	Seq  int64           `json:"seq"`
	Size int64           `json:"size"` // entries under the head
	Leaf evidence.Hash   `json:"leaf"`
	Root evidence.Hash   `json:"root"`
	Path []evidence.Hash `json:"path"` // from the leaf's sibling up to the root's child
}

// span is a range of entries whose subtree's root is one hash of a path.
type span struct {
	from, to int64
	tree     evidence.Tree
}

// spans lists the ranges of the audit path of leaf m among n leaves that start at from, nearest to the leaf first.
func spans(m, n, from int64) []*span {
	if n <= 1 {
		return nil
	}
	k := int64(1)
	for k*2 < n {
		k *= 2
	}
	if m < k {
		return append(spans(m, k, from), &span{from: from + k, to: from + n})
	}
	return append(spans(m-k, n-k, from+k), &span{from: from, to: from + k})
}

// Proof computes the audit path of entry seq in the tree over the first size entries, in memory that grows with its logarithm. Of a salvaged case,
// whose leaves are not all there, it is [ErrLost].
func (c *Container) Proof(ctx context.Context, seq, size int64) (*Proof, error) {
	if c.salvage != nil {
		return nil, fmt.Errorf("proof of entry %d: %w", seq, ErrLost)
	}
	if seq < 0 || seq >= size || size > c.entries {
		return nil, fmt.Errorf("proof of entry %d among %d: %w", seq, size, ErrNoEntry)
	}
	p := &Proof{Seq: seq, Size: size}
	path := spans(seq, size, 0)
	var whole evidence.Tree
	for l, err := range c.leaves(ctx) {
		if err != nil {
			return nil, err
		}
		n, leaf := l.seq, l.hash
		if n >= size {
			continue // to the end, which proves what was read before it
		}
		whole.Add(leaf)
		if n == seq {
			p.Leaf = leaf
		}
		for _, s := range path {
			if n >= s.from && n < s.to {
				s.tree.Add(leaf)
			}
		}
	}
	p.Root = whole.Root()
	for _, s := range path {
		p.Path = append(p.Path, s.tree.Root())
	}
	return p, nil
}
