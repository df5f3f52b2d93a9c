package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// noteNames lists the heads and tokens in data/checkpoints.
func (c *checker) noteNames() {
	entries, err := fs.ReadDir(c.files, evidence.CheckpointsPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.r.find("path-read", evidence.CheckpointsPath, "%v", err)
	}
	for _, e := range entries {
		if n := evidence.NoteSize(e.Name()); n > 0 {
			c.notes = append(c.notes, n)
		} else if evidence.TokenSize(e.Name()) > 0 {
			c.tokenFiles = append(c.tokenFiles, e.Name())
		}
	}
	slices.Sort(c.notes)
	slices.SortFunc(c.tokenFiles, func(a, b string) int { // those of larger heads later, whose names may be smaller
		return cmp.Or(cmp.Compare(evidence.TokenSize(a), evidence.TokenSize(b)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
}

// bagged is what became of both manifests, made again.
type bagged struct {
	report *bag.Report
	err    error
}

// rehash begins to make both manifests again, beside the walk over the segments if there is enough to do. What it returns waits for the end.
func (c *checker) rehash(ctx context.Context) (wait func() bagged) {
	wait = sync.OnceValue(func() bagged {
		report, err := bag.Check(ctx, newPayloadFS(c.files), bag.Options{})
		return bagged{report, err}
	})
	if c.size >= besideFrom {
		go wait()
	}
	return wait
}

// besideFrom is the size of the segments, in bytes, from which on files are hashed beside the walk.
const besideFrom = 1 << 20

// bag reports every difference from the manifests (docs/container.md, 6.2).
func (c *checker) bag(b bagged) error {
	report, err := b.report, b.err
	if err != nil {
		return err
	}
	c.r.tagManifest = report.TagManifest
	c.octets = octetsOf(report)
	for _, p := range report.Problems {
		c.r.find(bagCode(p.Kind), p.Path, "%s", p.Detail)
	}
	for _, line := range report.Payload {
		if !c.payloadName(line.Path) {
			c.r.find("path-unexpected", line.Path, "no case has such a file")
		}
	}
	for _, name := range c.required() {
		if !slices.ContainsFunc(report.Payload, func(l bag.Line) bool { return l.Path == name }) {
			c.r.find("bag-missing", name, "a sealed case has this file")
		}
	}
	return nil
}

// required lists the files that a sealed case, or a production, has in any case.
func (c *checker) required() []string {
	if c.part != nil {
		return []string{evidence.ProductionPath, "data/README.txt", "data/verify.py"}
	}
	return []string{evidence.LedgerPath, "data/README.txt", "data/verify.py"}
}

// payloadName reports whether the case, or the production, may have a file of this name in data/.
func (c *checker) payloadName(name string) bool {
	if c.part != nil {
		return productionName(name)
	}
	return payloadName(name)
}

func bagCode(k bag.Kind) string {
	switch k {
	case bag.Missing:
		return "bag-missing"
	case bag.Extra:
		return "bag-extra"
	case bag.Changed:
		return "bag-changed"
	case bag.Unlisted:
		return "path-unexpected"
	case bag.NotRegular:
		return "path-type"
	case bag.Malformed:
		return "bag-form"
	}
	return "path-read"
}

// payloadName reports whether a case may have a file of this name in data/.
func payloadName(name string) bool {
	dir, base := path.Split(name)
	switch dir {
	case evidence.SegmentsPath + "/":
		return evidence.SegmentNumber(base) > 0
	case evidence.CheckpointsPath + "/":
		return evidence.NoteSize(base) > 0 || evidence.TokenSize(base) > 0
	case "data/":
		return base == "ledger.db" || base == "README.txt" || base == "verify.py"
	}
	return false
}

// sealedName reports whether a file beside the payload may be there and listed in no manifest.
func sealedName(name string) bool {
	top, _, inside := strings.Cut(name, "/")
	return name == evidence.PackageNotePath || inside && (top == "custody" || top == "stamps")
}

// walkNames checks the names of a case that is not sealed: what sealing writes may be there in part.
func (c *checker) walkNames() {
	known := []string{"data", evidence.SegmentsPath, evidence.CheckpointsPath, "custody", "stamps"}
	late := []string{"bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", evidence.LedgerPath, "data/README.txt", "data/verify.py"}
	seen := 0
	fs.WalkDir(c.files, ".", func(name string, d fs.DirEntry, err error) error {
		seen++
		switch {
		case err != nil:
			c.r.find("path-read", name, "%v", err)
			return skip(d)
		case name == ".":
			return nil
		case seen > bag.DefaultLimits().Files:
			c.r.find("path-read", name, "there are more files than are read of a case")
			return fs.SkipAll
		case d.IsDir():
			if name == evidence.WorkPath {
				return fs.SkipDir
			}
			if limit := bag.DefaultLimits().Depth; strings.Count(name, "/") >= limit {
				c.r.find("path-read", name, "more than %d levels of folders", limit)
				return fs.SkipDir
			}
			top, _, _ := strings.Cut(name, "/")
			if !slices.Contains(known, name) && top != "custody" && top != "stamps" {
				c.r.find("path-unexpected", name, "no case has such a folder")
				return fs.SkipDir
			}
		case !d.Type().IsRegular():
			c.r.find("path-type", name, "it is no regular file")
		case slices.Contains(late, name):
			if c.rules.seal == nil {
				c.r.find("path-unexpected", name, "it belongs to a sealed case, and there is no seal entry")
			}
		case !payloadName(name) && !sealedName(name):
			c.r.find("path-unexpected", name, "no case has such a file")
		}
		return nil
	})
}

func skip(d fs.DirEntry) error {
	if d != nil && d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// seal holds the state of the folder against the seal entry (docs/container.md, 6.4).
func (c *checker) seal() {
	switch {
	case c.sealed && c.rules.seal == nil:
		c.r.find("seal-rule", evidence.PackageNotePath, "the folder is sealed and the ledger has no seal entry")
	case !c.sealed && c.rules.seal != nil:
		c.r.rule("sealing", c.rules.sealSeq, "the seal entry is there and package.note is not")
	case !c.sealed:
		c.r.find("unsealed", "", "there is no package.note")
	case c.rules.sealSeq != c.r.Entries-1:
		c.r.rule("seal-rule", c.rules.sealSeq, "the seal is not the last entry")
	}
	if c.sealed && c.rules.seal != nil && c.rules.seal.Segment != c.r.Segments {
		c.r.find("after-seal", evidence.SegmentPath(c.r.Segments), "%d segments are there, and the seal is in segment %d", c.r.Segments, c.rules.seal.Segment)
	}
	if !c.sealed && c.rules.seal == nil && c.unsigned() {
		c.r.find("unsigned-tail", "", "%d of %d entries come after the newest head", c.r.Entries-c.newest(), c.r.Entries)
	}
	if c.sealed && c.newest() != c.r.Entries {
		c.r.find("head-missing", evidence.NotePath(c.r.Entries), "the final head, over the seal entry")
	}
}

func (c *checker) newest() int64 {
	if len(c.notes) == 0 {
		return 0
	}
	return c.notes[len(c.notes)-1]
}

// packageNote checks package.note (docs/container.md, 6.3).
func (c *checker) packageNote() {
	if !c.sealed {
		return
	}
	note, err := readSmall(c.files, evidence.PackageNotePath, maxNote)
	if err != nil {
		c.r.find("package-note", evidence.PackageNotePath, "%v", err)
		return
	}
	c.signed = append(c.signed, signedNote{evidence.PackageNotePath, note})
	text, sigs, err := trust.Verify(note, c.keys)
	if err != nil {
		c.r.find("package-note", evidence.PackageNotePath, "%v", err)
		return
	}
	if strangers(sigs) > 0 {
		c.r.find("package-note", evidence.PackageNotePath, "it has signature lines by keys that may not sign")
	}
	p, err := trust.ParsePackageStatement(text)
	if err != nil {
		c.r.find("package-note", evidence.PackageNotePath, "%v", err)
		return
	}
	c.statement = &p
	// The hash is that of the bytes that were held against the folder, not of what the file holds by now. One that was not read is found already.
	if none := (bag.Sum{}); c.r.tagManifest != none && p.TagManifest != c.r.tagManifest {
		c.r.find("package-note", evidence.PackageNotePath, "it was signed over another tagmanifest-sha256.txt")
	}
	tree, ok := c.walker.Tree()
	if p.Head.Origin != evidence.Origin(c.r.Case) || p.Head.Size != c.r.Entries || ok && tree.Root() != evidence.Hash(p.Head.Root) {
		c.r.find("package-note", evidence.PackageNotePath, "it was signed over another ledger: %d entries of %q", p.Head.Size, p.Head.Origin)
	}
}

// unsigned reports whether anything but the checkpoint entry of the newest head comes after that head.
func (c *checker) unsigned() bool {
	after := c.r.Entries - c.newest()
	return after > 1 || after == 1 && !c.rules.lastIsCheckpoint
}

// signedNote is a note that a pinned key must have signed.
type signedNote struct {
	path string
	note []byte
}

// pinned checks the keys that the user gave against the newest head and, if there is one, package.note. A key that has only cosigned the newest head has signed what the
// case holds, and has not sealed it (docs/container.md, 5.10).
func (c *checker) pinned() {
	for _, key := range c.opts.Keys {
		var unmet []Finding
		find := func(path, format string, args ...any) {
			unmet = append(unmet, Finding{Code: "key-unmet", Path: path, Offset: -1, Seq: -1, Detail: key.Name() + ": " + fmt.Sprintf(format, args...)})
		}
		bad := false
		for _, s := range c.signed {
			_, _, err := trust.Verify(s.note, []trust.VKey{key})
			var unverified *trust.UnverifiedError
			bad = bad || err != nil && !errors.As(err, &unverified)
			if err != nil {
				find(s.path, "%v", err)
			}
		}
		if c.newest() == 0 || c.sealed && len(c.signed) < 2 {
			find("", "a head or package.note that it should have signed is not there")
		}
		cosigned := c.r.cosignedUpTo(key)
		switch {
		case len(unmet) == 0:
			c.sealers = append(c.sealers, key.Name())
			continue
		case cosigned > 0 && cosigned == c.newest() && !bad:
			c.cosigners = append(c.cosigners, key.Name())
			continue
		case cosigned > 0:
			find("", "it cosigned the head over %d of %d entries", cosigned, c.r.Entries)
		}
		if signed := c.r.signedUpTo(key); signed > 0 && signed < c.newest() {
			find("", "it signed the head over %d of %d entries", signed, c.r.Entries)
		}
		for _, f := range unmet {
			c.r.add(f)
		}
	}
}
