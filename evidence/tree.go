package evidence

import (
	"crypto/sha256"
	"math/bits"
)

func sum(b []byte) Hash { return sha256.Sum256(b) }

// LeafHash is the hash of a leaf: a head line without LF (RFC 6962, 2.1).
func LeafHash(line []byte) Hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(line)
	return Hash(h.Sum(nil))
}

func nodeHash(left, right Hash) Hash {
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// Tree is the right edge of a Merkle tree: enough to add leaves and to tell the root. The zero Tree is empty.
type Tree struct {
	size     int64
	frontier []Hash // of the complete subtrees from the left, largest first
}

// NewTree returns the tree of size leaves that a batch's frontier describes. ok is false if there are not as many
// hashes as such a tree has complete subtrees.
func NewTree(size int64, frontier []Hash) (t Tree, ok bool) {
	if size < 0 || bits.OnesCount64(uint64(size)) != len(frontier) {
		return Tree{}, false
	}
	return Tree{size: size, frontier: append([]Hash(nil), frontier...)}, true
}

// Add appends a leaf.
func (t *Tree) Add(leaf Hash) {
	for n := t.size; n&1 == 1; n >>= 1 {
		last := len(t.frontier) - 1
		leaf = nodeHash(t.frontier[last], leaf)
		t.frontier = t.frontier[:last]
	}
	t.frontier = append(t.frontier, leaf)
	t.size++
}

// Size is the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// Frontier returns a copy of the hashes that a batch's first line holds.
func (t *Tree) Frontier() []Hash { return append([]Hash{}, t.frontier...) }

// Root is the tree's hash; of no leaves it is the hash of nothing.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	last := len(t.frontier) - 1
	root := t.frontier[last]
	for i := last - 1; i >= 0; i-- {
		root = nodeHash(t.frontier[i], root)
	}
	return root
}

func (t *Tree) clone() Tree { return Tree{t.size, t.Frontier()} }
