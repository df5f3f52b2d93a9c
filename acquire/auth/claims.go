package auth

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// maxClaim bounds the value of one claim, in bytes.
const maxClaim = 512

// claimNames are the claims that say who asked for what and when (RFC 7519, section 4.1, and the Microsoft identity platform). None identifies the person
// beyond an object id, and none is a secret.
func claimNames() []string {
	return []string{"aud", "iss", "tid", "appid", "oid", "scp", "roles", "iat", "exp"}
}

// Claims reads the claims of a bearer token that is a JWT, from the value of an Authorization header. The signature is not verified: the service does that. A
// value that is no such token has no claims. An array is joined by spaces; a value longer than 512 bytes is cut.
func Claims(authorization string) []evidence.Pair {
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok || len(token) > maxSecret {
		return nil
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return nil
	}
	values := members(payload)
	var pairs []evidence.Pair
	for _, name := range claimNames() {
		if v, ok := values[name]; ok {
			pairs = append(pairs, evidence.Pair{Name: name, Value: v})
		}
	}
	return pairs
}

// members reads the texts of a JSON object. A name that comes twice, or anything broken, leaves nothing.
func members(object []byte) map[string]string {
	dec := jsontext.NewDecoder(strings.NewReader(string(object)))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil
	}
	values := map[string]string{}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil
		}
		if v, ok := text(value); ok {
			values[key] = v
		}
	}
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '}' {
		return nil
	}
	return values
}

// text is a string, a number, or an array of strings.
func text(v jsontext.Value) (string, bool) {
	switch v.Kind() {
	case '0':
		return cut(string(v)), true
	case '"':
		b, err := jsontext.AppendUnquote(nil, v)
		return cut(string(b)), err == nil
	case '[':
	default:
		return "", false
	}
	dec := jsontext.NewDecoder(strings.NewReader(string(v)))
	if _, err := dec.ReadToken(); err != nil {
		return "", false
	}
	var items []string
	for dec.PeekKind() == '"' {
		tok, err := dec.ReadToken()
		if err != nil {
			return "", false
		}
		items = append(items, tok.String())
	}
	return cut(strings.Join(items, " ")), dec.PeekKind() == ']'
}

func cut(s string) string {
	if len(s) <= maxClaim {
		return s
	}
	for n := maxClaim; ; n-- {
		if utf8.RuneStart(s[n]) {
			return s[:n]
		}
	}
}
