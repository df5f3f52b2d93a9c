package verify

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// maxHeads bounds the heads that a report lists.
const maxHeads = 1000

// heads checks every head in data/checkpoints against the tree and the checkpoint entries against the heads
// (docs/container.md, section 5).
func (c *checker) heads() {
	known := map[int64]string{}
	for _, cp := range c.rules.checkpoints {
		known[cp.size] = cp.note
	}
	covered := int64(0)
	for i, size := range c.notes {
		note, err := readSmall(c.files, evidence.NotePath(size), trust.MaxNoteSize)
		if err != nil {
			c.r.find("path-read", evidence.NotePath(size), "%v", err)
			continue
		}
		if h, ok := c.head(size, note); ok && i < maxHeads {
			h.From = covered
			c.r.Heads = append(c.r.Heads, h)
		}
		covered = size
		entry, ok := known[size]
		switch {
		case ok && entry != string(note):
			c.r.find("head-form", evidence.NotePath(size), "the note differs from its checkpoint entry")
		case !ok && i < len(c.notes)-1:
			c.r.find("head-unlisted", evidence.NotePath(size), "no checkpoint entry holds this head")
		}
		delete(known, size)
	}
	for _, cp := range c.rules.checkpoints {
		if _, left := known[cp.size]; left {
			c.r.add(Finding{Code: "head-missing", Path: evidence.NotePath(cp.size), Offset: -1, Seq: cp.seq, Detail: "a checkpoint entry tells of this head"})
		}
	}
}

// head checks one head. ok is false if it cannot be told who signed it.
func (c *checker) head(size int64, note []byte) (h Head, ok bool) {
	path := evidence.NotePath(size)
	text, sigs, err := trust.Verify(note, c.keysAt(size))
	if err != nil {
		code := "head-form"
		var unverified *trust.UnverifiedError
		var bad *trust.BadSignatureError
		if errors.As(err, &unverified) || errors.As(err, &bad) {
			code = "head-signature"
		}
		c.r.find(code, path, "%v", err)
		return h, false
	}
	head, err := trust.ParseHead(text)
	if err != nil {
		c.r.find("head-form", path, "%v", err)
		return h, false
	}
	if head.Size != size || head.Origin != evidence.Origin(c.r.Case) {
		c.r.find("head-form", path, "the head is over %d entries of %q", head.Size, head.Origin)
		return h, false
	}
	root, have := c.roots[size]
	_, provable := c.walker.Tree()
	switch {
	case size > c.r.Entries:
		c.r.find("head-beyond", path, "the head covers %d entries, there are %d", size, c.r.Entries)
	case !have || !provable:
		c.r.find("head-unproven", path, "entries before it cannot be read")
	case root != evidence.Hash(head.Root):
		c.r.find("head-root", path, "the tree over the first %d entries has another root", size)
	}
	h.Size = size
	for _, s := range sigs {
		if s.Known {
			h.Signers = append(h.Signers, fmt.Sprintf("%s+%08x", s.Name, s.ID))
		}
	}
	return h, true
}

// keysAt returns the keys that may sign a head of this size. A key that an entry allows may sign from the first head on that
// covers the entry, together with a key allowed before.
func (c *checker) keysAt(size int64) []trust.VKey {
	var keys []trust.VKey
	for _, k := range c.rules.keys {
		if k.from < size {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// readSmall reads a regular file of at most limit bytes.
func readSmall(files fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Lstat(files, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("it is longer than %d bytes", limit)
	}
	return fs.ReadFile(files, name)
}
