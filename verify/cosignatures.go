package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// maxCosignatures is how many cosignatures a case may have (docs/container.md, 5.10).
const maxCosignatures = 1024

// Cosignature is a head that a key signed beside those that must.
type Cosignature struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`   // entries under the head
	Key    string `json:"key"`    // verifier key of a good signature; "" if the key is not known, and then the signature was not checked
	Name   string `json:"name"`   // of the key, as the file says
	ID     string `json:"id"`     // of the key, as the file says
	Pinned bool   `json:"pinned"` // the user pinned the key; else the case allows it, or nobody knows it
}

// cosignatures checks the files in stamps/ that say they are cosignatures (docs/container.md, 5.10). Keys that may sign are known by then.
func (c *checker) cosignatures() {
	c.r.Cosignatures = []Cosignature{}
	entries, err := fs.ReadDir(c.files, evidence.StampsPath)
	if err != nil { // nothing there; what cannot be read is found where names are walked
		return
	}
	known := map[string]trust.VKey{} // by what names of files tell them by
	for _, k := range slices.Concat(c.opts.Keys, c.keys) {
		known[evidence.KeyHash(k)] = k
	}
	n := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), evidence.CosignatureSuffix) {
			continue
		}
		path := evidence.StampsPath + "/" + e.Name()
		if n++; n > maxCosignatures {
			c.r.find("cosignature-form", path, "more than %d cosignatures", maxCosignatures)
			return
		}
		c.cosignature(path, evidence.CosignatureSize(e.Name()), known)
	}
}

// cosignature checks one file.
func (c *checker) cosignature(path string, size int64, known map[string]trust.VKey) {
	if size < 1 {
		c.r.find("cosignature-form", path, "no cosignature has such a name")
		return
	}
	note, err := readSmall(c.files, path, maxNote)
	if err != nil {
		c.r.find("cosignature-form", path, "%v", err)
		return
	}
	// The name of the file says which key is meant. No other one can be taken for it, whatever the signature line says.
	var meant []trust.VKey
	_, hash, _ := strings.Cut(strings.TrimSuffix(path, evidence.CosignatureSuffix), "-")
	if k, ok := known[hash]; ok {
		meant = append(meant, k)
	}
	text, sigs, err := trust.Verify(note, meant)
	var unverified *trust.UnverifiedError
	var bad *trust.BadSignatureError
	switch {
	case errors.As(err, &unverified):
		text, sigs = unverified.Text, unverified.Signatures
	case errors.As(err, &bad):
		c.r.find("cosignature-signature", path, "%v", err)
		return
	case err != nil:
		c.r.find("cosignature-form", path, "%v", err)
		return
	}
	s := Cosignature{Path: path, Size: size, Name: sigs[0].Name, ID: fmt.Sprintf("%08x", sigs[0].ID)}
	switch {
	case len(sigs) != 1:
		c.r.find("cosignature-form", path, "it has %d signature lines, want 1", len(sigs))
		return
	case len(meant) == 1 && !sigs[0].Known, len(meant) == 0 && named(known, sigs[0]):
		c.r.find("cosignature-form", path, "its name is not that of the key in its signature line")
		return
	case !c.isHead(text, size, path):
		return
	case len(meant) == 0:
		c.r.find("cosignature-unchecked", path, "head over %d entries, by a key with the name %s and the id %s", size, s.Name, s.ID)
	default:
		s.Key, s.Pinned = meant[0].String(), slices.Contains(c.opts.Keys, meant[0])
	}
	c.r.Cosignatures = append(c.r.Cosignatures, s)
}

// named reports whether one of the keys has the name and the id of a signature line.
func named(keys map[string]trust.VKey, s trust.Signature) bool {
	for _, k := range keys {
		if k.ID() == s.ID && k.Name() == s.Name {
			return true
		}
	}
	return false
}

// isHead reports whether text is that of a head of the case, and finds that it is not.
func (c *checker) isHead(text string, size int64, path string) bool {
	if _, ok := slices.BinarySearch(c.notes, size); !ok {
		c.r.find("cosignature-head", path, "the case has no head over %d entries", size)
		return false
	}
	root, ok := c.roots[size]
	if !ok { // entries cannot be read, which is found elsewhere
		return false
	}
	want, err := trust.Head{Origin: evidence.Origin(c.r.Case), Size: size, Root: root}.Text()
	if err != nil || text != want {
		c.r.find("cosignature-head", path, "it was signed over another head than %s", evidence.NotePath(size))
		return false
	}
	return true
}

// cosignedUpTo is the size of the largest head that a key has cosigned, 0 for none.
func (r *Report) cosignedUpTo(key trust.VKey) int64 {
	size := int64(0)
	for _, s := range r.Cosignatures {
		if s.Key == key.String() {
			size = max(size, s.Size)
		}
	}
	return size
}

// signedUpTo is the size of the largest head in data/checkpoints that a key has signed, 0 for none.
func (r *Report) signedUpTo(key trust.VKey) int64 {
	size := int64(0)
	for _, h := range r.Heads {
		if slices.Contains(h.Signers, key.String()) {
			size = max(size, h.Size)
		}
	}
	return size
}
