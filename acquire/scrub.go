package acquire

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
)

// minPiece is how many bytes of a secret are taken for a piece of it. A shorter secret is looked for as a whole, down to minSecret.
const (
	minPiece  = 12
	minSecret = 8
)

// scrubber keeps credentials out of texts that hold what the service wrote. The service has it, and may write it anywhere; and a text that was cut holds a part of it.
//
// BUG: a service that encodes the credential otherwise than in percent escapes or, for Basic, base64 is not seen through.
type scrubber struct {
	pieces map[string]struct{} // of minPiece bytes
	short  []string
}

// Scrubbing returns what replaces secrets by REDACTED in a text, in the forms in which whoever was sent them is likely to write them back. One below 8 bytes is not
// looked for.
func Scrubbing(secrets ...string) func(string) string {
	s := &scrubber{}
	for _, secret := range secrets {
		s.add(secret)
	}
	return s.scrub
}

// learn adds the value of an Authorization, which may be empty.
func (s *scrubber) learn(authorization string) {
	scheme, secret, ok := strings.Cut(authorization, " ")
	if !ok {
		secret = authorization
	}
	s.add(secret)
	if plain, err := base64.StdEncoding.DecodeString(secret); err == nil && strings.EqualFold(scheme, "Basic") {
		if _, password, ok := strings.Cut(string(plain), ":"); ok {
			s.add(password)
		}
	}
}

// add takes a secret in the forms in which it may stand in a text: as it is, in percent escapes, and as this program quotes and cleans what a service wrote.
func (s *scrubber) add(secret string) {
	pointer := strings.NewReplacer("~", "~0", "/", "~1").Replace(secret) // as errors name a place in JSON (RFC 6901)
	for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), quoted(secret), quoted(pointer), visible(secret),
		strings.ToValidUTF8(secret, "\uFFFD")} {
		switch {
		case len(form) >= minPiece:
			if s.pieces == nil {
				s.pieces = map[string]struct{}{}
			}
			for i := range len(form) - minPiece + 1 {
				s.pieces[form[i:i+minPiece]] = struct{}{}
			}
		case len(form) >= minSecret && !slices.Contains(s.short, form):
			s.short = append(s.short, form)
		}
	}
}

// quoted is a text as %q writes it, without the quotes.
func quoted(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// scrub replaces each run of pieces.
func (s *scrubber) scrub(text string) string {
	for _, secret := range s.short {
		text = strings.ReplaceAll(text, secret, wire.Redacted)
	}
	var out strings.Builder
	kept, end := 0, 0 // what is written, and the end of the run that is open
	for i := 0; i+minPiece <= len(text); i++ {
		if _, ok := s.pieces[text[i:i+minPiece]]; !ok {
			continue
		}
		if i > end || end == 0 {
			out.WriteString(text[kept:max(kept, i)])
			out.WriteString(wire.Redacted)
		}
		end = i + minPiece
		kept = end
	}
	out.WriteString(text[kept:])
	return out.String()
}

// scrub keeps the credential out of a text.
func (r *run) scrub(s string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.scrubber.scrub(s)
}
