package acquire

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

func scrubbing(authorizations ...string) *scrubber {
	s := &scrubber{}
	for _, a := range authorizations {
		s.learn(a)
	}
	return s
}

// TestScrub: no text keeps twelve bytes in a row of the credential, in any form that a service is likely to write it in, and the rest of the text stays.
func TestScrub(t *testing.T) {
	const token = "eyJ0eXAiOiJKV1QifQ.eyJhcHBfZGlzcGxheW5hbWUiOiJ4In0.c2lnbmF0dXJlLWNhbmFyeQ"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("ann@contoso.example:pass+word/canary=1"))
	for _, c := range []struct{ authorization, text, want string }{
		{"Bearer " + token, "no: " + token + "!", "no: REDACTED!"},
		{"bearer " + token, token + token, "REDACTED"},
		{"Bearer " + token, "cut: " + token[:40] + "...", "cut: REDACTED..."},
		{"Bearer " + token, "tail " + token[30:] + " and " + token[10:30], "tail REDACTED and REDACTED"},
		{"Bearer " + token, "eleven " + token[:11] + ".", "eleven " + token[:11] + "."},
		{"Bearer " + token, "twelve " + token[5:17] + ".", "twelve REDACTED."},
		{"Bearer " + token, "", ""},
		{"Bearer " + token, "Bearer", "Bearer"},
		{basic, "user ann@contoso.example, password pass+word/canary=1", "user ann@contoso.example, password REDACTED"},
		{basic, "/next?p=pass%2Bword%2Fcanary%3D1&q=2", "/next?p=REDACTED&q=2"},
		{basic, "got " + strings.TrimPrefix(basic, "Basic "), "got REDACTED"},
		{"Bearer hunter2-x", "hunter2-x, hunter2", "REDACTED, hunter2"},
		{"Bearer short", "short", "short"},
		{token, "no scheme: " + token, "no scheme: REDACTED"},
	} {
		if got := scrubbing(c.authorization).scrub(c.text); got != c.want {
			t.Errorf("%.20q: %q becomes %q, want %q", c.authorization, c.text, got, c.want)
		}
	}
}

// TestScrubForms: the credential that another has replaced stays known, so does the proxy's, and a password is seen through the quoting and cleaning of texts.
func TestScrubForms(t *testing.T) {
	const odd = `ab"cdefg/hi"jklmn~opq` + "\u200b" + "rst\xe4uvw"
	s := scrubbing("Bearer the-first-token-0123456789", "Basic "+base64.StdEncoding.EncodeToString([]byte("u:"+odd)), "Bearer the-second-token-987654321", "")
	for _, text := range []string{"the-first-token-0123456789", "the-second-token-987654321", odd, fmt.Sprintf("%q", odd), clean(odd), strings.ToValidUTF8(odd, "\uFFFD"),
		fmt.Sprintf("%q", strings.NewReplacer("~", "~0", "/", "~1").Replace(odd))} {
		if got := strings.Trim(s.scrub(text), `"`); got != "REDACTED" {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
