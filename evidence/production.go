package evidence

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// ProductionPath is the file that accounts for every entry of a production, and by which a production is told from a case (docs/container.md, section 13).
const ProductionPath = "data/production.jsonl"

// ProductionFormat names the format of a production.
const ProductionFormat = "exhibit-production/1"

// Levels at which a production may have an entry.
const (
	LevelLeaf  = 0 // the hash of its leaf alone
	LevelHead  = 1 // its head line
	LevelWhole = 2 // both lines and all records
)

// MaxReason is the longest reason for withholding an entry, in bytes.
const MaxReason = 1000

// maxProductionLine is the longest line of production.jsonl without its LF: both lines of an entry and what stands around them.
const maxProductionLine = 2*MaxLine + 128

// IsProduction reports whether files holds a production rather than a case. Whether it is a sound one is the verifier's to say.
func IsProduction(files fs.FS) bool {
	_, err := fs.Lstat(files, ProductionPath)
	return err == nil
}

// LeastLevel is the lowest level at which a production may have an entry of a kind: what proves the rest is disclosed, and what bounds it can be seen.
func LeastLevel(kind string) int64 {
	switch kind {
	case KindCase, KindCheckpoint, KindKey, KindSeal:
		return LevelWhole
	case KindWindow, KindGap:
		return LevelHead
	}
	return LevelLeaf
}

// ProductionHead is the first line of production.jsonl (docs/container.md, 13.2).
type ProductionHead struct {
	Format   string
	Case     string
	Size     int64 // entries of the case
	Time     Time  // when the production was made
	Software string
	Producer string // verifier key that signs package.note; found in the bundle, it proves nothing about the signer
}

func (h *ProductionHead) members(c *codec) {
	c.text("format", &h.Format)
	c.text("case", &h.Case)
	c.integer("size", &h.Size)
	c.time("time", &h.Time)
	c.text("software", &h.Software)
	c.text("producer", &h.Producer)
}

// check holds the values against their forms.
func (h *ProductionHead) check() error {
	switch {
	case h.Format != ProductionFormat:
		return fmt.Errorf("production of format %q", h.Format)
	case !IsID(h.Case):
		return fmt.Errorf("production of case %q", h.Case)
	case h.Size < 1:
		return fmt.Errorf("production of %d entries", h.Size)
	case !warc.IsValue(h.Software) || len(h.Software) > maxSoftware:
		return fmt.Errorf("software %q cannot stand in a warcinfo", h.Software)
	}
	_, err := trust.ParseVKey(h.Producer)
	return err
}

// maxSoftware bounds the name of the tool, so that the warcinfo made of it has room.
const maxSoftware = 200

// warcinfo is the only record that segment n of the production may begin with: header and block.
func (h *ProductionHead) warcinfo(n int64) (warc.Header, []byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, "exhibit production %s %d", h.Case, n))
	block := fmt.Appendf(nil, "software: %s\r\n%s\r\n%s\r\nisPartOf: %s\r\n", h.Software, infoFormat, infoConforms, h.Case)
	return warc.Header{Type: warc.Warcinfo, ID: recordID([16]byte(sum[:16])), Date: h.Time.String(), Filename: path.Base(SegmentPath(n)),
		ContentType: infoContentType}, block
}

// Disclosure is what a production has of one entry (docs/container.md, 13.3).
type Disclosure struct {
	Seq    int64
	Level  int64
	Reason string // for withholding it, "" if none was given or nothing is withheld
	Leaf   Hash
	Head   *Head  // from LevelHead on
	Entry  *Entry // at LevelWhole
	Offset int64  // of the line in production.jsonl

	headLine []byte
}

// disclosureLine is a line as it is read: the objects in it are kept as they stand.
type disclosureLine struct {
	Disclosure
	text         string
	head, detail string
}

func (l *disclosureLine) members(c *codec) {
	c.integer("seq", &l.Seq)
	c.integer("level", &l.Level)
	if c.err == nil && (l.Level < LevelLeaf || l.Level > LevelWhole) {
		c.fail("level %d", l.Level)
	}
	if l.Level != LevelWhole {
		c.text("reason", &l.Reason)
	}
	if l.Level == LevelLeaf {
		c.hash("leaf", &l.Leaf)
		return
	}
	if !c.key("head") {
		return
	}
	start, head := len(l.text)-len(c.in), Head{}
	c.object(head.members)
	l.Head, l.head = &head, l.text[start:len(l.text)-len(c.in)]
	if l.Level == LevelWhole && c.key("detail") { // all that is left but the line's own closing brace
		end := max(len(l.text)-1, len(l.text)-len(c.in))
		l.detail = l.text[len(l.text)-len(c.in) : end]
		c.in = l.text[end:]
	}
}

// decodeDisclosure reads a line of production.jsonl but the first, without its LF.
func decodeDisclosure(line []byte) (*Disclosure, error) {
	if len(line) > maxProductionLine {
		return nil, fmt.Errorf("line of more than %d bytes", maxProductionLine)
	}
	l := &disclosureLine{text: string(line)}
	c := codec{reading: true, in: l.text}
	c.object(l.members)
	switch {
	case c.err != nil:
		return nil, c.err
	case c.in != "":
		return nil, fmt.Errorf("%d bytes after the end of the object", len(c.in))
	case l.Seq < 0:
		return nil, fmt.Errorf("seq %d", l.Seq)
	case len(l.Reason) > MaxReason:
		return nil, fmt.Errorf("reason of %d bytes, at most %d", len(l.Reason), MaxReason)
	case l.Level == LevelLeaf:
		return &l.Disclosure, nil
	case len(l.head) > MaxLine:
		return nil, fmt.Errorf("head line of %d bytes is longer than %d", len(l.head), MaxLine)
	}
	if err := l.Head.check(); err != nil {
		return nil, fmt.Errorf("malformed head line: %w", err)
	}
	if l.Head.Seq != l.Seq {
		return nil, fmt.Errorf("head line of entry %d in the line of entry %d", l.Head.Seq, l.Seq)
	}
	l.headLine = []byte(l.head)
	l.Leaf = LeafHash(l.headLine)
	if l.Level == LevelHead {
		return &l.Disclosure, nil
	}
	var err error
	l.Entry, err = DecodeEntry(l.headLine, []byte(l.detail))
	return &l.Disclosure, err
}

// encodeDisclosure writes the line of an entry at a level, without LF.
func encodeDisclosure(e *Entry, level int64, reason string) ([]byte, error) {
	switch {
	case level < LeastLevel(e.Head.Kind):
		return nil, fmt.Errorf("entry %d of kind %s cannot be withheld further than level %d", e.Head.Seq, e.Head.Kind, LeastLevel(e.Head.Kind))
	case level < LevelLeaf || level > LevelWhole:
		return nil, fmt.Errorf("level %d", level)
	case len(reason) > MaxReason:
		return nil, fmt.Errorf("reason of %d bytes, at most %d", len(reason), MaxReason)
	}
	b := make([]byte, 0, len(e.HeadLine)+len(e.DetailLine)+128)
	b = strconv.AppendInt(append(b, `{"seq":`...), e.Head.Seq, 10)
	b = strconv.AppendInt(append(b, `,"level":`...), level, 10)
	if level != LevelWhole {
		var err error
		if b, err = appendText(append(b, `,"reason":`...), reason); err != nil {
			return nil, err
		}
	}
	switch level {
	case LevelLeaf:
		b = fmt.Appendf(b, `,"leaf":"%s"`, LeafHash(e.HeadLine))
	case LevelHead:
		b = append(append(b, `,"head":`...), e.HeadLine...)
	default:
		b = append(append(b, `,"head":`...), e.HeadLine...)
		b = append(append(b, `,"detail":`...), e.DetailLine...)
	}
	b = append(b, '}')
	d, err := decodeDisclosure(b) // what is written is what a reader takes
	if err == nil && d.Leaf != LeafHash(e.HeadLine) {
		err = errors.New("leaf changed")
	}
	if err != nil {
		return nil, fmt.Errorf("line of entry %d: %w", e.Head.Seq, err)
	}
	return b, nil
}

// HeadLine is the head line of the entry, nil where it is withheld.
func (d *Disclosure) HeadLine() []byte { return bytes.Clone(d.headLine) }
