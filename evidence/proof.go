package evidence

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// ErrProof says that a proof does not show what it is given for.
var ErrProof = errors.New("proof does not fit")

// A Prover makes one proof of RFC 6962 in one pass over the leaves, in memory that grows with the logarithm of their number. It is not for
// concurrent use.
type Prover struct {
	size  int64 // leaves that are needed
	whole Tree
	parts []*span
}

// span is a range of leaves whose subtree's root is one hash of a proof.
type span struct {
	from, to int64
	tree     Tree
}

// ProveInclusion begins the proof that leaf index is part of the tree over the first size leaves (RFC 6962, 2.1.1).
func ProveInclusion(index, size int64) (*Prover, error) {
	if index < 0 || index >= size {
		return nil, fmt.Errorf("inclusion of leaf %d in a tree of %d: %w", index, size, ErrProof)
	}
	return &Prover{size: size, parts: auditSpans(index, size, 0)}, nil
}

// ProveConsistency begins the proof that the tree over the first size leaves extends the one over the first old leaves (RFC 6962, 2.1.2). Of the empty tree, and
// of a tree with itself, the proof is empty.
func ProveConsistency(old, size int64) (*Prover, error) {
	if old < 0 || old > size {
		return nil, fmt.Errorf("consistency of trees of %d and %d leaves: %w", old, size, ErrProof)
	}
	p := &Prover{size: size}
	if old > 0 && old < size {
		p.parts = consistencySpans(old, size, 0, true)
	}
	return p, nil
}

// split is the largest power of two below n, which is at least 2.
func split(n int64) int64 {
	k := int64(1)
	for k < n-k {
		k *= 2
	}
	return k
}

// auditSpans are the ranges of the audit path of leaf m among n leaves that start at from, nearest to the leaf first.
func auditSpans(m, n, from int64) []*span {
	if n <= 1 {
		return nil
	}
	k := split(n)
	if m < k {
		return append(auditSpans(m, k, from), &span{from: from + k, to: from + n})
	}
	return append(auditSpans(m-k, n-k, from+k), &span{from: from, to: from + k})
}

// consistencySpans are the ranges of SUBPROOF(m, D[n], whole) of RFC 6962, 2.1.2, for leaves that start at from.
func consistencySpans(m, n, from int64, whole bool) []*span {
	if m == n {
		if whole {
			return nil
		}
		return []*span{{from: from, to: from + m}}
	}
	k := split(n)
	if m <= k {
		return append(consistencySpans(m, k, from, whole), &span{from: from + k, to: from + n})
	}
	return append(consistencySpans(m-k, n-k, from+k, false), &span{from: from, to: from + k})
}

// Add takes the hash of the next leaf. Leaves beyond the size of the proof change nothing.
func (p *Prover) Add(leaf Hash) {
	n := p.whole.Size()
	if n >= p.size {
		return
	}
	p.whole.Add(leaf)
	for _, s := range p.parts {
		if n >= s.from && n < s.to {
			s.tree.Add(leaf)
		}
	}
}

// Proof is the root of the tree and the hashes of the proof. It fails with [ErrProof] if there were not as many leaves as the tree has.
func (p *Prover) Proof() (root Hash, path []Hash, err error) {
	if p.whole.Size() != p.size {
		return root, nil, fmt.Errorf("tree of %d leaves, %d were there: %w", p.size, p.whole.Size(), ErrProof)
	}
	for _, s := range p.parts {
		path = append(path, s.tree.Root())
	}
	return p.whole.Root(), path, nil
}

// Bounds of what is handed to package tlog: more hashes than a proof for any tree has, and a size above which it looks for a power of two for ever.
const (
	maxProof  = 128
	maxLeaves = 1 << 62
)

// CheckInclusion requires that path shows leaf to be leaf index of the tree of size leaves with this root. It fails with [ErrProof].
func CheckInclusion(leaf Hash, index, size int64, root Hash, path []Hash) error {
	if len(path) > maxProof || size > maxLeaves {
		return fmt.Errorf("inclusion of leaf %d in a tree of %d, by %d hashes: %w", index, size, len(path), ErrProof)
	}
	if err := tlog.CheckRecord(tlogHashes(path), size, tlog.Hash(root), index, tlog.Hash(leaf)); err != nil {
		return fmt.Errorf("inclusion of leaf %d in a tree of %d: %w", index, size, ErrProof)
	}
	return nil
}

// CheckConsistency requires that path shows the tree of size leaves with this root to extend the one of old leaves with root oldRoot. Nothing can be shown of the
// empty tree: old is at least 1. It fails with [ErrProof].
func CheckConsistency(old int64, oldRoot Hash, size int64, root Hash, path []Hash) error {
	if len(path) > maxProof || size > maxLeaves {
		return fmt.Errorf("consistency of trees of %d and %d leaves, by %d hashes: %w", old, size, len(path), ErrProof)
	}
	if err := tlog.CheckTree(tlogHashes(path), size, tlog.Hash(root), old, tlog.Hash(oldRoot)); err != nil {
		return fmt.Errorf("consistency of trees of %d and %d leaves: %w", old, size, ErrProof)
	}
	return nil
}

func tlogHashes(path []Hash) []tlog.Hash {
	out := make([]tlog.Hash, len(path))
	for i, h := range path {
		out[i] = tlog.Hash(h)
	}
	return out
}
