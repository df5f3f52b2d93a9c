package withhold

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// The text, and what Python's base64, urllib.parse, html and codecs make of it.
const text = "Falcon-77@contoso.example"

func unhexed(t *testing.T, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func encodings(t *testing.T) map[string]string {
	return map[string]string{
		"plain":              `{"id":"<Falcon-77@contoso.example>"}`,
		"json":               `{"id":"\u0046\u0061\u006c\u0063\u006f\u006e\u002d\u0037\u0037\u0040\u0063\u006f\u006e\u0074\u006f\u0073\u006f\u002e\u0065\u0078\u0061\u006d\u0070\u006c\u0065"}`,
		"json in part":       `"\u003cFalcon-77\u0040contoso.example\u003E"`,
		"json in json":       `"{\"id\":\"\\u0046alcon-77\\u0040contoso.example\"}"`,
		"percent":            `%3CFalcon-77%40contoso.example%3E`,
		"percent, low":       `x=Falcon%2d77%40contoso%2eexample`,
		"percent twice":      `x=Falcon-77%2540contoso.example`,
		"percent in json":    `"\u0025\u0034\u0036alcon-77%40contoso.example"`,
		"json in percent":    `%7B%22id%22%3A%22Falcon-77%5Cu0040contoso.example`,
		"reference":          `&lt;&#70;&#97;&#108;con-77&#64;contoso.example&gt;`,
		"reference, hex":     `&#x46;&#x61;&#X6C;con-77@contoso.example`,
		"base64, 0":          `RmFsY29uLTc3QGNvbnRvc28uZXhhbXBsZSB0YWls`,
		"base64, 1":          `eEZhbGNvbi03N0Bjb250b3NvLmV4YW1wbGUgdGFpbA==`,
		"base64, 2":          `eHlGYWxjb24tNzdAY29udG9zby5leGFtcGxlIHRhaWw=`,
		"base64 in lines":    "aGVhZGVyIG9mIHNvbWUgbGVuZ3RoLCBzbyB0aGF0IGEgbGluZSBlbmRzIHdpdGhpbjogRmFsY29u\r\nLTc3QGNvbnRvc28uZXhhbXBsZSBhbmQgbW9yZSBvZiBpdCBhZnRlciB0aGF0LCBmb3IgYSBzZWNv\r\nbmQ=\r\n",
		"base64 in json":     `{"raw":"aGVhZGVyIG9mIHNvbWUgbGVuZ3RoLCBzbyB0aGF0IGEgbGluZSBlbmRzIHdpdGhpbjogRmFsY29u\r\nLTc3QGNvbnRvc28uZXhhbXBsZSBhbmQgbW9yZSBvZiBpdCBhZnRlciB0aGF0"}`,
		"UTF-16, little":     unhexed(t, "460061006c0063006f006e002d0037003700400063006f006e0074006f0073006f002e006500780061006d0070006c006500"),
		"UTF-16, big":        unhexed(t, "00460061006c0063006f006e002d0037003700400063006f006e0074006f0073006f002e006500780061006d0070006c0065"),
		"hexadecimal":        `46616c636f6e2d373740636f6e746f736f2e6578616d706c65`,
		"hexadecimal, upper": `46616C636F6E2D373740636F6E746F736F2E6578616D706C65`,
	}
}

// TestForms: the text is found in each encoding, wherever it stands and however the bytes come in.
func TestForms(t *testing.T) {
	m := newMatcher(append(formsOf(text, 0), formsOf("another text", 1)...))
	for name, encoded := range encodings(t) {
		for _, before := range []int{0, 1, 5000} {
			// Only whole groups may stand before base64 that is not to be shifted.
			b := []byte(strings.Repeat("Zm9v", before) + encoded + strings.Repeat(" tail", before))
			if hits := newScan(m).all(b); len(hits) != 1 || hits[0].of != 0 {
				t.Errorf("%s behind %d bytes: %v", name, 4*before, hits)
			}
			one := newScan(m)
			for i := range b {
				one.Write(b[i : i+1])
			}
			one.Close()
			if len(one.hits) != 1 {
				t.Errorf("%s behind %d bytes, byte by byte: %v", name, 4*before, one.hits)
			}
		}
		cut := []byte(strings.Replace(strings.Replace(encoded, "con", "cen", 1), "36", "35", 1))
		if !bytes.Equal(cut, []byte(encoded)) && len(newScan(m).all(cut)) > 0 {
			t.Errorf("%s: found where it is not", name)
		}
	}
	if hits := newScan(m).all([]byte("Falcon-78@contoso.example and anothertext")); len(hits) > 0 {
		t.Errorf("found %v where nothing is", hits)
	}
	if hits := newScan(m).all([]byte("q=another+text")); len(hits) != 1 || hits[0].of != 1 {
		t.Errorf("blanks as +: %v", hits)
	}
}

// TestBase64ForURLs: characters that the two alphabets have not in common. The expected text is Python's urlsafe_b64encode.
func TestBase64ForURLs(t *testing.T) {
	m := newMatcher(formsOf("Fälcøn>>?>77", 0))
	if hits := newScan(m).all([]byte("-_9Gw6RsY8O4bj4-Pz43N3p6")); len(hits) != 1 {
		t.Errorf("%v", hits)
	}
}

// TestRemovers: what is no escape stays as it is.
func TestRemovers(t *testing.T) {
	for _, c := range []struct {
		take     func([]byte, bool) ([]byte, int)
		in, want string
	}{
		{unescapeJSON, `a\"b\\c\/d\n\u00e9\ud83d\ude00\ud83d\x\u12`, "a\"b\\c/d\n\u00e9\U0001F600\\ud83d\\x\\u12"},
		{unescapePercent, `%41%zz%4`, "A%zz%4"},
		{unescapeReference, `&lt;&amp;&#65;&#x42;&nope;&#;&#xZ;&`, "<&AB&nope;&#;&#xZ;&"},
		{unfold, "a\r\nb\n", "ab"},
	} {
		if out, n := c.take([]byte(c.in), true); string(out) != c.want || n != len(c.in) {
			t.Errorf("%q gives %q up to %d, want %q", c.in, out, n, c.want)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(`"\u0046alcon-77%40contoso.example"`), 3)
	m := newMatcher(formsOf(text, 0))
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		if cut < 0 || cut > len(b) {
			return
		}
		whole, parts := newScan(m), newScan(m)
		whole.all(b)
		parts.Write(b[:cut])
		parts.Write(b[cut:])
		parts.Close()
		if len(whole.hits) != len(parts.hits) {
			t.Errorf("whole %v, in parts %v", whole.hits, parts.hits)
		}
	})
}
