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

// Proof computes the audit path of entry seq in the tree over the first size entries, in memory that grows with its logarithm. Of a salvaged case,
// whose leaves are not all there, it is [ErrLost].
func (c *Container) Proof(ctx context.Context, seq, size int64) (*Proof, error) {
	if c.salvage != nil {
		return nil, fmt.Errorf("proof of entry %d: %w", seq, ErrLost)
	}
	if seq < 0 || seq >= size || size > c.entries {
		return nil, fmt.Errorf("proof of entry %d among %d: %w", seq, size, ErrNoEntry)
	}
	prover, err := evidence.ProveInclusion(seq, size)
	if err != nil {
		return nil, err
	}
	p := &Proof{Seq: seq, Size: size}
	for l, err := range c.leaves(ctx) { // to the end, which proves what was read before it
		if err != nil {
			return nil, err
		}
		seq, leaf := l.seq, l.hash
		prover.Add(leaf)
		if seq == p.Seq {
			p.Leaf = leaf
		}
	}
	p.Root, p.Path, err = prover.Proof()
	return p, err
}
