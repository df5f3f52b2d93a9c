package acquire

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxErrorBody = 64 << 10
	maxText      = 512
)

// Refuse interprets an answer with a status other than 200 by what the services have in common: the status, the error code of a JSON body,
// x-ms-diagnostics, and Retry-After. A throttled 403 is told by its code (AF429), a disabled API by its message.
func Refuse(p *Page) Refusal {
	code, message := readError(p.Body)
	text := fmt.Sprintf("status %d", p.Status)
	if v, ok := p.Header.Get("x-ms-diagnostics"); ok {
		text += ", x-ms-diagnostics: " + v
	}
	if code != "" || message != "" {
		text += fmt.Sprintf(", %s: %s", code, message)
	}
	r := refuse(p, lowerASCII(code), lowerASCII(message))
	r.Text, r.Code = clean(text), clean(code)
	return r
}

func refuse(p *Page, code, message string) Refusal {
	_, told := p.Header.Get("Retry-After")
	throttled := strings.Contains(code, "af429") || strings.Contains(code, "throttl") || strings.Contains(code, "toomanyrequests")
	switch s := p.Status; {
	case s == 429, s == 509, s == 403 && throttled, s == 503 && (told || throttled):
		return Refusal{Reason: ReasonThrottled, Retry: true}
	case s == 401:
		return Refusal{Reason: ReasonUnauthorized}
	case s == 403 && strings.Contains(message, "disabled"):
		return Refusal{Reason: ReasonAPIDisabled}
	case s == 403 && (strings.Contains(message, "license") || strings.Contains(message, "licence") || strings.Contains(code, "license")):
		return Refusal{Reason: ReasonNoLicence}
	case s == 403:
		return Refusal{Reason: ReasonNoPermission}
	case s == 404:
		return Refusal{Reason: ReasonNotFound}
	case s == 410:
		return Refusal{Reason: ReasonGone}
	case s == 408, s == 425, s == 500, s == 502, s == 503, s == 504:
		return Refusal{Reason: ReasonServerError, Retry: true}
	case s >= 500:
		return Refusal{Reason: ReasonServerError}
	case s >= 400:
		return Refusal{Reason: ReasonBadRequest}
	case s >= 300:
		return Refusal{Reason: ReasonRedirect}
	}
	return Refusal{Reason: ReasonStatus}
}

// readError takes code and message from {"error":{"code":…,"message":…}} or from an object that has them itself. What cannot be read is empty.
func readError(body io.Reader) (code, message string) {
	if body == nil {
		return "", ""
	}
	dec := jsontext.NewDecoder(io.LimitReader(body, maxErrorBody), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	depth := 0
	for range 1000 {
		tok, err := dec.ReadToken()
		if err != nil {
			break
		}
		switch tok.Kind() {
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
			continue
		case '"':
		default:
			continue
		}
		name := strings.ToLower(tok.String()) // the token is void after the next call
		kind, n := dec.StackIndex(dec.StackDepth())
		if kind != '{' || n%2 == 0 || depth > 2 || dec.PeekKind() != '"' {
			continue
		}
		var into *string
		switch name {
		case "code":
			into = &code
		case "message", "error_description":
			into = &message
		default:
			continue
		}
		if value, err := dec.ReadToken(); err == nil && *into == "" {
			*into = value.String()
		}
	}
	return code, message
}

// clean makes a text of a service fit for a log: one line of at most 512 bytes, control and format characters replaced by spaces.
func clean(s string) string {
	s = visible(s)
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText-3], "") + "..."
}

// visible is a text in one line of UTF-8, with spaces for control and format characters.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
