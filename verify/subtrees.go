package verify

import (
	"crypto/sha256"
	"math/bits"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// subtrees stands for the leaves from…to-1 of a tree as the complete subtrees that they make, from the left, each as large as its
// place allows (RFC 6962, 2.1). Any range of leaves needs at most two hashes for each doubling of its length, and ranges that meet can be joined.
type subtrees struct {
	from, to int64
	nodes    []subtree
}

type subtree struct {
	level uint8 // of 2^level leaves
	hash  evidence.Hash
}

// frontierOf is the range of the first leaves of a tree that a batch's frontier describes. ok is false if it describes none.
func frontierOf(first int64, frontier []evidence.Hash) (s subtrees, ok bool) {
	if first < 0 || bits.OnesCount64(uint64(first)) != len(frontier) {
		return s, false
	}
	s.to = first
	for level := 62; level >= 0; level-- {
		if first>>level&1 == 1 {
			s.nodes = append(s.nodes, subtree{uint8(level), frontier[len(s.nodes)]})
		}
	}
	return s, true
}

func (s *subtrees) add(leaf evidence.Hash) { s.push(subtree{hash: leaf}) }

// join appends the range that begins where s ends.
func (s *subtrees) join(next *subtrees) {
	for _, n := range next.nodes {
		s.push(n)
	}
}

func (s *subtrees) push(n subtree) {
	s.to += 1 << n.level
	for last := len(s.nodes) - 1; last >= 0 && s.nodes[last].level == n.level && (s.to-2<<n.level)%(2<<n.level) == 0; last-- {
		n = subtree{n.level + 1, above(s.nodes[last].hash, n.hash)}
		s.nodes = s.nodes[:last]
	}
	s.nodes = append(s.nodes, n)
}

// root is the root of the tree over the leaves; the range begins at 0 and is not empty.
func (s *subtrees) root() evidence.Hash {
	root := s.nodes[len(s.nodes)-1].hash
	for i := len(s.nodes) - 2; i >= 0; i-- {
		root = above(s.nodes[i].hash, root)
	}
	return root
}

// within returns the part of s from leaf a on, which one of its subtrees starts with. ok is false if none does.
func (s *subtrees) within(a int64) (part subtrees, ok bool) {
	at := s.from
	for i, n := range s.nodes {
		if at == a {
			return subtrees{from: a, to: s.to, nodes: append([]subtree(nil), s.nodes[i:]...)}, true
		}
		at += 1 << n.level
	}
	return subtrees{from: a, to: a}, at == a
}

func (s *subtrees) clone() subtrees {
	return subtrees{s.from, s.to, append([]subtree(nil), s.nodes...)}
}

// above is the hash of the node over two subtrees.
func above(left, right evidence.Hash) evidence.Hash {
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}
