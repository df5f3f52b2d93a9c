package evidence

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// MaxLine is the longest line of a batch in bytes, without its LF (docs/container.md, 1.1).
const MaxLine = 65535

// maxDepth is how deep objects and arrays may be nested in the body of an unknown kind, which itself is nested in the line.
const maxDepth = 63

// TimeLayout is how the container writes a time, in UTC (docs/container.md, 1.3).
const TimeLayout = warc.DateLayout

// Hash is a SHA-256, in JSON 64 lower-case hexadecimal digits.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the 64 digits.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads exactly 64 hexadecimal digits.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) != 64 {
		return fmt.Errorf("hash of %d digits", len(b))
	}
	_, err := hex.Decode(h[:], b)
	return err
}

// Time is an instant in UTC with microseconds, in JSON in the form of [TimeLayout].
type Time struct{ time.Time }

// At rounds t down to what a line can hold.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Microsecond)} }

func (t Time) String() string { return t.UTC().Format(TimeLayout) }

// MarshalJSON writes the time; years beyond 9999 cannot be written. (The methods that time.Time brings along write other forms.)
func (t Time) MarshalJSON() ([]byte, error) {
	b, err := t.Append([]byte{'"'})
	return append(b, '"'), err
}

// canonical reports whether a JSON value of unknown shape is an object in the spelling of docs/container.md, 1.2.
func canonical(v jsontext.Value) error {
	if v.Kind() != '{' {
		return errors.New("not an object")
	}
	var again bytes.Buffer
	enc := jsontext.NewEncoder(&again)
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	for {
		if dec.StackDepth() > maxDepth {
			return fmt.Errorf("nested deeper than %d", maxDepth)
		}
		tok, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch k := tok.Kind(); {
		case k == 'n' || k == '0' && !integer(tok.String()):
			return fmt.Errorf("%s is not allowed", tok)
		case k == '"':
			tok = jsontext.String(tok.String())
		}
		if err := enc.WriteToken(tok); err != nil {
			return err
		}
	}
	if !bytes.Equal(escapeNonASCII(bytes.TrimSuffix(again.Bytes(), []byte("\n"))), v) {
		return errors.New("not the one allowed spelling")
	}
	return nil
}

func integer(s string) bool {
	if s == "0" {
		return true
	}
	if len(s) > 16 || s[0] == '0' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) < 16 || s <= "9007199254740991"
}

// escapeNonASCII turns every character of valid JSON beyond 0x7E into \u escapes; such characters stand in strings only.
func escapeNonASCII(b []byte) []byte {
	clean := true
	for _, c := range b {
		if c >= 0x7F {
			clean = false
			break
		}
	}
	if clean {
		return b
	}
	out := make([]byte, 0, len(b)+len(b)/2)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		switch {
		case r < 0x7F:
			out = append(out, b[0])
		case r > 0xFFFF:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[n:]
	}
	return out
}
