package custody

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// Folder is where records lie in a case.
const Folder = "custody"

const (
	maxRecords = 9999
	maxNote    = 65_535
	maxChain   = 8 << 20 // bytes of all records
	maxFiles   = 250_000 // files and folders of a case
	maxDepth   = 16
)

// Path is the file of record n.
func Path(n int) string { return fmt.Sprintf("%s/%04d.note", Folder, n) }

// number tells which record a path is, 0 if none.
func number(name string) int {
	digits, ok := strings.CutSuffix(path.Base(name), ".note")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 1 || n > maxRecords || Path(n) != name {
		return 0
	}
	return n
}

// What can be wrong or odd with a chain: the codes of docs/container.md, section 12.
const (
	CodeMissing   = "custody-missing"
	CodeForm      = "custody-form"
	CodeSignature = "custody-signature"
	CodeChain     = "custody-chain"
	CodeCase      = "custody-case"
	CodeContainer = "custody-container"
	CodeOther     = "custody-other"    // odd alone
	CodeHandover  = "custody-handover" // likewise
	CodeOpen      = "custody-open"     // likewise
	CodeHolder    = "custody-holder"   // likewise
	CodeTime      = "custody-time"     // likewise
)

// A Problem is one thing that is wrong or odd.
type Problem struct {
	Code   string
	Path   string // in the case folder
	Detail string // may quote the record
}

// Odd reports whether the problem is one that the parties have to explain, and no sign that a record was altered.
func (p *Problem) Odd() bool {
	switch p.Code {
	case CodeOther, CodeHandover, CodeOpen, CodeHolder, CodeTime:
		return true
	}
	return false
}

// Expect is what a chain is held against. What is not known is left out.
type Expect struct {
	Origin    string // of the case; "" if it is not known
	Container *Hash  // that package.note signs; nil if it is not known
	Size      int64  // bytes of data/; below 0 if they are not known
}

// A Link is a record with the file that it stands in. It is in the one form, and the key that it names signed it.
type Link struct {
	*Record
	Path string
	Hash Hash // of the whole file
}

// A Chain is what custody/ holds.
type Chain struct {
	Links    []Link    // those that can be read, in order
	Problems []Problem // first those of single records, in order; then what is odd
	Files    int       // files that are records by their names
	Last     Hash      // of the file of the last record; zeros if there is none

	last int // its number
}

// Broken reports whether anything is wrong, and not only odd.
func (c *Chain) Broken() bool {
	for i := range c.Problems {
		if !c.Problems[i].Odd() {
			return true
		}
	}
	return false
}

func (c *Chain) report(code, path, format string, args ...any) {
	c.Problems = append(c.Problems, Problem{code, path, fmt.Sprintf(format, args...)})
}

// Read reads the chain of the case in files and reports everything that breaks a rule (docs/container.md, section 12). It opens regular files alone. It never
// fails: what cannot be read is a problem of the chain.
func Read(files fs.FS, want Expect) *Chain {
	c := &Chain{}
	there := c.list(files)
	r := chainReader{chain: c, want: want, ids: map[string]int{}, releases: map[Hash]*Link{}, answered: map[Hash]bool{}}
	left := int64(maxChain)
	for n := 1; n <= c.last; n++ {
		if !there[n] {
			if n == 1 || there[n-1] {
				c.report(CodeMissing, Path(n), "there is no such record, and there are later ones")
			}
			r.before = nil
			continue
		}
		note, err := readNote(files, Path(n), min(left, maxNote))
		if err != nil {
			c.report(CodeForm, Path(n), "%v", err)
			r.before = nil
			continue
		}
		left -= int64(len(note))
		r.note(n, note)
	}
	c.odd()
	return c
}

// list finds the files of custody/ and reports those that are no records.
func (c *Chain) list(files fs.FS) (there map[int]bool) {
	there, seen := map[int]bool{}, 0
	if info, err := fs.Stat(files, Folder); err != nil || !info.IsDir() {
		return there
	}
	_ = fs.WalkDir(files, Folder, func(name string, d fs.DirEntry, err error) error {
		seen++
		switch {
		case err != nil || seen > maxFiles: // a check of the whole case says so
			return fs.SkipAll
		case d.IsDir() && strings.Count(name, "/") >= maxDepth:
			return fs.SkipDir
		case d.IsDir() || !d.Type().IsRegular():
		case number(name) > 0:
			n := number(name)
			there[n], c.last, c.Files = true, max(c.last, n), c.Files+1
		default:
			c.report(CodeOther, name, "it is no record by its name")
		}
		return nil
	})
	return there
}

// readNote reads a regular file of at most limit bytes.
func readNote(files fs.FS, name string, limit int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it is longer than %d bytes, or all records are longer than %d", maxNote, maxChain)
	}
	return b, err
}

// chainReader is what a record is held against.
type chainReader struct {
	chain    *Chain
	want     Expect
	before   *Hash          // of the file before; nil if that is missing or could not be read
	ids      map[string]int // record that has an id
	releases map[Hash]*Link // by the hashes of their files
	answered map[Hash]bool
}

// note takes the file of record n.
func (r *chainReader) note(n int, note []byte) {
	c, at := r.chain, Path(n)
	hash, before := Hash(sha256.Sum256(note)), r.before
	r.before = &hash
	if n == c.last {
		c.Last = hash
	}
	record, err := open(note)
	var code *formError
	if errors.As(err, &code) {
		c.report(CodeForm, at, "%v", err)
		return
	} else if err != nil {
		c.report(CodeSignature, at, "%v", err)
		return
	}
	link := Link{record, at, hash}
	c.Links = append(c.Links, link)
	if n == 1 {
		before = &Hash{}
	}
	r.hold(n, &link, before)
}

// hold holds a record against its place, the records before it, and the case.
func (r *chainReader) hold(n int, l *Link, before *Hash) {
	c := r.chain
	if l.Sequence != n {
		c.report(CodeChain, l.Path, "it says that it is record %d", l.Sequence)
	}
	if before != nil && l.Previous != *before {
		c.report(CodeChain, l.Path, "it follows another record than the one before: that was altered or replaced, or this one belongs to another chain")
	}
	if first, ok := r.ids[l.ID]; ok {
		c.report(CodeChain, l.Path, "it has the id of record %d", first)
	}
	r.ids[l.ID] = n
	if l.Answers != nil {
		switch release := r.releases[*l.Answers]; {
		case release == nil:
			c.report(CodeChain, l.Path, "it acknowledges a release that is none of the records before")
		case r.answered[*l.Answers]:
			c.report(CodeChain, l.Path, "it acknowledges a release that was acknowledged before")
		}
		r.answered[*l.Answers] = true
	}
	if l.Event == Transferred {
		r.releases[l.Hash] = l
	}
	if r.want.Origin != "" && l.Origin != r.want.Origin {
		c.report(CodeCase, l.Path, "it is a record of %q", clip(l.Origin))
	}
	if want := r.want.Container; want != nil && l.Container != *want {
		c.report(CodeContainer, l.Path, "it found the container %s, sealed was %s", l.Container, *want)
	} else if r.want.Size >= 0 && l.Size != r.want.Size {
		c.report(CodeContainer, l.Path, "it found %d bytes, sealed were %d", l.Size, r.want.Size)
	}
}

// formError says that a file is no record in the one form.
type formError struct{ err error }

func (e *formError) Error() string { return e.err.Error() }

// open reads a note, and requires the signature of the key that it names and no other. It fails with a *formError, or because of the signature.
func open(note []byte) (*Record, error) {
	var unverified *trust.UnverifiedError
	if _, _, err := trust.Verify(note, nil); !errors.As(err, &unverified) {
		return nil, &formError{err}
	}
	record, err := ParseRecord(unverified.Text)
	if err != nil {
		return nil, &formError{err}
	}
	if n := len(unverified.Signatures); n != 1 {
		return nil, &formError{fmt.Errorf("it has %d signature lines, a record has one", n)}
	}
	if _, _, err := trust.Verify(note, []trust.VKey{record.Key}); err != nil {
		return nil, fmt.Errorf("the key that it names did not sign it: %w", err)
	}
	return record, nil
}
