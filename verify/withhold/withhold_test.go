package withhold

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

// mailbox is a case whose pages bring records with random tokens.
type mailbox struct {
	*sample.Maker
	t      *testing.T
	window int64
	page   int64
	none   int64
}

func newMailbox(t *testing.T) *mailbox {
	m := &mailbox{Maker: sample.New(t, nil), t: t, none: evidence.None}
	m.Operator(evidence.ActionRunStart, "exhibit acquire http")
	m.Connect()
	m.window = 1
	m.Window(1, evidence.Window{State: evidence.Opened, User: "adele@contoso.example"})
	return m
}

// answer appends a page, gzipped or not.
func (m *mailbox) answer(body string, zip bool) int64 {
	m.page++
	return m.attempt(m.page, body, zip, m.none)
}

func (m *mailbox) attempt(page int64, body string, zip bool, retryOf int64) int64 {
	head := "HTTP/1.1 200 OK\r\nContent-Type: application/json"
	if zip {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(body)); err != nil || z.Close() != nil {
			m.t.Fatal(err)
		}
		body = b.String()
		head += "\r\nContent-Encoding: gzip"
	}
	attempt := int64(1)
	if retryOf != m.none {
		attempt = 2
	}
	return m.Exchange(sample.Answer{Window: 1, Page: page, Parent: m.none, Attempt: attempt, RetryOf: retryOf, Status: 200, Head: fmt.Sprintf("%s\r\nContent-Length: %d", head, len(body)), Body: body})
}

// sealed ends the case and checks it.
func (m *mailbox) sealed() *verify.Container {
	m.t.Helper()
	m.Seal()
	report, c, err := verify.Check(m.t.Context(), m.Folder.FS(), verify.Options{Deep: true})
	if err != nil || c == nil {
		m.t.Fatalf("the case is not intact: %v, %+v", err, report)
	}
	return c
}

// made is a finished production in a folder.
type made struct {
	dir   string
	files *bag.Folder
	c     *verify.Container
}

func (m *mailbox) produce(c *verify.Container, level func(*evidence.Entry) (int64, string)) *made {
	t := m.t
	t.Helper()
	report, _, err := verify.Check(t.Context(), m.Folder.FS(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	head := trust.Head{Origin: evidence.Origin(report.Case), Size: report.Entries}
	var root evidence.Hash
	if err := root.UnmarshalText([]byte(report.Root)); err != nil {
		t.Fatal(err)
	}
	head.Root = root
	p := &made{dir: t.TempDir()}
	folder, err := evidence.OpenFolder(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	_, err = evidence.Produce(t.Context(), evidence.ProductionOptions{Folder: folder, Mkdir: folder.Mkdir, Head: head, Checkpoints: m.Folder.FS(), Case: report.Case,
		Entries: c.Entries(t.Context()), Level: level, Signer: sample.Key(t, 33), Now: time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC), Software: "exhibit sample",
		Block: func(ctx context.Context, e *evidence.Entry, i int) (evidence.RecordBlock, error) {
			b, err := c.Block(ctx, e, i)
			if err != nil {
				return evidence.RecordBlock{}, err
			}
			return evidence.RecordBlock{ReaderAt: b, Closer: b, Size: b.Size}, nil
		},
		Files: []evidence.SealFile{{Path: "data/README.txt", Content: []byte("A sample.\n")}, {Path: "data/verify.py", Content: []byte("# A sample.\n")}},
		Info:  []bag.Field{{Label: bag.BaggingDate, Value: "2026-12-01"}}})
	if err != nil {
		t.Fatal(err)
	}
	p.check(t, report.Root)
	return p
}

// check requires that the production verifies under the root of the case.
func (p *made) check(t *testing.T, root string) {
	t.Helper()
	var err error
	if p.files, err = bag.OpenFolder(p.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.files.Close() })
	report, c, err := verify.Check(t.Context(), p.files, verify.Options{Deep: true})
	if err != nil || c == nil || report.Root != root {
		t.Fatalf("the production does not verify: %v, %+v", err, report)
	}
	p.c = c
}

func parsed(t *testing.T, list string) []Selector {
	t.Helper()
	s, err := Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func heldSeqs(p *Plan) (seqs []int64) {
	for _, h := range p.Sorted() {
		seqs = append(seqs, h.Head.Seq)
	}
	return seqs
}

// TestChoose: what each kind of selector takes, and what goes with it.
func TestChoose(t *testing.T) {
	m := newMailbox(t)
	refused := m.answer(`{"error":"try again"}`, false)
	first := m.attempt(1, `{"value":[{"Id":"record-0001","Subject":"Lunch"},{"Id":"record-0002","InternetMessageId":"<Falcon-77@contoso.example>"}]}`, true, refused)
	link := m.answer(`{"value":[{"Id":"record-0003","Subject":"Falcon budget"}],"@odata.nextLink":"https://service.example/page/3?after=Falcon-77%40contoso.example"}`, false)
	again := m.answer(`{"value":[{"Id":"record-0003","Subject":"Falcon budget"}]}`, true)
	other := m.answer(`{"value":[{"Id":"record-0004","Subject":"Travel"}]}`, true)
	cut := m.Exchange(sample.Answer{Window: 1, Page: 9, Parent: m.none, RetryOf: m.none, Status: 200, Ended: "cut", Head: "HTTP/1.1 200 OK\r\nContent-Length: 500", Body: `{"value":[`})
	bad := m.Exchange(sample.Answer{Window: 1, Page: 10, Parent: m.none, RetryOf: m.none, Status: 200, Head: "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3", Body: "abc"})
	strange := m.Exchange(sample.Answer{Source: "from-the-future", Window: 1, Page: 11, Parent: m.none, RetryOf: m.none, Status: 200, Head: "HTTP/1.1 200 OK\r\nContent-Length: 2", Body: "{}"})
	note := m.Operator(evidence.ActionNote, "the token was asked for because of Falcon-77@contoso.example")
	c := m.sealed()
	for _, test := range []struct {
		list string
		want []int64
	}{
		{fmt.Sprintf("seq %d", other), []int64{other}},
		{fmt.Sprintf("seq %d-%d", other, cut), []int64{other, cut}},
		{"seq 0-2", []int64{1, 2}},                                // the case entry stays
		{fmt.Sprintf("seq %d", refused), []int64{refused, first}}, // both were for page 1
		{"id <Falcon-77@contoso.example>", []int64{refused, first, link, cut, bad, note}},
		{"text Falcon budget", []int64{link, again, cut, bad}},
		{"query subject eq 'Travel'", []int64{other, cut, bad, strange}},
		{"query subject eq 'Falcon budget' and seq eq " + fmt.Sprint(link), []int64{link, again, cut, bad, strange}}, // the same record is on another page
	} {
		p, err := Choose(t.Context(), c, parsed(t, test.list), Options{})
		if err != nil {
			t.Errorf("%s: %v", test.list, err)
			continue
		}
		if got := heldSeqs(p); !slices.Equal(got, test.want) {
			t.Errorf("%s: takes %v, want %v", test.list, got, test.want)
		}
		made := m.produce(c, p.Level)
		if leaks, err := p.Search(t.Context(), made.files, made.c, []string{"data/README.txt", "data/verify.py"}); err != nil || len(leaks) > 0 {
			t.Errorf("%s: %v, %v", test.list, leaks, err)
		}
	}
	p, err := Choose(t.Context(), c, parsed(t, "text Falcon budget"), Options{DiscloseUnsearchable: true})
	if err != nil || !slices.Equal(heldSeqs(p), []int64{link, again}) {
		t.Errorf("with what cannot be searched disclosed: %v, %v", heldSeqs(p), err)
	}
	p, err = Choose(t.Context(), c, parsed(t, "reason privileged\nlevel 0\ntext Falcon budget\nreason other\ntext Travel\ntext nowhere to be found"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if h := p.Held[link]; h.Level != evidence.LevelLeaf || h.Reason != "privileged" || h.Records != 1 {
		t.Errorf("%+v", h)
	}
	if h := p.Held[other]; h.Reason != "other" || h.Because != "line 5 of the list, text" {
		t.Errorf("%+v", h)
	}
	if len(p.Idle) != 1 || p.Idle[0].Line != 6 {
		t.Errorf("idle %v", p.Idle)
	}
}

// TestRefused: what cannot be withheld, and what names nothing.
func TestRefused(t *testing.T) {
	m := newMailbox(t)
	m.answer(`{"value":[]}`, false)
	c := m.sealed()
	for _, list := range []string{"seq 0", "text Jo Example", fmt.Sprintf("seq %d", c.Len()-1)} { // the examiner stands in the case entry
		var fixed *FixedError
		if _, err := Choose(t.Context(), c, parsed(t, list), Options{}); !errors.As(err, &fixed) || fixed.Line != 1 {
			t.Errorf("%s: %v", list, err)
		}
	}
	if _, err := Choose(t.Context(), c, parsed(t, "seq 999"), Options{}); !errors.Is(err, ErrNothing) {
		t.Errorf("%v", err)
	}
	for _, list := range []string{"", "# nothing\n", "seq x", "seq 5-4", "seq -1", "text short", "id <a@b>", "query subject", "query sbject eq 'x'", "query subject eq 5", "level 2",
		"word x", "reason " + strings.Repeat("x", 1001), "text " + strings.Repeat("x", 1001), "text \xff\xff\xff\xff\xff\xff", strings.Repeat("# x\n", MaxList)} {
		if s, err := Parse(list); err == nil {
			t.Errorf("%.40q gives %v", list, s)
		}
	}
}

// TestPlantedLeaks puts what is withheld into a finished production, at each kind of place and in each encoding: the search must find it.
func TestPlantedLeaks(t *testing.T) {
	m := newMailbox(t)
	secret := m.answer(`{"value":[{"Id":"record-0001","InternetMessageId":"<`+text+`>"}]}`, true)
	c := m.sealed()
	p, err := Choose(t.Context(), c, parsed(t, "id "+text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	search := func(made *made) []Leak {
		leaks, err := p.Search(t.Context(), made.files, made.c, []string{"data/README.txt", "data/verify.py"})
		if err != nil && !errors.Is(err, verify.ErrChanged) { // which a record that nothing names is, too
			t.Fatal(err)
		}
		return leaks
	}
	if leaks := search(m.produce(c, p.Level)); len(leaks) > 0 {
		t.Fatalf("nothing was planted: %v", leaks)
	}
	// The page itself, as if the choice had missed it: in a gzipped body that only the checked production opens.
	if leaks := search(m.produce(c, func(*evidence.Entry) (int64, string) { return evidence.LevelWhole, "" })); !slices.ContainsFunc(leaks, func(l Leak) bool { return l.Seq == secret && l.Line == 1 }) {
		t.Errorf("a page that was not withheld: %v", leaks)
	}
	// A reason that says it.
	if leaks := search(m.produce(c, func(e *evidence.Entry) (int64, string) {
		level, _ := p.Level(e)
		if level < evidence.LevelWhole {
			return level, "about " + text
		}
		return level, ""
	})); len(leaks) == 0 {
		t.Error("a reason that says what is withheld")
	}
	entry, err := c.Entry(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	plants := encodings(t)
	plants["nonce"] = entry.Detail.Nonce.String()
	plants["nonce, raw"] = string(entry.Detail.Nonce[:])
	plants["nonce, base64"] = base64.StdEncoding.EncodeToString(entry.Detail.Nonce[:])
	plants["record id"] = evidence.RecordID(entry.Detail.Nonce, 1)
	plants["block"] = entry.Detail.Records[1].Block.String()
	for name, content := range plants {
		for _, file := range []string{"bag-info.txt", "data/checkpoints/1.note", "data/evidence/00002.warc.zst"} {
			made := m.produce(c, p.Level)
			plant(t, filepath.Join(made.dir, filepath.FromSlash(file)), file, content)
			if leaks := search(made); !slices.ContainsFunc(leaks, func(l Leak) bool { return l.Path == file }) {
				t.Errorf("%s in %s: %v", name, file, leaks)
			}
		}
	}
}

// plant writes content into a file; into a segment as a record that nothing names.
func plant(t *testing.T, path, name, content string) {
	t.Helper()
	b := []byte(content)
	if strings.HasSuffix(name, ".zst") {
		enc, err := warc.NewEncoder()
		if err != nil {
			t.Fatal(err)
		}
		out, err := enc.Encode(warc.Header{Type: warc.Resource, ID: "urn:uuid:00000000-0000-4000-8000-000000000000", Date: "2026-11-22T10:00:00.000000Z", TargetURI: "urn:exhibit:excess",
			ContentType: "application/octet-stream"}, []byte(strings.Repeat("aaaa", 300)+content+strings.Repeat("aaaa", 300)))
		if err != nil {
			t.Fatal(err)
		}
		b = out.Frame
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// tokens are runs of 24 bytes and more that look random.
var tokens = regexp.MustCompile(`[A-Za-z0-9]{24,}`)

// TestRandomSelections: for random cases and selections, the root matches, what is disclosed is byte for byte that of the case, and no token of what is withheld is
// left anywhere in the production.
func TestRandomSelections(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomSelection(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

// randomToken makes a run of letters and digits.
func randomToken(r *rand.Rand) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 24+r.IntN(20))
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

// randomPages appends pages of records, some of which hold one of the shared ids, and some of which are brought twice.
func randomPages(m *mailbox, r *rand.Rand, shared []string) (pages []int64) {
	for range 5 + r.IntN(10) {
		var records []string
		for range 1 + r.IntN(5) {
			records = append(records, fmt.Sprintf(`{"Id":"%s","Subject":"%s"}`, randomToken(r), randomToken(r)))
		}
		if r.IntN(3) == 0 {
			records = append(records, fmt.Sprintf(`{"Id":"%s","InternetMessageId":"\u003c%s@x.example>"}`, randomToken(r), shared[r.IntN(len(shared))]))
		}
		body := `{"value":[` + strings.Join(records, ",") + `]}`
		seq := m.answer(body, r.IntN(2) == 0)
		pages = append(pages, seq)
		if r.IntN(4) == 0 {
			pages = append(pages, m.attempt(m.page, body, r.IntN(2) == 0, seq))
		}
	}
	return pages
}

func randomSelection(t *testing.T, r *rand.Rand) {
	m, shared := newMailbox(t), []string{randomToken(r), randomToken(r), randomToken(r)}
	pages := randomPages(m, r, shared)
	c := m.sealed()
	list := "reason chance\n"
	for range 1 + r.IntN(3) {
		switch r.IntN(3) {
		case 0:
			list += fmt.Sprintf("seq %d\n", pages[r.IntN(len(pages))])
		case 1:
			list += fmt.Sprintf("level %d\n", r.IntN(2))
		}
	}
	list += fmt.Sprintf("id <%s@x.example>\nseq %d\n", shared[r.IntN(3)], pages[r.IntN(len(pages))])
	p, err := Choose(t.Context(), c, parsed(t, list), Options{})
	if err != nil {
		t.Fatal(err)
	}
	made := m.produce(c, p.Level)
	if leaks, err := p.Search(t.Context(), made.files, made.c, nil); err != nil || len(leaks) > 0 {
		t.Errorf("%v, %v", leaks, err)
	}
	disclosed := sameAsCase(t, c, made.c, p)
	looked, everything := 0, decodedProduction(t, made)
	for seq := range p.Held {
		e, err := c.Entry(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range tokens.FindAllString(textOf(t, c, e), -1) {
			looked++
			if !disclosed[s] && strings.Contains(everything, s) {
				t.Errorf("token %q of entry %d is in the production", s, seq)
			}
		}
	}
	if looked < 3 {
		t.Errorf("only %d tokens were withheld", looked)
	}
}

// sameAsCase requires that what is disclosed is byte for byte that of the case, and that nothing else is. It returns the tokens in it.
func sameAsCase(t *testing.T, c, production *verify.Container, p *Plan) map[string]bool {
	t.Helper()
	disclosed := map[string]bool{}
	for e, err := range c.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got, err := production.Entry(t.Context(), e.Head.Seq)
		if p.Held[e.Head.Seq] != nil {
			if !errors.Is(err, verify.ErrWithheld) {
				t.Errorf("entry %d: %v", e.Head.Seq, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got.HeadLine, e.HeadLine) || !bytes.Equal(got.DetailLine, e.DetailLine) {
			t.Fatalf("entry %d differs: %v", e.Head.Seq, err)
		}
		for i := range e.Detail.Records {
			if !bytes.Equal(blockOf(t, c, e, i), blockOf(t, production, got, i)) {
				t.Errorf("record %d of entry %d differs", i, e.Head.Seq)
			}
		}
		for _, s := range tokens.FindAllString(textOf(t, c, e), -1) {
			disclosed[s] = true
		}
	}
	return disclosed
}

// textOf is all of an entry: its detail line, its blocks and its decoded body.
func textOf(t *testing.T, c *verify.Container, e *evidence.Entry) string {
	t.Helper()
	all := string(e.DetailLine)
	for i := range e.Detail.Records {
		all += "\n" + string(blockOf(t, c, e, i))
	}
	body, err := c.Body(t.Context(), e)
	if err != nil {
		return all
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return all + "\n" + string(b)
}

func blockOf(t *testing.T, c *verify.Container, e *evidence.Entry, i int) []byte {
	t.Helper()
	b, err := c.Block(t.Context(), e, i)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	all, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// decodedProduction is every byte of a production, with frames and gzip taken off.
func decodedProduction(t *testing.T, p *made) string {
	t.Helper()
	var all strings.Builder
	err := fs.WalkDir(p.files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(p.files, name)
		all.Write(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range p.c.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(textOf(t, p.c, e))
	}
	return all.String()
}
