package verify

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// KnownHead is a head that the user has from somewhere else than the case (docs/container.md, 5.11). [ParseKnownHead] makes one.
type KnownHead struct {
	name string
	note []byte
	head trust.Head
}

// ParseKnownHead reads the note of a head. Who signed it is for the check to say, which knows the keys. name is how the report calls it: where it came from.
func ParseKnownHead(name string, note []byte) (KnownHead, error) {
	_, _, err := trust.Verify(note, nil)
	var unverified *trust.UnverifiedError
	if !errors.As(err, &unverified) {
		return KnownHead{}, err
	}
	head, err := trust.ParseHead(unverified.Text)
	if err == nil && (head.Size == 0 || head.Size > maxHeadSize) {
		err = fmt.Errorf("head over %d entries, which no case has", head.Size)
	}
	if err != nil {
		return KnownHead{}, err
	}
	seen := map[[2]string]bool{}
	for _, s := range unverified.Signatures {
		id := [2]string{s.Name, fmt.Sprint(s.ID)}
		if seen[id] {
			return KnownHead{}, fmt.Errorf("two signature lines by key %q with id %08x", s.Name, s.ID)
		}
		seen[id] = true
	}
	return KnownHead{name, note, head}, nil
}

// Held is a head that the user gave, and what became of it.
type Held struct {
	Name    string `json:"name"`
	Size    int64  `json:"size"`
	Root    string `json:"root"`
	Extends bool   `json:"extends"` // the case goes on from it
}

// Seen is what a witness saw of the case, as cosignatures in stamps/ show.
type Seen struct {
	Witness string `json:"witness"` // its key if the user pinned it; else NAME+ID as the lines say, which proves nothing
	Pinned  bool   `json:"pinned"`
	Heads   int64  `json:"heads"` // how many of this case it cosigned
	Size    int64  `json:"size"`  // entries under the largest of them
	Time    string `json:"time"`  // when it cosigned that one, as it says
	Met     bool   `json:"met"`   // that one is the newest head, as far as docs/container.md, 5.12, asks for it

	key  trust.WitnessKey
	name string
}

// history is what the check has to hold the case against that comes from others.
type history struct {
	files []witnessFile
	sizes []int64 // at which roots are wanted, ascending
}

// witnessFile is the name of a file in stamps/ that says it holds a cosignature.
type witnessFile struct {
	path string
	size int64
	id   uint32
}

// Bounds for hostile heads and cases.
const (
	maxHeadSize     = 9_999_999_999_999_999 // 16 digits
	maxWitnessFiles = 100_000
	maxStrangers    = 100 // witnesses that are not pinned
)

// historyNames lists the cosignatures in stamps/ and gathers the sizes of all heads that the tree is held against.
func (c *checker) historyNames() {
	entries, err := fs.ReadDir(c.files, evidence.StampsPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.r.find("path-read", evidence.StampsPath, "%v", err)
	}
	h := &c.history
	h.sizes = slices.Clone(c.notes)
	for _, e := range entries {
		if size, id := evidence.WitnessName(e.Name()); size > 0 && len(h.files) < maxWitnessFiles {
			h.files = append(h.files, witnessFile{evidence.StampsPath + "/" + e.Name(), size, id})
			h.sizes = append(h.sizes, size)
		}
	}
	for _, k := range c.opts.KnownHeads {
		h.sizes = append(h.sizes, k.head.Size)
	}
	slices.Sort(h.sizes)
	h.sizes = slices.Compact(h.sizes)
	slices.SortFunc(h.files, func(a, b witnessFile) int { return int(min(1, max(-1, a.size-b.size))) })
}

// holdHistory holds the case against the heads that the user knows and those that witnesses cosigned (docs/container.md, 5.11 and 5.12).
func (c *checker) holdHistory() {
	for _, k := range c.opts.KnownHeads {
		c.r.KnownHeads = append(c.r.KnownHeads, Held{Name: k.name, Size: k.head.Size, Root: evidence.Hash(k.head.Root).String(), Extends: c.knownHead(&k)})
	}
	for i, key := range c.opts.Witnesses {
		if slices.Contains(c.opts.Witnesses[:i], key) {
			continue // one that is given twice is one witness
		}
		c.r.Witnesses = append(c.r.Witnesses, Seen{Witness: key.String(), Pinned: true, key: key, name: key.Name()})
	}
	for _, f := range c.history.files {
		c.cosignedByWitness(f)
	}
	c.quorum()
}

// knownHead reports whether the case extends a head that the user gave.
func (c *checker) knownHead(k *KnownHead) bool {
	unmet := func(format string, args ...any) bool {
		c.r.find("known-head-unmet", "", "%s: %s", k.name, fmt.Sprintf(format, args...))
		return false
	}
	if k.head.Origin != evidence.Origin(c.r.Case) {
		return unmet("it is a head of another case, %s", k.head.Origin)
	}
	if err := c.trusted(k.note); err != nil {
		return unmet("%v", err)
	}
	return c.extends(k.head, k.name, "")
}

// trusted requires a good signature by a key that may sign the case, or by a key or a witness that the user pinned, and no bad one by any of them. The three are asked
// one by one: a case could list a key that has the name and id of a pinned one.
func (c *checker) trusted(note []byte) error {
	good := false
	for _, verify := range []func() error{
		func() error { _, _, err := trust.Verify(note, c.opts.Keys); return err },
		func() error { _, _, err := trust.Verify(note, c.keys); return err },
		func() error { _, _, err := trust.Cosignatures(note, c.opts.Witnesses); return err },
	} {
		var unverified *trust.UnverifiedError
		if err := verify(); err == nil {
			good = true
		} else if !errors.As(err, &unverified) {
			return err
		}
	}
	if !good {
		return errors.New("it is signed by no key that the case allows, and by none that you pinned")
	}
	return nil
}

// extends holds a head of this case that a trusted key has signed against the tree.
func (c *checker) extends(head trust.Head, name, path string) bool {
	if name != "" {
		name += ": "
	}
	provable := c.provable()
	root, have := c.roots[head.Size]
	switch {
	case head.Size > c.r.Entries && provable && !c.unread():
		c.r.find("rolled-back", path, "%sit covers %d entries, and %d are there", name, head.Size, c.r.Entries)
	case !have || !provable:
		c.r.find("head-unproven", path, "%sentries before it cannot be read", name)
	case root != evidence.Hash(head.Root):
		c.r.find("fork", path, "%sover the first %d entries it has the root %s, and the case has %s", name, head.Size, evidence.Hash(head.Root), root)
	default:
		return true
	}
	return false
}

// unread reports whether anything was found that cannot be read and may have held entries, so that there may have been more of them than there are now.
func (c *checker) unread() bool {
	for code := range c.r.codes {
		if isFrameCode(code) || slices.Contains([]string{"batch-form", "batch-order", "segment-missing", "segment-read", "production-form", "production-order"}, code) {
			return true
		}
	}
	return false
}

// cosignedByWitness looks at one file of stamps/. One that proves nothing is no damage: nothing says that it must be there.
func (c *checker) cosignedByWitness(f witnessFile) {
	form := func(format string, args ...any) { c.r.find("witness-form", f.path, format, args...) }
	note, err := readSmall(c.files, f.path, trust.MaxNoteSize)
	if err != nil {
		form("%v", err)
		return
	}
	k, err := ParseKnownHead("", note)
	switch {
	case err != nil:
		form("%v", err)
		return
	case k.head.Size != f.size || k.head.Origin != evidence.Origin(c.r.Case):
		form("it is on a head over %d entries of %q", k.head.Size, k.head.Origin)
		return
	}
	if err := c.trusted(note); err != nil {
		form("%v", err)
		return
	}
	lines := cosignaturesOn(note, c.opts.Witnesses)
	if !slices.ContainsFunc(lines, func(l trust.Cosignature) bool { return l.ID == f.id }) {
		form("no line in it is a cosignature of the witness that its name tells of")
		return
	}
	if !c.extends(k.head, "", f.path) {
		return
	}
	for _, l := range lines {
		c.sawHead(l, f.size)
	}
}

// cosignaturesOn lists the lines on a note that have the form of cosignatures; those of known witnesses are good.
func cosignaturesOn(note []byte, keys []trust.WitnessKey) []trust.Cosignature {
	_, all, err := trust.Cosignatures(note, keys)
	var unverified *trust.UnverifiedError
	if errors.As(err, &unverified) {
		return unverified.UnverifiedCosignatures()
	}
	return all
}

// sawHead counts a cosignature on a head that the case extends.
func (c *checker) sawHead(l trust.Cosignature, size int64) {
	pinned := l.Key != trust.WitnessKey{}
	id := fmt.Sprintf("%s+%08x", l.Name, l.ID)
	i := slices.IndexFunc(c.r.Witnesses, func(s Seen) bool {
		return s.Pinned == pinned && (pinned && s.key == l.Key || !pinned && s.Witness == id)
	})
	if i < 0 {
		if len(c.r.Witnesses) >= len(c.opts.Witnesses)+maxStrangers {
			return
		}
		i = len(c.r.Witnesses)
		c.r.Witnesses = append(c.r.Witnesses, Seen{Witness: id, name: l.Name})
	}
	s := &c.r.Witnesses[i]
	if size > s.Size { // they come in order, and one head may be in several files
		s.Heads++
	}
	if size >= s.Size {
		s.Size, s.Time = size, l.Time.Format(time.RFC3339)
	}
}

// quorum holds what pinned witnesses saw against what the user asked for.
func (c *checker) quorum() {
	met := 0
	var missing []string
	pinned := 0
	for i := range c.r.Witnesses {
		s := &c.r.Witnesses[i]
		if !s.Pinned {
			continue
		}
		pinned++
		s.Met = s.Size > 0 && (!c.sealed || s.Size == c.r.Entries)
		switch {
		case s.Met:
			met++
		case s.Size > 0:
			missing = append(missing, fmt.Sprintf("%s cosigned no head over more than %d of %d entries", s.name, s.Size, c.r.Entries))
		default:
			missing = append(missing, s.name+" cosigned no head of this history")
		}
	}
	if wanted := cmp.Or(c.opts.Quorum, pinned); met < wanted {
		c.r.find("witness-unmet", "", "%d of %d: %s", met, wanted, strings.Join(missing, "; "))
	}
}

// historyStatement is statement (d).
func (c *checker) historyStatement() Statement {
	s := Statement{ID: "d", Text: "the history that witnesses saw", Holds: NotChecked}
	strangers := 0
	for i := range c.r.Witnesses {
		if !c.r.Witnesses[i].Pinned {
			strangers++
		}
	}
	others := ""
	if strangers > 0 {
		others = fmt.Sprintf("; cosignatures of %s that you did not pin are there, and prove nothing", plural(int64(strangers), "witness", "witnesses"))
	}
	switch {
	case c.r.codes["fork"]+c.r.codes["rolled-back"]+c.r.codes["known-head-unmet"]+c.r.codes["witness-unmet"] > 0:
		s.Holds, s.Why = No, "see the findings"
	case len(c.opts.KnownHeads)+len(c.opts.Witnesses) == 0:
		s.Why = "no head from elsewhere (--known-head) and no witness (--witness) was given" + others
	case c.r.has(Damage):
		s.Why = "the case is damaged"
	default:
		s.Holds, s.Why = Yes, strings.Join(c.seen(), "; ")+"; whether anybody has seen a later head than these, a check cannot ask"+others
	}
	return s
}

// seen tells what the user's heads and witnesses show.
func (c *checker) seen() []string {
	var all []string
	for _, h := range c.r.KnownHeads {
		all = append(all, fmt.Sprintf("it goes on from the head over %d of %d entries in %s", h.Size, c.r.Entries, h.Name))
	}
	for i := range c.r.Witnesses {
		if s := &c.r.Witnesses[i]; s.Pinned && s.Size > 0 {
			all = append(all, fmt.Sprintf("%s cosigned the head over %d of %d entries at %s", s.name, s.Size, c.r.Entries, s.Time))
		}
	}
	return all
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
