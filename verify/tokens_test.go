package verify_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
	"github.com/exhibit-dfir/exhibit/verify"
)

func pinned(t *testing.T, name string, ids ...*authority.Identity) verify.Authority {
	t.Helper()
	var pem []byte
	for _, id := range ids {
		pem = append(pem, id.RootPEM()...)
	}
	a, err := verify.ReadAuthority(name, pem)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func statement(r *verify.Report, id string) verify.Statement {
	return r.Statements[slices.IndexFunc(r.Statements, func(s verify.Statement) bool { return s.ID == id })]
}

// TestPinnedAuthority says whether a case existed before a time, for what the user pins and what the case holds.
func TestPinnedAuthority(t *testing.T) {
	one, two := sample.Authority(t, tsaSeed, authority.Options{Name: "One"}), sample.Authority(t, 77, authority.Options{Name: "Two"})
	expired := sample.Authority(t, 78, authority.Options{Name: "Expired", NotAfter: time.Date(2026, 11, 22, 9, 59, 59, 0, time.UTC)})
	since := sample.Authority(t, 79, authority.Options{Name: "Since", NotAfter: time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)})
	a, b, x, s := pinned(t, "one.pem", one), pinned(t, "two.pem", two), pinned(t, "expired.pem", expired), pinned(t, "since.pem", since)
	all := func(m *sample.Maker) { m.SealStamped(one, nil) }
	for name, c := range map[string]struct {
		make  func(*sample.Maker)
		pins  []verify.Authority
		exit  int
		holds verify.Holds
		why   string
	}{
		"no token, no pin":         {func(m *sample.Maker) { m.Seal() }, nil, 0, verify.NotChecked, "no trusted time"},
		"no token, pin":            {func(m *sample.Maker) { m.Seal() }, []verify.Authority{a}, 8, verify.No, "see the findings"},
		"token, no pin":            {all, nil, 0, verify.NotChecked, "said to be by CN=One: give --tsa-ca"},
		"token, its pin":           {all, []verify.Authority{a}, 0, verify.Yes, "existed before 2026-11-22T10:00:"},
		"token, another pin":       {all, []verify.Authority{b}, 8, verify.No, ""},
		"token, its and another":   {all, []verify.Authority{a, b}, 8, verify.No, ""},
		"head alone is stamped":    {func(m *sample.Maker) { m.Stamp(one, nil); m.Seal() }, []verify.Authority{a}, 8, verify.No, ""},
		"two authorities":          {func(m *sample.Maker) { m.Stamp(two, nil); m.SealStamped(one, nil) }, []verify.Authority{a}, 0, verify.Yes, ""},
		"expired when it signed":   {func(m *sample.Maker) { m.SealStamped(expired, nil) }, []verify.Authority{x}, 8, verify.No, ""},
		"expired since":            {func(m *sample.Maker) { m.SealStamped(since, nil) }, []verify.Authority{s}, 0, verify.Yes, ""},
		"unsealed, head stamped":   {func(m *sample.Maker) { m.Stamp(one, nil); m.Close() }, []verify.Authority{a}, 4, verify.Yes, "the first 14 of 17 entries existed before"},
		"unsealed, another pinned": {func(m *sample.Maker) { m.Stamp(one, nil); m.Close() }, []verify.Authority{b}, 4, verify.No, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := sample.Small(t)
			c.make(m)
			r, _, err := verify.Check(context.Background(), m.Folder.FS(), verify.Options{Authorities: c.pins, Now: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			got := statement(r, "c")
			if r.Exit() != c.exit || got.Holds != c.holds || !strings.Contains(got.Why, c.why) {
				t.Errorf("exit %d, %s: %s; %v", r.Exit(), got.Holds, got.Why, codesOf(r))
			}
			if statement(r, "b").Holds != verify.NotChecked {
				t.Errorf("no key was pinned: %v", statement(r, "b"))
			}
		})
	}
}

// TestPinnedAuthorityInPython asks verify.py, and through it openssl, the same: the authority that stamped is met, another is not, and certificates count as of the time that they signed at.
func TestPinnedAuthorityInPython(t *testing.T) {
	for _, tool := range []string{"python3", "zstd", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			what := tool + " is missing: that verify.py agrees on pinned authorities was not tested"
			if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
				t.Fatal(what)
			}
			t.Skip("NOT TESTED: " + what)
		}
	}
	one, two := sample.Authority(t, tsaSeed, authority.Options{Name: "One"}), sample.Authority(t, 77, authority.Options{Name: "Two"})
	expired := sample.Authority(t, 78, authority.Options{Name: "Expired", NotAfter: time.Date(2026, 11, 22, 9, 59, 59, 0, time.UTC)})
	since := sample.Authority(t, 79, authority.Options{Name: "Since", NotAfter: time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)})
	self := sample.Authority(t, 80, authority.Options{Name: "Self", SelfSign: true})
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak := sample.Authority(t, 81, authority.Options{Name: "Weak", RootKey: key})
	sound := func(*x509.Certificate) {}
	between := sample.Authority(t, 82, authority.Options{Name: "Between", Between: sound})
	other := sample.Authority(t, 83, authority.Options{Name: "Other", Between: func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, authority.Usage(false, authority.ClientAuth()))
	}})
	for name, c := range map[string]struct {
		by, pin *authority.Identity
		late    bool
		exit    int
		says    string
	}{
		"its own":                  {one, one, false, 0, "(c) existed before T: yes; all 16 entries existed before 2026-11-22T10:00:"},
		"another":                  {one, two, false, 8, "[tsa-not-met]"},
		"expired when it signed":   {expired, expired, false, 8, "[tsa-not-met]"},
		"expired since":            {since, since, false, 0, "(c) existed before T: yes"},
		"its own root":             {self, self, false, 0, "(c) existed before T: yes"},
		"a weak root":              {weak, weak, false, 8, "[tsa-not-met]"},
		"one between":              {between, between, false, 0, "(c) existed before T: yes"},
		"one between for others":   {other, other, false, 8, "[tsa-not-met]"},
		"late":                     {one, one, true, 0, "(c) existed before T: yes"},
		"late, and another pinned": {one, two, true, 8, "[tsa-not-met]"},
	} {
		t.Run(name, func(t *testing.T) {
			m := sample.Small(t)
			var files map[string][]byte
			if c.late {
				m.Seal()
				files = m.Folder.Files()
				files["stamps/0001.tsr"], _ = m.Token(c.by, files["package.note"], nil)
			} else {
				m.SealStamped(c.by, nil)
				files = m.Folder.Files()
			}
			dir := t.TempDir()
			(&vector{files: files}).unpack(t, filepath.Join(dir, "case"))
			if err := os.WriteFile(filepath.Join(dir, "ca.pem"), c.pin.RootPEM(), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("python3", "../evidence/bag/stranger/verify.py", "--tsa-ca", filepath.Join(dir, "ca.pem"), filepath.Join(dir, "case")).CombinedOutput()
			var exit *exec.ExitError
			code := 0
			if errors.As(err, &exit) {
				code = exit.ExitCode()
			}
			if code != c.exit || !strings.Contains(string(out), c.says) {
				t.Errorf("exit %d, want %d with %q:\n%s", code, c.exit, c.says, out)
			}
			r, _, err := verify.Check(context.Background(), mapFS(files), verify.Options{Authorities: []verify.Authority{pinned(t, "ca.pem", c.pin)}})
			if err != nil || r.Exit() != c.exit {
				t.Errorf("check: exit %d, %v", r.Exit(), err)
			}
		})
	}
}

// TestLateToken has a sealed case stamped afterwards.
func TestLateToken(t *testing.T) {
	id := sample.Authority(t, tsaSeed, authority.Options{})
	m := sample.Small(t)
	m.Seal()
	files := m.Folder.Files()
	check := func() *verify.Report {
		r, _, err := verify.Check(context.Background(), mapFS(files), verify.Options{Authorities: []verify.Authority{pinned(t, "tsa.pem", id)}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := check(); r.Exit() != 8 {
		t.Errorf("before: exit %d", r.Exit())
	}
	files["stamps/0001.tsr"], _ = m.Token(id, files["package.note"], nil)
	if r := check(); r.Exit() != 0 || statement(r, "c").Holds != verify.Yes {
		t.Errorf("after: exit %d, %v, %v", r.Exit(), statement(r, "c"), codesOf(r))
	}
}

// TestStatementsApart keeps keys, authorities and damage apart: each says only what is its own.
func TestStatementsApart(t *testing.T) {
	one, two := sample.Authority(t, tsaSeed, authority.Options{}), sample.Authority(t, 77, authority.Options{})
	m := sample.Small(t)
	m.SealStamped(one, nil)
	key, err := trust.ParseVKey(m.Key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := trust.ParseVKey(sample.Key(t, 42).VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	damaged := m.Folder.Files()
	damaged["data/README.txt"] = []byte("x")
	for name, c := range map[string]struct {
		files map[string][]byte
		key   trust.VKey
		tsa   *authority.Identity
		exit  int
		b, c  verify.Holds
	}{
		"both":      {m.Folder.Files(), key, one, 0, verify.Yes, verify.Yes},
		"authority": {m.Folder.Files(), stranger, one, 8, verify.No, verify.Yes},
		"key":       {m.Folder.Files(), key, two, 8, verify.Yes, verify.No},
		"damaged":   {damaged, key, one, 3, verify.No, verify.No},
	} {
		r, _, err := verify.Check(context.Background(), mapFS(c.files), verify.Options{Keys: []trust.VKey{c.key}, Authorities: []verify.Authority{pinned(t, "tsa.pem", c.tsa)}})
		if err != nil || r.Exit() != c.exit || statement(r, "b").Holds != c.b || statement(r, "c").Holds != c.c {
			t.Errorf("%s: exit %d, (b) %s, (c) %s, %v", name, r.Exit(), statement(r, "b").Holds, statement(r, "c").Holds, err)
		}
	}
}

// TestFuture does not believe a time that is more than a day ahead.
func TestFuture(t *testing.T) {
	id := sample.Authority(t, tsaSeed, authority.Options{})
	m := sample.Small(t)
	m.SealStamped(id, nil)
	for now, exit := range map[string]int{"2026-11-21T09:00:00Z": 8, "2026-11-21T11:00:00Z": 0, "2046-11-21T11:00:00Z": 0} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := verify.Check(context.Background(), m.Folder.FS(), verify.Options{Authorities: []verify.Authority{pinned(t, "tsa.pem", id)}, Now: at})
		if err != nil || r.Exit() != exit {
			t.Errorf("at %s: exit %d, %v", now, r.Exit(), err)
		}
	}
}

// at makes a token state this time, without accuracy.
func at(text string) func(*authority.Reply) {
	return func(r *authority.Reply) { r.Time, r.Accuracy = text, 0 }
}

// TestCommitted tells for each entry between which tokens it was committed. The ledger is:
//
//	0 case, 1 checkpoint over 1, 2 stamp of head 1 at 10:00, 3 note, 4 checkpoint over 4, 5 stamp of head 4 at 11:00 by another authority, 6 note, 7 checkpoint over 7,
//	8 stamp of head 7 at 12:00, 9 checkpoint over 9, 10 seal; final head over 11 at 13:00
func TestCommitted(t *testing.T) {
	one, two := sample.Authority(t, tsaSeed, authority.Options{Name: "One"}), sample.Authority(t, 77, authority.Options{Name: "Two"})
	m := sample.New(t, nil)
	m.Stamp(one, at("20261122100000Z"))
	m.Operator(evidence.ActionNote, "a")
	m.Stamp(two, at("20261122110000Z"))
	m.Operator(evidence.ActionNote, "b")
	m.Stamp(one, at("20261122120000Z"))
	m.SealStamped(one, at("20261122130000Z"))
	_, c, err := verify.Check(context.Background(), m.Folder.FS(), verify.Options{Authorities: []verify.Authority{pinned(t, "one.pem", one)}})
	if err != nil || c == nil || c.Len() != 11 {
		t.Fatalf("%v, %v", c, err)
	}
	short := func(s *verify.Stamped) string {
		if s == nil {
			return "-"
		}
		return s.Time[11:13]
	}
	var got []string
	for seq := range c.Len() {
		between := c.Committed(seq)
		got = append(got, fmt.Sprintf("%d:%s-%s", seq, short(between.After), short(between.Before)))
	}
	want := []string{"0:--10", "1:--12", "2:--12", "3:10-12", "4:10-12", "5:10-12", "6:10-12", "7:10-13", "8:10-13", "9:12-13", "10:12-13"}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestTokenOrder notices a later token with an earlier time.
func TestTokenOrder(t *testing.T) {
	one := sample.Authority(t, tsaSeed, authority.Options{})
	for last, want := range map[string]bool{"20261122100001Z": false, "20261122100000Z": false, "20261122095959Z": true} {
		m := sample.New(t, nil)
		m.Stamp(one, at("20261122100000Z"))
		m.SealStamped(one, at(last))
		r, _, err := verify.Check(context.Background(), m.Folder.FS(), verify.Options{Authorities: []verify.Authority{pinned(t, "one.pem", one)}})
		if err != nil || slices.Contains(codesOf(r), "token-order") != want || r.Exit() != 0 {
			t.Errorf("%s: exit %d, %v, %v", last, r.Exit(), codesOf(r), err)
		}
	}
}

// TestBackDated tells an attack of docs/threat model: a case that is re-signed after the fact, with the clock set back. Old tokens do not fit it, and new ones say when it was.
func TestBackDated(t *testing.T) {
	one := sample.Authority(t, tsaSeed, authority.Options{})
	old := sample.Small(t)
	old.SealStamped(one, at("20261122110000Z"))
	forged := sample.New(t, nil) // the same key, clock and case id
	forged.Operator(evidence.ActionNote, "what did not happen")
	forged.Seal()
	files := forged.Folder.Files()
	options := verify.Options{Authorities: []verify.Authority{pinned(t, "one.pem", one)}}
	r, _, err := verify.Check(context.Background(), mapFS(files), options)
	if err != nil || r.Exit() != 8 {
		t.Errorf("without a token: exit %d, %v", r.Exit(), err)
	}
	with := maps.Clone(files)
	with[finalToken(files)] = old.Folder.Files()[finalToken(old.Folder.Files())]
	reseal(t, with)
	if r, _, _ = verify.Check(context.Background(), mapFS(with), options); r.Exit() != 3 || !slices.Contains(codesOf(r), "token-form") {
		t.Errorf("with the old token: exit %d, %v", r.Exit(), codesOf(r))
	}
	with[finalToken(files)], _ = forged.Token(one, files[newestNote(files)], at("20270101000000Z"))
	reseal(t, with)
	if r, _, _ = verify.Check(context.Background(), mapFS(with), options); r.Exit() != 0 || !strings.Contains(statement(r, "c").Why, "before 2027-01-01T00:00:00Z") {
		t.Errorf("with a new token: exit %d, %v", r.Exit(), statement(r, "c"))
	}
}

// TestEveryCrashOfAStamp stops the stamping of a head before each of its operations, with each way of losing what was not synced: the case can be opened, goes on, and checks.
func TestEveryCrashOfAStamp(t *testing.T) {
	ctx, id := context.Background(), sample.Authority(t, tsaSeed, authority.Options{})
	cases := 0
	for _, survival := range []crashfs.Survival{crashfs.Nothing, crashfs.Half, crashfs.Everything} {
		for n := 0; ; n++ {
			m := sample.New(t, nil)
			m.Operator(evidence.ActionNote, "x")
			head, err := m.W.Newest(ctx)
			if err != nil {
				t.Fatal(err)
			}
			der, nonce := m.Token(id, []byte(head.Note), nil)
			m.Folder.CrashAt(n)
			acked := m.W.Stamp(ctx, evidence.Stamp{Size: head.Size, DER: der, Authority: "http://tsa.example/", Nonce: nonce, Operator: "jo", Host: "host.example"}) == nil
			crashed := m.Folder.Crashed()
			after := m.Folder.Reboot(survival)
			w, _, err := evidence.Open(ctx, evidence.Options{Folder: after, Signers: []trust.Signer{m.Key}, Now: sample.Clock(), Rand: sample.Rand(3)})
			if err != nil {
				t.Fatalf("operation %d: %v", n, err)
			}
			if err := errors.Join(w.Seal(ctx, sample.SealOptions(t)), w.Close(ctx)); err != nil {
				t.Fatalf("operation %d: %v", n, err)
			}
			r, _, err := verify.Check(ctx, after.FS(), verify.Options{})
			if err != nil || r.Exit() != verify.ExitVerified {
				t.Errorf("operation %d: exit %d, %v, %v", n, r.Exit(), codesOf(r), err)
			}
			if acked && (len(r.Tokens) != 1 || r.Tokens[0].Seq < 0) {
				t.Errorf("operation %d: acknowledged, and then %+v", n, r.Tokens)
			}
			if cases++; !crashed {
				break
			}
		}
	}
	if cases < 12 {
		t.Errorf("only %d crashes: is the stamp still stopped?", cases)
	}
}

// TestLatestToken: the timestamp that is called the latest is it, also where its name comes before that of another.
func TestLatestToken(t *testing.T) {
	id := sample.Authority(t, tsaSeed, authority.Options{})
	m := sample.New(t, nil)
	var last int64
	for last < 10 { // the heads over 9 entries and fewer, and one over more
		m.Operator(evidence.ActionNote, "x")
		last = m.Stamp(id, nil)
	}
	m.Close()
	r, _, err := verify.Check(context.Background(), m.Folder.FS(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var sizes []int64
	for _, token := range r.Tokens {
		sizes = append(sizes, token.Size)
	}
	if want := fmt.Sprintf("over %d entries", last); !slices.IsSorted(sizes) || !strings.Contains(statement(r, "c").Why, want) || len(sizes) < 2 {
		t.Errorf("%v; %s; want %s", sizes, statement(r, "c").Why, want)
	}
}
