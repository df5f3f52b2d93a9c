package verify

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Authority is a time-stamping authority that the user pinned.
type Authority struct {
	Name  string // as the user calls it: the file that its certificates came from
	Roots *x509.CertPool
}

// Token is one timestamp of a case: of a head, or of package.note.
type Token struct {
	Path      string   `json:"path"`
	Size      int64    `json:"size"`      // entries that it covers
	Time      string   `json:"time"`      // RFC 3339, as the authority says
	Accuracy  string   `json:"accuracy"`  // what it may be off, as the authority says; 0s if it does not say
	Authority string   `json:"authority"` // name in the signer's certificate, which proves nothing if it is not pinned
	Seq       int64    `json:"seq"`       // of the entry that states it, -1 if none does
	Pinned    []string `json:"pinned"`    // names of the pinned authorities that it is by
	Why       string   `json:"why"`       // why it is by none of them; "" if it is or none is pinned

	sealed        bool // of package.note
	after, before time.Time
}

// stampEntry is an entry that states a token.
type stampEntry struct {
	seq, size   int64
	file, nonce string
	block       evidence.Hash
}

// Bounds of what is looked at (docs/container.md, 5.7 and 5.8).
const (
	maxStampEntries = 65_536
	maxLateTokens   = 1000
	maxListedTokens = 2000
)

// stamp holds an entry of action stamp against its form.
func (r *rules) stamp(e *evidence.Entry, op *evidence.Operator) {
	s := stampEntry{seq: e.Head.Seq}
	names := []string{"head", "file", "authority", "nonce"}
	if len(op.Fields) != len(names) || len(e.Detail.Records) != 1 {
		r.fail(e, "a timestamp with other fields or records")
		return
	}
	for i, name := range names {
		if op.Fields[i].Name != name {
			r.fail(e, "a timestamp with other fields")
			return
		}
	}
	s.size, _ = strconv.ParseInt(op.Fields[0].Value, 10, 64)
	s.file, s.nonce = op.Fields[1].Value, op.Fields[3].Value
	ref := e.Detail.Records[0]
	s.block = ref.Block
	switch {
	case ref.Type != warc.Resource || ref.URI != evidence.StampURI || ref.ContentType != rfc3161.ReplyType:
		r.fail(e, "the record is no timestamp")
	case strconv.FormatInt(s.size, 10) != op.Fields[0].Value || s.size > e.Head.Seq || evidence.TokenSize(s.file) != s.size:
		r.fail(e, "a timestamp of head %q in file %q", op.Fields[0].Value, s.file)
	case r.stamped[s.file]:
		r.fail(e, "a second entry on %s", s.file)
	case len(r.stamps) == maxStampEntries:
		r.fail(e, "more than %d timestamps", maxStampEntries)
	default:
		if r.stamped == nil {
			r.stamped = map[string]bool{}
		}
		r.stamps, r.stamped[s.file] = append(r.stamps, s), true
	}
}

// tokens checks every token: form, what it is of, the entry that states it, and the pinned authorities.
func (c *checker) tokens() {
	c.r.Tokens = []Token{}
	stated := map[string]stampEntry{}
	for _, s := range c.rules.stamps {
		stated[s.file] = s
	}
	for _, name := range c.tokenFiles {
		size := evidence.TokenSize(name)
		note, err := readSmall(c.files, evidence.NotePath(size), maxNote)
		if err != nil {
			c.r.find("token-form", evidence.CheckpointsPath+"/"+name, "there is no head over %d entries: %v", size, err)
			delete(stated, name)
			continue
		}
		t := Token{Path: evidence.CheckpointsPath + "/" + name, Size: size, Seq: evidence.None}
		s, ok := stated[name]
		delete(stated, name)
		if !ok {
			c.token(t, note, nil)
			continue
		}
		t.Seq = s.seq
		c.token(t, note, &s)
	}
	for _, s := range c.rules.stamps {
		if _, left := stated[s.file]; left && !c.appearedToken(s.file) {
			c.r.add(Finding{Code: "token-missing", Path: evidence.CheckpointsPath + "/" + s.file, Offset: -1, Seq: s.seq, Detail: "an entry tells of this timestamp"})
		}
	}
	c.lateTokens()
}

// appearedToken reports whether a token of an unsealed case was written after the check began.
func (c *checker) appearedToken(name string) bool {
	_, err := fs.Stat(c.files, evidence.CheckpointsPath+"/"+name)
	return !c.sealed && err == nil
}

// lateTokens checks the tokens in stamps/, which are of package.note (docs/container.md, 5.8).
func (c *checker) lateTokens() {
	entries, err := fs.ReadDir(c.files, evidence.StampsPath)
	if err != nil {
		return // none, or what walks the folder says so
	}
	var note []byte
	if c.sealed {
		if note, err = readSmall(c.files, evidence.PackageNotePath, maxNote); err != nil {
			return // found already
		}
	}
	n := 0
	for _, e := range entries {
		if path.Ext(e.Name()) != evidence.TokenSuffix {
			continue
		}
		name := evidence.StampsPath + "/" + e.Name()
		if n++; n > maxLateTokens {
			c.r.find("token-form", name, "there are more than %d late timestamps", maxLateTokens)
			return
		}
		if !c.sealed {
			c.r.find("token-form", name, "it can be of nothing: there is no package.note")
			continue
		}
		c.token(Token{Path: name, Size: c.r.Entries, Seq: evidence.None, sealed: true}, note, nil)
	}
}

// token checks one token over data.
func (c *checker) token(t Token, data []byte, s *stampEntry) {
	raw, err := readSmall(c.files, t.Path, rfc3161.MaxSize)
	if err != nil {
		c.r.find("token-form", t.Path, "%v", err)
		return
	}
	tok, err := rfc3161.Parse(raw)
	if err == nil {
		err = tok.Over(data)
	}
	if err != nil {
		c.r.find("token-form", t.Path, "%v", err)
		return
	}
	if s != nil && (evidence.Hash(sha256.Sum256(raw)) != s.block || tok.Nonce == nil || tok.Nonce.Text(16) != s.nonce) {
		c.r.add(Finding{Code: "token-form", Path: t.Path, Offset: -1, Seq: s.seq, Detail: "it is not the one that its entry tells of"})
		return
	}
	t.Time, t.Accuracy, t.Authority = tok.Time.Format(time.RFC3339Nano), tok.Accuracy.String(), clip(tok.Signer.Subject.String())
	t.Pinned, t.after, t.before = []string{}, tok.After(), tok.Before()
	for _, a := range c.opts.Authorities {
		if err := tok.Trusted(a.Roots, c.opts.Now); err != nil {
			t.Why = clip(err.Error())
			continue
		}
		t.Pinned = append(t.Pinned, a.Name)
	}
	if len(t.Pinned) > 0 {
		t.Why = ""
		c.stamps = append(c.stamps, Stamped{Size: t.Size, Seq: t.Seq, Path: t.Path, Authority: t.Authority, after: t.after, before: t.before, sealed: t.sealed, pinned: t.Pinned})
	}
	c.r.tokens++
	if len(c.r.Tokens) < maxListedTokens {
		c.r.Tokens = append(c.r.Tokens, t)
	}
}

// covers reports whether a token is of all that there is.
func (s *Stamped) covers(entries int64) bool { return s.sealed || s.Size == entries }

// authorities checks that each pinned authority stamped the case: all of it, if it is sealed.
func (c *checker) authorities() {
	for _, a := range c.opts.Authorities {
		most, met := int64(0), false
		for i := range c.stamps {
			s := &c.stamps[i]
			if slices.Contains(s.pinned, a.Name) {
				most = max(most, s.Size)
				met = met || !c.sealed || s.covers(c.r.Entries)
			}
		}
		if met {
			continue
		}
		what := "no timestamp of this case is by it"
		if most > 0 {
			what = fmt.Sprintf("it stamped the first %d of %d entries, and not the final head", most, c.r.Entries)
		}
		for _, t := range c.r.Tokens {
			if most == 0 && t.Why != "" {
				what += "; " + t.Path + ": " + t.Why
				break
			}
		}
		c.r.find("tsa-unmet", "", "%s: %s", a.Name, what)
	}
	c.tokenOrder()
}

// tokenOrder compares the times of pinned tokens: a head over an entry that states a token was made after it.
func (c *checker) tokenOrder() {
	bySize := slices.Clone(c.stamps)
	slices.SortFunc(bySize, func(a, b Stamped) int { return int(max(-1, min(1, a.Size-b.Size))) })
	bySeq := slices.DeleteFunc(slices.Clone(c.stamps), func(s Stamped) bool { return s.Seq < 0 })
	slices.SortFunc(bySeq, func(a, b Stamped) int { return int(max(-1, min(1, a.Seq-b.Seq))) })
	var latest *Stamped
	next := 0
	for i := range bySize {
		s := &bySize[i]
		for next < len(bySeq) && bySeq[next].Seq < s.Size {
			if latest == nil || bySeq[next].after.After(latest.after) {
				latest = &bySeq[next]
			}
			next++
		}
		if latest != nil && s.before.Before(latest.after) {
			c.r.find("token-order", s.Path, "it says %s, and covers %s, which says %s", s.before.Format(time.RFC3339), latest.Path, latest.after.Format(time.RFC3339))
		}
	}
}

// timeStatement is statement (c).
func (c *checker) timeStatement(damaged bool) Statement {
	s := Statement{ID: "c", Text: "existed before a time that somebody else vouches for", Holds: NotChecked}
	switch {
	case len(c.opts.Authorities) == 0 && c.r.tokens == 0:
		s.Why = "the case holds no trusted time; its times are the operator's clock"
	case len(c.opts.Authorities) == 0:
		t := slices.MaxFunc(c.r.Tokens, func(a, b Token) int { return a.before.Compare(b.before) })
		s.Why = fmt.Sprintf("%s there, the latest of %s over %s entries, said to be by %s: give --tsa-ca; a certificate found in the bundle proves nothing", isAre(c.r.tokens), t.Time, strconv.FormatInt(t.Size, 10), t.Authority)
	case damaged || c.r.codes["tsa-unmet"] > 0:
		s.Holds, s.Why = No, "see the findings"
	default:
		s.Holds, s.Why = Yes, c.provenTimes()
	}
	return s
}

func isAre(n int64) string {
	if n == 1 {
		return "one timestamp is"
	}
	return fmt.Sprintf("%d timestamps are", n)
}

// provenTimes says what the pinned tokens prove together.
func (c *checker) provenTimes() string {
	var best, first *Stamped
	for i := range c.stamps {
		s := &c.stamps[i]
		if best == nil || s.Size > best.Size || s.Size == best.Size && s.before.Before(best.before) {
			best = s
		}
		if s.Seq >= 0 && (first == nil || s.Seq < first.Seq) {
			first = s
		}
	}
	var b strings.Builder
	if best.covers(c.r.Entries) {
		fmt.Fprintf(&b, "all %d entries", c.r.Entries)
	} else {
		fmt.Fprintf(&b, "the first %d of %d entries", best.Size, c.r.Entries)
	}
	fmt.Fprintf(&b, " existed before %s, by %s (%s)", best.before.Format(time.RFC3339Nano), best.Authority, strings.Join(best.pinned, ", "))
	if first != nil {
		fmt.Fprintf(&b, "; the entries behind entry %d were committed after %s, by %s", first.Seq, first.after.Format(time.RFC3339Nano), first.Authority)
	}
	return b.String()
}

// Stamped is a token by a pinned authority.
type Stamped struct {
	Size      int64  `json:"size"` // entries that it covers
	Seq       int64  `json:"seq"`  // of the entry that states it, -1 if none does
	Path      string `json:"path"`
	Authority string `json:"authority"`
	Time      string `json:"time"` // the bound that it gives: RFC 3339, its accuracy taken into account

	after, before time.Time
	sealed        bool
	pinned        []string
}

// Committed is the interval in which an entry was committed, as tokens of pinned authorities prove it. Each end is nil where none does.
type Committed struct {
	After  *Stamped `json:"after"`  // what commits to the entry was made after this; nothing is said of when its content came to be
	Before *Stamped `json:"before"` // the entry existed before this
}

// Committed says between which pinned tokens the entry seq was committed: the last one that an entry before it states, and the first over a head that covers it.
func (c *Container) Committed(seq int64) Committed {
	var out Committed
	for i := range c.stamps {
		s := c.stamps[i]
		if s.Seq >= 0 && s.Seq < seq && (out.After == nil || s.after.After(out.After.after)) {
			after := s
			after.Time = s.after.Format(time.RFC3339Nano)
			out.After = &after
		}
		if s.Size > seq && (out.Before == nil || s.before.Before(out.Before.before)) {
			before := s
			before.Time = s.before.Format(time.RFC3339Nano)
			out.Before = &before
		}
	}
	return out
}

// ReadAuthority reads certificates in PEM, and nothing else, as the pinned roots of an authority.
func ReadAuthority(name string, pem []byte) (Authority, error) {
	a := Authority{Name: name, Roots: x509.NewCertPool()}
	if !bytes.Contains(pem, []byte("-----BEGIN CERTIFICATE-----")) || !a.Roots.AppendCertsFromPEM(pem) {
		return a, errors.New("it holds no certificate in PEM")
	}
	return a, nil
}
