package verify

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// maxNote is the longest note in bytes: a checkpoint entry must be able to hold it (docs/container.md, 1.1).
const maxNote = evidence.MaxLine

// heads checks every head in data/checkpoints against the tree and the checkpoint entries against the heads
// (docs/container.md, section 5).
func (c *checker) heads() {
	known := map[int64]evidence.Hash{}
	for _, cp := range c.rules.checkpoints {
		if _, twice := known[cp.size]; twice {
			c.r.rule("entry-rule", cp.seq, "a second checkpoint entry over %d entries", cp.size)
		}
		known[cp.size] = cp.note
	}
	c.keys = c.keysOfCase()
	if root, ok := c.roots[c.newest()]; ok {
		c.r.newest = trust.Head{Origin: evidence.Origin(c.r.Case), Size: c.newest(), Root: root}
	}
	covered := int64(0)
	for i, size := range c.notes {
		note, err := readSmall(c.files, evidence.NotePath(size), maxNote)
		if err != nil {
			c.r.find("path-read", evidence.NotePath(size), "%v", err)
			continue
		}
		if i == len(c.notes)-1 {
			c.signed = append(c.signed, signedNote{evidence.NotePath(size), note})
		}
		if signers, ok := c.head(size, note); ok {
			c.r.Heads = joinHead(c.r.Heads, Head{From: covered, Size: size, Heads: 1, Signers: signers})
		}
		covered = size
		entry, ok := known[size]
		switch {
		case ok && entry != sha256.Sum256(note):
			c.r.find("head-form", evidence.NotePath(size), "the note differs from its checkpoint entry")
		case !ok && i < len(c.notes)-1:
			c.r.find("head-unlisted", evidence.NotePath(size), "no checkpoint entry holds this head")
		}
		delete(known, size)
	}
	c.r.Keys = []Key{}
	for _, k := range c.rules.keys {
		c.r.Keys = append(c.r.Keys, Key{Key: k.key.String(), Entry: k.from, May: c.rules.granted[k.key]})
	}
	for _, cp := range c.rules.checkpoints {
		if _, left := known[cp.size]; left && !c.appeared(cp.size) {
			c.r.add(Finding{Code: "head-missing", Path: evidence.NotePath(cp.size), Offset: -1, Seq: cp.seq, Detail: "a checkpoint entry tells of this head"})
		}
	}
}

// appeared reports whether the head over size entries of an unsealed case was written after the check began: a writer may be at work.
func (c *checker) appeared(size int64) bool {
	_, err := fs.Stat(c.files, evidence.NotePath(size))
	return !c.sealed && err == nil
}

// joinHead adds a head to the run before it, if the same keys signed, or begins another run.
func joinHead(heads []Head, h Head) []Head {
	if n := len(heads); n > 0 && slices.Equal(heads[n-1].Signers, h.Signers) {
		heads[n-1].Size, heads[n-1].Heads = h.Size, heads[n-1].Heads+1
		return heads
	}
	return append(heads, h)
}

// head checks one head. ok is false if it cannot be told who signed it. Heads come in ascending order, because a key that an entry
// allows counts only from the first head on that covers the entry and that a key allowed before has signed (docs/container.md, 5.5).
func (c *checker) head(size int64, note []byte) (signers []string, ok bool) {
	path := evidence.NotePath(size)
	text, sigs, err := trust.Verify(note, c.keys)
	if err != nil {
		code := "head-form"
		var unverified *trust.UnverifiedError
		var bad *trust.BadSignatureError
		if errors.As(err, &unverified) || errors.As(err, &bad) {
			code = "head-signature"
		}
		c.r.find(code, path, "%v", err)
		return nil, false
	}
	head, err := trust.ParseHead(text)
	if err != nil {
		c.r.find("head-form", path, "%v", err)
		return nil, false
	}
	if head.Size != size || head.Origin != evidence.Origin(c.r.Case) {
		c.r.find("head-form", path, "the head is over %d entries of %q", head.Size, head.Origin)
		return nil, false
	}
	c.headRoot(head, path)
	if c.allowMore(size) {
		if text, sigs, err = trust.Verify(note, c.keys); err != nil || text == "" {
			c.r.find("head-signature", path, "%v", err)
			return nil, false
		}
	}
	if strangers(sigs) > 0 {
		c.r.find("head-signature", path, "it has signature lines by keys that may not sign")
	}
	return c.signers(sigs), true
}

// headRoot holds a head against the tree.
func (c *checker) headRoot(head trust.Head, path string) {
	root, have := c.roots[head.Size]
	provable := c.provable()
	switch {
	case head.Size > c.r.Entries:
		c.r.find("head-beyond", path, "the head covers %d entries, there are %d", head.Size, c.r.Entries)
	case !have || !provable:
		c.r.find("head-unproven", path, "entries before it cannot be read")
	case root != evidence.Hash(head.Root):
		c.r.find("head-root", path, "the tree over the first %d entries has another root", head.Size)
	}
}

// provable reports whether all leaves are known.
func (c *checker) provable() (ok bool) {
	if c.part != nil {
		_, ok = c.part.walker.Tree()
	} else {
		_, ok = c.walker.Tree()
	}
	return ok
}

// keysOfCase are the keys that the case entry allows.
func (c *checker) keysOfCase() []trust.VKey {
	var keys []trust.VKey
	c.rules.granted = map[trust.VKey]bool{}
	for _, k := range c.rules.keys {
		if k.from == 0 && !c.rules.granted[k.key] {
			c.rules.granted[k.key] = true
			keys = append(keys, k.key)
		}
	}
	return keys
}

// allowMore adds the keys whose entries a good head of this size covers, and reports whether there were any.
func (c *checker) allowMore(size int64) bool {
	before := len(c.keys)
	for _, k := range c.rules.keys {
		if k.from > 0 && k.from < size && !c.rules.granted[k.key] {
			c.rules.granted[k.key] = true
			c.keys = append(c.keys, k.key)
		}
	}
	return len(c.keys) > before
}

// strangers counts the signature lines by keys that may not sign.
func strangers(sigs []trust.Signature) (n int) {
	for _, s := range sigs {
		if !s.Known {
			n++
		}
	}
	return n
}

// signers are the allowed keys that signed.
func (c *checker) signers(sigs []trust.Signature) []string {
	var out []string
	for _, k := range c.keys {
		if slices.ContainsFunc(sigs, func(s trust.Signature) bool { return s.Known && s.Name == k.Name() && s.ID == k.ID() }) {
			out = append(out, k.String())
		}
	}
	return out
}

// readSmall reads a regular file of at most limit bytes, also if it grows in the meantime.
func readSmall(files fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Lstat(files, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it is longer than %d bytes", limit)
	}
	return b, err
}
