package evidence

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// TestSpellingIsPythons lets Python's json.dumps write the same texts: it is what docs/container.md, 1.2, names as the form.
func TestSpellingIsPythons(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal("python3 is missing")
		}
		t.Skip("NOT TESTED: python3 is missing: that it spells lines as we do")
	}
	var texts []string
	for r := rune(0); r < 0x300; r++ {
		texts = append(texts, string(r))
	}
	texts = append(texts, "\u2028\u2029\ufeff\ufffd\uffff", "\U0001F600\U0010FFFF", "</script>&<>", `"\/`)
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", `import json,sys; [print(json.dumps({"name":x,"value":x}, separators=(",",":"))) for x in json.load(sys.stdin)]`)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	for i, text := range texts {
		got, err := writeLine(&Pair{text, text})
		if err != nil {
			t.Fatal(err)
		}
		if again, err := MarshalLine(Pair{text, text}); err != nil || string(again) != string(got) {
			t.Errorf("%q: %s, %v by reflection, %s by members", text, again, err, got)
		}
		var p Pair
		if err := readLine(lines[i], &p); err != nil || p != (Pair{text, text}) {
			t.Errorf("%s is read as %q, %v", lines[i], p, err)
		}
		if string(got) != lines[i] {
			t.Errorf("%q: %s, Python writes %s", text, got, lines[i])
		}
		if err := canonical(jsontext.Value(got)); err != nil {
			t.Errorf("%q: a body of an unknown kind is refused: %v", text, err)
		}
	}
}

// TestOneSpelling refuses every other way to write a pair.
func TestOneSpelling(t *testing.T) {
	const good = `{"name":"a","value":"\u00e9"}`
	var p Pair
	if err := readLine(good, &p); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		`{"name":"a","value":"é"}`, `{"name":"a","value":"\u00E9"}`, `{"name":"a", "value":"\u00e9"}`, ` {"name":"a","value":"\u00e9"}`,
		`{"value":"\u00e9","name":"a"}`, `{"name":"a","value":"\u00e9","x":1}`, `{"name":"a","name":"a","value":"\u00e9"}`, `{"name":"a"}`,
		`{"Name":"a","value":"\u00e9"}`, `{"name":"\u0061","value":"\u00e9"}`, `{"name":null,"value":"\u00e9"}`, `{"name":"a","value":"\u00e9"}x`,
		`{"name":"a","value":"\ud800"}`, "{\"name\":\"a\",\"value\":\"\xff\"}", `{"name":1,"value":"\u00e9"}`, `[]`, ``, `{"name":"a\/","value":"\u00e9"}`,
	} {
		if err := readLine(bad, &p); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
	for _, bad := range []string{`{"n":1.0}`, `{"n":1e3}`, `{"n":-0}`, `{"n":-1}`, `{"n":01}`, `{"n":9007199254740992}`, `{"n":null}`, `{"n":1,"n":1}`, `{ "n":1}`,
		`{"n":"é"}`, `{"n":"\u0041"}`, `[1]`, `{"n":"\ud800"}`, strings.Repeat(`{"n":`, 70) + `{}` + strings.Repeat(`}`, 70)} {
		if err := canonical(jsontext.Value(bad)); err == nil {
			t.Errorf("a body of an unknown kind is accepted: %s", bad)
		}
	}
	for _, fine := range []string{`{}`, `{"m":9007199254740991,"a":[true,false,{"b":[]}]}`} {
		if err := canonical(jsontext.Value(fine)); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
}

// TestTimeForm writes times as docs/container.md, 1.3, has them and refuses others.
func TestTimeForm(t *testing.T) {
	for _, c := range []struct {
		t    time.Time
		want string
	}{
		{time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), `"2026-11-22T10:00:00.000000Z"`},
		{time.Date(2026, 11, 22, 10, 0, 0, 4_000_999, time.FixedZone("", 3600)), `"2026-11-22T09:00:00.004000Z"`},
		{time.Time{}, `"0001-01-01T00:00:00.000000Z"`},
	} {
		got, err := writeLine(&timeLine{At(c.t)})
		if err != nil || string(got) != `{"t":`+c.want+`}` {
			t.Errorf("%s, %v, want %s", got, err, c.want)
		}
	}
	var at timeLine
	for _, bad := range []string{`"2026-11-22T10:00:00Z"`, `"2026-11-22T10:00:00.000000+00:00"`, `"2026-11-22T10:00:00,000000Z"`, `"2026-13-22T10:00:00.000000Z"`,
		`"2026-11-22T24:00:00.000000Z"`, `"2026-11-22t10:00:00.000000z"`, `"2026-11-22T10:00:60.000000Z"`, `"10000-01-01T00:00:00.000000Z"`, `0`, `null`} {
		if err := readLine(`{"t":`+bad+`}`, &at); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

type timeLine struct{ at Time }

func (l *timeLine) members(c *codec) { c.time("t", &l.at) }

// FuzzEntry feeds any two lines to the decoder: what it accepts is written again in the same bytes.
func FuzzEntry(f *testing.F) {
	detail := `{"nonce":"` + strings.Repeat("0", 64) + `","run":"","records":[],"body":{"action":"note","text":"x","operator":"","host":"","fields":[]}}`
	head := `{"seq":1,"kind":"operator","start":"2026-11-22T10:00:00.000000Z","end":"2026-11-22T10:00:00.000000Z","source":"","window":0,"method":"","status":0,"detail":"` + sum([]byte(detail)).String() + `"}`
	if _, err := DecodeEntry([]byte(head), []byte(detail)); err != nil {
		f.Fatal(err)
	}
	f.Add(head, detail)
	f.Add(strings.Replace(head, "operator", "future", 1), detail)
	f.Fuzz(func(t *testing.T, head, detail string) {
		// The hash is made to agree, or the fuzzer would never get past it.
		if i := strings.Index(head, `"detail":"`); i >= 0 && len(head) >= i+76 {
			head = head[:i+10] + sum([]byte(detail)).String() + head[i+74:]
		}
		e, err := DecodeEntry([]byte(head), []byte(detail))
		if err != nil {
			return
		}
		h, err1 := MarshalLine(&e.Head)
		d, err2 := MarshalLine(&e.Detail)
		if err1 != nil || err2 != nil || string(h) != head || string(d) != detail {
			t.Fatalf("%s\n%s\nis written again as\n%s\n%s", head, detail, h, d)
		}
		if e.Body != nil {
			if b, err := MarshalLine(e.Body); err != nil || string(b) != string(e.Detail.Body) {
				t.Fatalf("body %s is written again as %s", e.Detail.Body, b)
			}
		}
	})
}

// FuzzBatch feeds any block to the batch decoder.
func FuzzBatch(f *testing.F) {
	first := `{"format":"exhibit-batch/1","case":"` + strings.Repeat("0", 32) + `","batch":1,"segment":1,"first":1,"count":1,"time":"2026-11-22T10:00:00.000000Z","prev":"` + strings.Repeat("0", 64) + `"}` + "\n"
	detail := `{"nonce":"` + strings.Repeat("0", 64) + `","run":"","records":[],"body":{}}`
	head := `{"seq":1,"kind":"future","start":"2026-11-22T10:00:00.000000Z","end":"2026-11-22T10:00:00.000000Z","source":"","window":0,"method":"","status":0,"detail":"` + sum([]byte(detail)).String() + `"}`
	f.Add([]byte(first + head + "\n" + detail + "\n"))
	f.Add([]byte(strings.Replace(first, `"}`, `","warcinfo":"`+strings.Repeat("0", 64)+`","frontier":[]}`, 1) + head + "\n" + detail + "\n"))
	f.Fuzz(func(t *testing.T, block []byte) {
		h, rest, err := decodeBatchHead(block)
		if err != nil {
			return
		}
		entries, err := decodeEntries(rest, h.First, h.Count)
		if err != nil {
			return
		}
		again, err := encodeBatch(&h, entries)
		if err != nil || !bytes.Equal(again, block) {
			t.Fatalf("%s\nis written again as\n%s\n%v", block, again, err)
		}
	})
}
