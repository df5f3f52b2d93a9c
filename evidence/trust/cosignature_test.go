package trust

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testCosigner(t testing.TB, name string, seed byte) *Cosigner {
	t.Helper()
	c, err := NewCosigner(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)), name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const sofaText = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

// at is the time of the example in the specification.
var at = time.Unix(1679315147, 0).UTC()

func cosignedNote(t testing.TB, cosigners ...*Cosigner) []byte {
	t.Helper()
	note, err := Sign(context.Background(), sofaText, testKey(t, "example.com/behind-the-sofa", 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cosigners {
		line, err := c.Cosign(context.Background(), sofaText, at)
		if err != nil {
			t.Fatal(err)
		}
		note = append(note, line...)
	}
	return note
}

// TestPublishedCosignature holds the example of tlog-cosignature against the form: name, key id 8d66cf3f, time of 20 March 2023, and the text of the note. The page gives no
// public key, so that the signature itself stays unknown.
func TestPublishedCosignature(t *testing.T) {
	msg := sofaText + "\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n" +
		"— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
	_, _, err := Cosignatures([]byte(msg), []WitnessKey{testCosigner(t, "w", 1).Key()})
	var unverified *UnverifiedError
	if !errors.As(err, &unverified) {
		t.Fatal(err)
	}
	all := unverified.UnverifiedCosignatures()
	if len(all) != 1 || all[0].Name != "witness.example.com/w1" || all[0].ID != 0x8d66cf3f || all[0].Time.Format(time.RFC3339) != "2023-03-20T12:25:47Z" {
		t.Errorf("%+v", all)
	}
}

// TestCosignatureWithOpenssl makes the message of tlog-cosignature by hand and has openssl verify what Cosign signed, with the key's bytes out of the verifier key.
func TestCosignatureWithOpenssl(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skip("NOT TESTED: openssl is missing")
	}
	c := testCosigner(t, "witness.example/w1", 7)
	line, err := c.Cosign(context.Background(), sofaText, at)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(line)
	raw, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil || len(raw) != 4+8+64 || hex.EncodeToString(raw[4:12]) != "00000000641850cb" {
		t.Fatalf("signature %x, %v", raw, err)
	}
	vkey := c.Key().String()
	pub, err := base64.StdEncoding.DecodeString(vkey[strings.LastIndex(vkey, "+")+1:])
	if err != nil || len(pub) != 33 || pub[0] != 4 {
		t.Fatalf("verifier key %q", vkey)
	}
	dir := t.TempDir()
	der, _ := hex.DecodeString("302a300506032b6570032100")
	for name, b := range map[string][]byte{"key": append(der, pub[1:]...), "sig": raw[12:], "text": []byte("cosignature/v1\ntime 1679315147\n" + sofaText), "other": []byte("cosignature/v1\ntime 1679315148\n" + sofaText)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := func(text string) error {
		cmd := exec.Command("openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "key", "-in", text, "-sigfile", "sig")
		cmd.Dir = dir
		return cmd.Run()
	}
	if err := verify("text"); err != nil {
		t.Errorf("openssl refuses the cosignature: %v", err)
	}
	if verify("other") == nil {
		t.Error("openssl accepts the cosignature for another time")
	}
}

func TestCosignatures(t *testing.T) {
	a, b := testCosigner(t, "witness.example/a", 2), testCosigner(t, "witness.example/b", 3)
	note := cosignedNote(t, a, b)
	text, all, err := Cosignatures(note, []WitnessKey{a.Key()})
	if err != nil || text != sofaText || len(all) != 2 || all[0].Key != a.Key() || all[1].Key != (WitnessKey{}) || !all[0].Time.Equal(at) {
		t.Fatalf("%q %+v %v", text, all, err)
	}
	if _, sigs, err := Verify(note, []VKey{mustVKey(t, testKey(t, "example.com/behind-the-sofa", 1).VerifierKey())}); err != nil || len(sigs) != 3 {
		t.Errorf("the log's own signature beside cosignatures: %v", err)
	}
	var bad *BadSignatureError
	var unverified *UnverifiedError
	keys := []WitnessKey{a.Key()}
	changed := bytes.Replace(note, []byte("20852163"), []byte("20852164"), 1)
	if _, _, err := Cosignatures(changed, keys); !errors.As(err, &bad) {
		t.Errorf("another text: %v", err)
	}
	if _, _, err := Cosignatures(cosignedNote(t, a, a), keys); err == nil {
		t.Error("one witness, two lines")
	}
	if _, _, err := Cosignatures(cosignedNote(t, b), keys); !errors.As(err, &unverified) {
		t.Errorf("another witness: %v", err)
	}
	// A plain signature by the witness's key bytes, in the name of the witness, is no cosignature.
	plain := append(cosignedNote(t), "— witness.example/a "+base64.StdEncoding.EncodeToString(append([]byte{byte(a.Key().ID() >> 24), byte(a.Key().ID() >> 16), byte(a.Key().ID() >> 8), byte(a.Key().ID())}, make([]byte, 64)...))+"\n"...)
	if _, _, err := Cosignatures(plain, keys); !errors.As(err, &bad) {
		t.Errorf("a signature without a time: %v", err)
	}
	if _, err := a.Cosign(context.Background(), "not a head\n", at); err == nil {
		t.Error("a text that is no head was cosigned")
	}
}

func TestWitnessKeys(t *testing.T) {
	key := testCosigner(t, "witness.example/a", 2).Key()
	got, err := ParseWitnessKey(key.String())
	if err != nil || got != key {
		t.Fatalf("%v %v", got, err)
	}
	log := testKey(t, "witness.example/a", 2).VerifierKey()
	for _, s := range []string{"", "x", "a+b", log, key.String() + "=", strings.Replace(key.String(), "+", "+0", 1), "witness.example/a+00000000+AAAA", "a b" + key.String(),
		"w+00000000+" + base64.StdEncoding.EncodeToString(append([]byte{4, 1}, make([]byte, 31)...)), strings.Repeat("x", 400)} {
		if _, err := ParseWitnessKey(s); err == nil {
			t.Errorf("%q is taken for a witness key", s)
		}
	}
	for _, s := range []string{"", key.String(), key.String() + "=", key.String() + "=http://w.example", key.String() + "=https://u:p@w.example", key.String() + "=https://w.example/?q",
		key.String() + "=https:///x", key.String() + "=w.example", log + "=https://w.example"} {
		if _, err := ParseWitness(s); err == nil {
			t.Errorf("%q is taken for a witness", s)
		}
	}
	if w, err := ParseWitness(key.String() + "=https://w.example:8443/path/"); err != nil || w.URL != "https://w.example:8443/path" || w.String() != key.String()+"=https://w.example:8443/path" {
		t.Errorf("%v %v", w, err)
	}
}

// scripted is a Poster that answers what it was told to, and keeps what it was asked.
type scripted struct {
	answers []answer
	asked   []string
}

type answer struct {
	status int
	body   string
}

func (s *scripted) Post(_ context.Context, url string, body []byte) (int, []byte, error) {
	s.asked = append(s.asked, url+"\n"+string(body))
	if len(s.answers) == 0 {
		return 0, nil, errors.New("no more answers")
	}
	a := s.answers[0]
	s.answers = s.answers[1:]
	return a.status, []byte(a.body), nil
}

func TestCosign(t *testing.T) {
	a, b := testCosigner(t, "witness.example/a", 2), testCosigner(t, "witness.example/b", 3)
	note := cosignedNote(t)
	lineA, _ := a.Cosign(context.Background(), sofaText, at)
	lineB, _ := b.Cosign(context.Background(), sofaText, at)
	other, _ := a.Cosign(context.Background(), strings.Replace(sofaText, "20852163", "20852164", 1), at)
	prove := func(_ context.Context, old int64) ([][32]byte, error) { return [][32]byte{{byte(old)}}, nil }
	var ahead *AheadError
	for _, c := range []struct {
		name    string
		known   int64
		answers []answer
		want    func(error) bool
		asked   []string // first lines of the bodies
	}{
		{"at once", 0, []answer{{200, lineA}}, nil, []string{"old 0"}},
		{"with a line of somebody else", 0, []answer{{200, lineB + lineA}}, nil, []string{"old 0"}},
		{"after a conflict", 0, []answer{{409, "5\n"}, {200, lineA}}, nil, []string{"old 0", "old 5"}},
		{"again over the same head", 20852163, []answer{{200, lineA}}, nil, []string{"old 20852163"}},
		{"the witness forgot", 7, []answer{{409, "0\n"}, {200, lineA}}, nil, []string{"old 7", "old 0"}},
		{"ahead", 0, []answer{{409, "20852164\n"}}, func(err error) bool { return errors.As(err, &ahead) && ahead.Size == 20852164 }, nil},
		{"another head of this size", 20852163, []answer{{409, "20852163\n"}}, func(err error) bool { return errors.Is(err, ErrFork) }, nil},
		{"another head of this size, not known", 0, []answer{{409, "20852163\n"}, {409, "20852163\n"}}, func(err error) bool { return errors.Is(err, ErrFork) }, nil},
		{"the proof fails", 5, []answer{{422, ""}}, func(err error) bool { return errors.Is(err, ErrFork) }, nil},
		{"unknown origin", 0, []answer{{404, ""}}, isRefusal, nil},
		{"unknown key", 0, []answer{{403, ""}}, isRefusal, nil},
		{"a redirect", 0, []answer{{302, ""}}, isRefusal, nil},
		{"a conflict without size", 0, []answer{{409, "five\n"}}, isRefusal, nil},
		{"a conflict in a second spelling", 0, []answer{{409, "05\n"}}, isRefusal, nil},
		{"for ever in conflict", 0, []answer{{409, "1\n"}, {409, "2\n"}, {409, "3\n"}, {409, "4\n"}, {409, "5\n"}}, isRefusal, nil},
		{"somebody else's line alone", 0, []answer{{200, lineB}}, isRefusal, nil},
		{"a line over another head", 0, []answer{{200, other}}, isRefusal, nil},
		{"nothing", 0, []answer{{200, ""}}, isRefusal, nil},
		{"too much", 0, []answer{{200, strings.Repeat(lineB, 1000) + lineA}}, isRefusal, nil},
		{"no answer", 0, nil, func(err error) bool { return err != nil && !errors.Is(err, ErrWitness) && !errors.Is(err, ErrFork) }, nil},
	} {
		s := &scripted{answers: c.answers}
		got, err := Witness{Key: a.Key(), URL: "https://w.example/x"}.Cosign(context.Background(), s, note, c.known, prove)
		if c.want != nil {
			if !c.want(err) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || string(got) != string(note)+lineA {
			t.Errorf("%s: %v\n%s", c.name, err, got)
		}
		for i, asked := range s.asked {
			if !strings.HasPrefix(asked, "https://w.example/x/add-checkpoint\n"+c.asked[i]+"\n") || !strings.HasSuffix(asked, "\n\n"+string(note)) {
				t.Errorf("%s: request %d is\n%s", c.name, i, asked)
			}
		}
		if len(s.asked) != len(c.asked) {
			t.Errorf("%s: %d requests, want %d", c.name, len(s.asked), len(c.asked))
		}
	}
}

func isRefusal(err error) bool { return errors.Is(err, ErrWitness) && !errors.Is(err, ErrFork) }

func TestAddRequest(t *testing.T) {
	note := cosignedNote(t)
	h := base64.StdEncoding.EncodeToString(make([]byte, 32))
	r, err := ParseAddRequest([]byte("old 5\n" + h + "\n\n" + string(note)))
	if err != nil || r.Old != 5 || len(r.Proof) != 1 || !bytes.Equal(r.Note, note) {
		t.Fatalf("%+v %v", r, err)
	}
	for _, body := range []string{"", "old 5", "old 05\n\nx", "old -1\n\nx", "new 5\n\nx", "old 5\nabc\n\nx", "old 5\n" + h + "\r\n\nx", "old 5\n" + strings.Repeat(h+"\n", 64) + "\nx"} {
		if _, err := ParseAddRequest([]byte(body)); err == nil {
			t.Errorf("%q is taken for a request", clip(body))
		}
	}
}

func FuzzCosignatures(f *testing.F) {
	a := testCosigner(f, "witness.example/a", 2)
	f.Add(cosignedNote(f, a))
	f.Add([]byte(sofaText))
	f.Fuzz(func(t *testing.T, msg []byte) {
		text, all, err := Cosignatures(msg, []WitnessKey{a.Key()})
		if err != nil {
			return
		}
		known := 0
		for _, c := range all {
			if c.Key == a.Key() {
				known++
			}
		}
		if known != 1 || !bytes.HasPrefix(msg, []byte(text+"\n")) {
			t.Errorf("%d lines by the witness, text %q", known, text)
		}
	})
}

func FuzzAddRequest(f *testing.F) {
	f.Add([]byte("old 0\n\n" + string(cosignedNote(f))))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := ParseAddRequest(body)
		if err != nil {
			return
		}
		again := fmt.Appendf(nil, "old %d\n", r.Old)
		for _, h := range r.Proof {
			again = append(base64.StdEncoding.AppendEncode(again, h[:]), '\n')
		}
		if again = append(append(again, '\n'), r.Note...); !bytes.Equal(again, body) {
			t.Errorf("%q reads as %q", body, again)
		}
	})
}
