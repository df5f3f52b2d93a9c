package custody_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/custody"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

const origin = "exhibit-dfir.github.io/case/00112233445566778899aabbccddeeff"

func random(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func key(t testing.TB, seed byte) *trust.PrivateKey {
	t.Helper()
	k, err := trust.NewKey(random(seed), fmt.Sprintf("lab.example/%d", seed))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func vkey(t testing.TB, seed byte) trust.VKey {
	t.Helper()
	k, err := trust.ParseVKey(key(t, seed).VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// whole is the text of a record with every line that it may have, spelt by hand from docs/container.md, 12.2.
func whole(t testing.TB) string {
	return "exhibit custody v1\n" + origin + "\nsequence: 7\nid: 000102030405060708090a0b0c0d0e0f\nprevious: " + strings.Repeat("ab", 32) + "\nanswers: " + strings.Repeat("cd", 32) +
		"\ntime: 2026-11-22T12:00:00.000001Z\nzone: -09:30\nevent: received\nexhibit: EX-1\ndescription: a mailbox\ncontainer: " + strings.Repeat("01", 32) + "\nsize: 61874\n" +
		"released-by: Jo Example\nreleased-by-organisation: Example Forensics\nreleased-by-contact: jo@lab.example\n" +
		"received-by: Åsa Clerk\nreceived-by-organisation: Court: first chamber\nreceived-by-contact: +46 8 000\n" +
		"purpose: p\nauthority: a\nmethod: courier\nfrom-place: f\nto-place: t\nstorage: s\ncondition: c\nchanges: none\ntool: exhibit 0.1\nkey: " + key(t, 1).VerifierKey() + "\n"
}

func TestRecord(t *testing.T) {
	text := whole(t)
	r, err := custody.ParseRecord(text)
	if err != nil {
		t.Fatal(err)
	}
	if r.Sequence != 7 || r.Origin != origin || !r.Time.Equal(time.Date(2026, 11, 22, 12, 0, 0, 1000, time.UTC)) || r.Size != 61874 || r.Answers == nil || r.Answers[0] != 0xcd ||
		r.ReceivedBy != (custody.Party{Name: "Åsa Clerk", Organisation: "Court: first chamber", Contact: "+46 8 000"}) || r.Signer() != r.ReceivedBy || r.Key != vkey(t, 1) || r.Changes != "none" {
		t.Errorf("read as %+v", r)
	}
	if again, err := r.Text(); err != nil || again != text {
		t.Errorf("written again (%v):\n%s", err, again)
	}
	r.Condition = "two\nlines"
	if text, err := r.Text(); err == nil {
		t.Errorf("written with two lines in a value:\n%s", text)
	}
}

// small is a case folder with what the package needs of one.
func small(t *testing.T) string {
	t.Helper()
	return t.TempDir()
}

func released(at time.Time) custody.Record {
	return custody.Record{Origin: origin, Time: at, Zone: "+00:00", Event: custody.Transferred, Exhibit: "EX", ReleasedBy: custody.Party{Name: "Jo"}, ReceivedBy: custody.Party{Name: "Kim"}, Tool: "t"}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestAppend(t *testing.T) {
	dir, want := small(t), custody.Expect{Origin: origin, Size: -1}
	read := func() *custody.Chain {
		t.Helper()
		c := custody.Read(os.DirFS(dir), want)
		if c.Broken() {
			t.Fatalf("broken: %+v", c.Problems)
		}
		return c
	}
	first, err := custody.Append(t.Context(), dir, read(), released(noon), key(t, 1), random(1))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "custody", "0001.note"))
	if err != nil || sha256.Sum256(b) != first.Hash {
		t.Errorf("hash %s, %v", first.Hash, err)
	}
	stale := read()
	receipt := released(noon.Add(time.Hour))
	receipt.Event, receipt.Answers = custody.Received, &first.Hash
	if _, err := custody.Append(t.Context(), dir, stale, receipt, key(t, 2), random(2)); err != nil {
		t.Fatal(err)
	}
	if _, err := custody.Append(t.Context(), dir, stale, receipt, key(t, 2), random(3)); !errors.Is(err, custody.ErrTaken) {
		t.Errorf("appended twice behind one record: %v", err)
	}
	c := read()
	held := c.Held()
	if len(c.Links) != 2 || c.Links[1].Previous != first.Hash || len(held) != 2 || held[0].Name != "Jo" || !held[0].Until.Equal(noon) || held[1].Name != "Kim" || !held[1].Until.IsZero() || len(c.Problems) > 0 {
		t.Errorf("chain %+v, held %+v", c, held)
	}
	names, err := fs.Glob(os.DirFS(dir), "custody/*")
	if err != nil || strings.Join(names, " ") != "custody/0001.note custody/0002.note" {
		t.Errorf("files %q, %v", names, err)
	}
}

// brokenSigner signs something else.
type brokenSigner struct{ trust.Signer }

func (s brokenSigner) Sign(ctx context.Context, msg []byte) ([]byte, error) {
	return s.Signer.Sign(ctx, append(bytes.Clone(msg), 'x'))
}

// TestAppendFails: where a record cannot be written, nothing is left of it, and nothing outside is touched.
func TestAppendFails(t *testing.T) {
	dir := small(t)
	empty := custody.Read(os.DirFS(dir), custody.Expect{Size: -1})
	bad := released(noon)
	bad.Method = "\x1b[31m"
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := custody.Append(t.Context(), dir, empty, bad, key(t, 1), random(1)); err == nil {
		t.Error("a control character was written")
	}
	if _, err := custody.Append(t.Context(), dir, empty, released(noon), brokenSigner{key(t, 1)}, random(1)); err == nil {
		t.Error("a bad signature was written")
	}
	if _, err := custody.Append(ended, dir, empty, released(noon), key(t, 1), random(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	if _, err := custody.Append(t.Context(), dir, empty, released(noon), key(t, 1), bytes.NewReader(nil)); err == nil {
		t.Error("a record without randomness")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(dir, "custody")); err != nil {
		t.Skip(err)
	}
	if _, err := custody.Append(t.Context(), dir, empty, released(noon), key(t, 1), random(1)); err == nil {
		t.Error("a link for custody/ was followed")
	}
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
		t.Errorf("written elsewhere: %v, %v", left, err)
	}
}

// TestReadBounds: a chain of more bytes than a chain has is not read to its end.
func TestReadBounds(t *testing.T) {
	dir := small(t)
	if err := os.Mkdir(filepath.Join(dir, "custody"), 0o700); err != nil {
		t.Fatal(err)
	}
	for n := range 140 {
		if err := os.WriteFile(filepath.Join(dir, custody.Path(n+1)), bytes.Repeat([]byte("x"), 65_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := custody.Read(os.DirFS(dir), custody.Expect{Size: -1})
	long := 0
	for _, p := range c.Problems {
		if p.Code != custody.CodeForm {
			t.Errorf("%+v", p)
		}
		if strings.Contains(p.Detail, "longer than") {
			long++
		}
	}
	if len(c.Problems) != 140 || long != 140-8<<20/65_000 {
		t.Errorf("%d problems, %d of them for length", len(c.Problems), long)
	}
}

// FuzzRecord: what is read is written again as it was.
func FuzzRecord(f *testing.F) {
	text := whole(f)
	f.Add(text)
	f.Add(strings.Replace(text, "received\n", "transferred\n", 1))
	f.Add("exhibit custody v1\no\nsequence: 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := custody.ParseRecord(text)
		if err != nil {
			return
		}
		if again, err := r.Text(); err != nil || again != text {
			t.Errorf("written again (%v) %q, was %q", err, again, text)
		}
	})
}

// TestInterruptedAppend: what a write leaves that was cut off before the record had its name is no record, and the next one is written all the same.
func TestInterruptedAppend(t *testing.T) {
	dir := small(t)
	left := filepath.Join(dir, "custody", "0001.note.00112233.part")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "custody"), 0o700), os.WriteFile(left, []byte("exhibit custo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	want := custody.Expect{Origin: origin, Size: -1}
	chain := custody.Read(os.DirFS(dir), want)
	if chain.Broken() || chain.Files != 0 || len(chain.Problems) != 1 || chain.Problems[0].Code != custody.CodeOther {
		t.Errorf("chain %+v", chain)
	}
	if _, err := custody.Append(t.Context(), dir, chain, released(noon), key(t, 1), random(1)); err != nil {
		t.Fatal(err)
	}
	if chain = custody.Read(os.DirFS(dir), want); chain.Broken() || chain.Files != 1 {
		t.Errorf("chain %+v", chain)
	}
}

// TestAppendAtOnce: of several who add a record behind the same one, one does, and the chain stays whole.
func TestAppendAtOnce(t *testing.T) {
	dir := small(t)
	chain := custody.Read(os.DirFS(dir), custody.Expect{Size: -1})
	errs := make(chan error)
	for i := range 8 {
		go func() {
			_, err := custody.Append(context.Background(), dir, chain, released(noon), key(t, 1), random(byte(i)))
			errs <- err
		}()
	}
	done := 0
	for range 8 {
		switch err := <-errs; {
		case err == nil:
			done++
		case !errors.Is(err, custody.ErrTaken):
			t.Error(err)
		}
	}
	after := custody.Read(os.DirFS(dir), custody.Expect{Origin: origin, Size: -1})
	if done != 1 || after.Broken() || after.Files != 1 || len(after.Problems) != 1 { // the release is open
		t.Errorf("%d were written; chain %+v", done, after)
	}
}
