package evidence_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// merkleVector is one line of testdata/merkle, an inclusion or a consistency vector.
type merkleVector struct {
	File, Desc        string
	LeafIdx, TreeSize uint64
	Size1, Size2      uint64
	Root, LeafHash    []byte
	Root1, Root2      []byte
	Proof             [][]byte
	WantErr           bool
}

func merkleVectors(t *testing.T, kind string) []merkleVector {
	t.Helper()
	f, err := os.Open("../testdata/merkle/" + kind + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []merkleVector
	for s := bufio.NewScanner(f); s.Scan(); {
		var v merkleVector
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	if len(all) != 98 {
		t.Fatalf("%d %s vectors, want 98", len(all), kind)
	}
	return all
}

// hash makes a Hash of what a vector gives for one. What has another length than 32 bytes ("don't care") becomes a hash of its own, so that equal ones stay equal.
func hash(b []byte) evidence.Hash {
	if len(b) != sha256.Size {
		return sha256.Sum256(b)
	}
	return evidence.Hash(b)
}

func hashes(list [][]byte) (path []evidence.Hash) {
	for _, b := range list {
		path = append(path, hash(b))
	}
	return path
}

// TestMerkleVectors runs the published vectors. What no function of ours can be given, a number of 2^63 and more, no root or no leaf at all, is refused by that.
func TestMerkleVectors(t *testing.T) {
	refused, impossible := 0, 0
	judge := func(v merkleVector, can bool, check func() error) {
		err := evidence.ErrProof
		if can {
			err = check()
		} else {
			impossible++
		}
		if (err != nil) != v.WantErr {
			t.Errorf("%s (%s): %v, want an error: %v", v.File, v.Desc, err, v.WantErr)
		}
		if err != nil && !errors.Is(err, evidence.ErrProof) {
			t.Errorf("%s: %v is no ErrProof", v.File, err)
		}
		if err != nil {
			refused++
		}
	}
	for _, v := range merkleVectors(t, "inclusion") {
		judge(v, max(v.LeafIdx, v.TreeSize) <= math.MaxInt64 && len(v.Root) > 0 && len(v.LeafHash) > 0, func() error {
			return evidence.CheckInclusion(hash(v.LeafHash), int64(v.LeafIdx), int64(v.TreeSize), hash(v.Root), hashes(v.Proof))
		})
	}
	for _, v := range merkleVectors(t, "consistency") {
		judge(v, max(v.Size1, v.Size2) <= math.MaxInt64, func() error {
			return evidence.CheckConsistency(int64(v.Size1), hash(v.Root1), int64(v.Size2), hash(v.Root2), hashes(v.Proof))
		})
	}
	t.Logf("196 vectors, %d refused, %d of those because they cannot be given", refused, impossible)
}

// leaves are the hashes of n leaves, and the stored hashes of package tlog over the same.
func leaves(t *testing.T, n int64) (all []evidence.Hash, stored tlog.HashReader) {
	t.Helper()
	var kept []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, kept[i])
		}
		return out, nil
	})
	for i := range n {
		line := fmt.Appendf(nil, "leaf %d", i)
		all = append(all, evidence.LeafHash(line))
		more, err := tlog.StoredHashes(i, line, reader)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, more...)
	}
	return all, reader
}

func prove(t *testing.T, p *evidence.Prover, all []evidence.Hash) (evidence.Hash, []evidence.Hash) {
	t.Helper()
	for _, l := range all {
		p.Add(l)
	}
	root, path, err := p.Proof()
	if err != nil {
		t.Fatal(err)
	}
	return root, path
}

// TestProverAgainstTlog makes every proof for trees of up to 40 leaves and compares with those of golang.org/x/mod/sumdb/tlog.
func TestProverAgainstTlog(t *testing.T) {
	const most = 40
	all, stored := leaves(t, most)
	same := func(what string, got []evidence.Hash, want []tlog.Hash) {
		t.Helper()
		equal := len(got) == len(want)
		for i := range got {
			equal = equal && bytes.Equal(got[i][:], want[i][:])
		}
		if !equal {
			t.Errorf("%s: %v, package tlog makes %v", what, got, want)
		}
	}
	for size := int64(1); size <= most; size++ {
		for n := range size {
			p, err := evidence.ProveInclusion(n, size)
			if err != nil {
				t.Fatal(err)
			}
			root, path := prove(t, p, all)
			want, err := tlog.ProveRecord(size, n, stored)
			if err != nil {
				t.Fatal(err)
			}
			same(fmt.Sprintf("leaf %d of %d", n, size), path, want)
			if err := evidence.CheckInclusion(all[n], n, size, root, path); err != nil {
				t.Error(err)
			}
		}
		for old := int64(1); old <= size; old++ {
			p, err := evidence.ProveConsistency(old, size)
			if err != nil {
				t.Fatal(err)
			}
			_, path := prove(t, p, all)
			want, err := tlog.ProveTree(size, old, stored)
			if err != nil {
				t.Fatal(err)
			}
			same(fmt.Sprintf("tree of %d in one of %d", old, size), path, want)
		}
	}
}

// TestProofsThatDoNotFit are the confusions of trees: a node for a leaf, a hash without its prefix, proofs of another length, sizes at the edges.
func TestProofsThatDoNotFit(t *testing.T) {
	all, _ := leaves(t, 8)
	p, err := evidence.ProveInclusion(2, 8)
	if err != nil {
		t.Fatal(err)
	}
	root, path := prove(t, p, all)
	node := func(prefix []byte, l, r evidence.Hash) evidence.Hash {
		return sha256.Sum256(append(append(append([]byte{}, prefix...), l[:]...), r[:]...))
	}
	inner := node([]byte{1}, all[2], all[3])
	for name, err := range map[string]error{
		"an inner node given as the leaf":    evidence.CheckInclusion(inner, 2, 8, root, path),
		"an inner node, its own path":        evidence.CheckInclusion(inner, 1, 8, root, path[1:]),
		"a leaf hashed without its prefix":   evidence.CheckInclusion(sha256.Sum256([]byte("leaf 2")), 2, 8, root, path),
		"a leaf hashed as a node":            evidence.CheckInclusion(sha256.Sum256(append([]byte{1}, "leaf 2"...)), 2, 8, root, path),
		"nodes hashed without their prefix":  evidence.CheckInclusion(all[2], 2, 4, node(nil, node(nil, all[0], all[1]), node(nil, all[2], all[3])), []evidence.Hash{all[3], node(nil, all[0], all[1])}),
		"a path that is too short":           evidence.CheckInclusion(all[2], 2, 8, root, path[:2]),
		"a path that is too long":            evidence.CheckInclusion(all[2], 2, 8, root, append(path[:3:3], root)),
		"a path of a million hashes":         evidence.CheckInclusion(all[2], 2, 8, root, make([]evidence.Hash, 1<<20)),
		"another leaf's index":               evidence.CheckInclusion(all[2], 3, 8, root, path),
		"an index beyond the tree":           evidence.CheckInclusion(all[2], 8, 8, root, path),
		"a negative index":                   evidence.CheckInclusion(all[2], -1, 8, root, path),
		"a tree of no leaves":                evidence.CheckInclusion(all[2], 0, 0, root, nil),
		"a tree of 2^63-1 leaves":            evidence.CheckInclusion(all[2], 2, math.MaxInt64, root, path),
		"consistency with the empty tree":    evidence.CheckConsistency(0, sha256.Sum256(nil), 8, root, nil),
		"consistency with a larger tree":     evidence.CheckConsistency(9, root, 8, root, nil),
		"consistency of 2^63-1 leaves":       evidence.CheckConsistency(3, root, math.MaxInt64, root, path),
		"one tree, two roots":                evidence.CheckConsistency(8, all[0], 8, root, nil),
		"one tree with a proof":              evidence.CheckConsistency(8, root, 8, root, path),
		"a smaller tree without a proof":     evidence.CheckConsistency(4, root, 8, root, nil),
		"a consistency proof of many hashes": evidence.CheckConsistency(4, root, 8, root, make([]evidence.Hash, 1<<20)),
	} {
		if !errors.Is(err, evidence.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := evidence.ProveInclusion(8, 8); err == nil {
		t.Error("a proof of a leaf that the tree does not have")
	}
	if _, err := evidence.ProveConsistency(9, 8); err == nil {
		t.Error("a proof that a smaller tree extends a larger one")
	}
	short, err := evidence.ProveConsistency(3, 8)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := short.Proof(); !errors.Is(err, evidence.ErrProof) {
		t.Errorf("a proof without leaves: %v", err)
	}
}
