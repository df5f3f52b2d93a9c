package acquire

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/acquire/wire"
)

// Bounds of a URL that is asked for: it stands in entries and record headers whole, and each parameter may have to be declared redacted.
const (
	maxURL        = 8 << 10
	maxParameters = 256
	maxLine       = 48 << 10 // of the line of an entry, for the URL and its redactions
)

// OriginOf returns the origin of an absolute URL in one spelling: scheme, host in lower case and, unless it is the scheme's own, the port. It returns "" for
// anything but http and https with a plain host: a name of letters, digits, '-', '_' and '.', or a bracketed IPv6 address; so also for
// one with user information, escapes or a backslash.
func OriginOf(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	scheme = lowerASCII(scheme)
	if !ok || scheme != "https" && scheme != "http" {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	host, port := lowerASCII(rest), ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		n, err := strconv.ParseUint(host[i+1:], 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != host[i+1:] {
			return ""
		}
		host, port = host[:i], host[i:]
	}
	if !plainHost(host) {
		return ""
	}
	if port == ":443" && scheme == "https" || port == ":80" && scheme == "http" {
		port = ""
	}
	return scheme + "://" + host + port
}

// QuotedURL is a URL as an error may quote it: without its query and fragment, and without whatever stands before its last "@", which may be a password.
func QuotedURL(raw string) string {
	if i := strings.LastIndexByte(raw, '@'); i >= 0 {
		scheme := ""
		if j := strings.Index(raw, "://"); j >= 0 && j < i {
			scheme = raw[:j+3]
		}
		raw = scheme + "REDACTED" + raw[i:]
	}
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i]
	}
	return strconv.Quote(raw[:min(len(raw), 200)])
}

func plainHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return ok && err == nil && a.Is6() && a.Zone() == "" && a.String() == inner
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s != ""
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// resolve makes the URL to ask from a link on a page. An absolute link is taken verbatim; others are completed from the page's URL without touching what
// the service wrote. It refuses links that lead to another origin, and those that cannot stand in a request.
func resolve(origin, page, link string) (string, *PageError) {
	bad := func(text string) (string, *PageError) { return "", &PageError{ReasonBadLink, text} }
	switch {
	case link == "":
		return bad("the link is empty")
	case len(link) > maxURL:
		return bad(fmt.Sprintf("the link has %d bytes, more than %d", len(link), maxURL))
	case strings.Count(link, "=") > maxParameters:
		return bad(fmt.Sprintf("the link has more than %d parameters", maxParameters))
	}
	for i := range len(link) {
		if c := link[i]; c <= ' ' || c > '~' || c == '#' || c == '\\' {
			return bad(fmt.Sprintf("the link has the byte 0x%02x, which no request can carry", c))
		}
	}
	full := complete(origin, page, link)
	if got := OriginOf(full); got != origin {
		return "", &PageError{ReasonForeignLink, fmt.Sprintf("the link %.200q does not lead to %s: it was not followed, and no token went there", wire.RedactURL(link), origin)}
	}
	if len(full) > maxURL {
		return bad(fmt.Sprintf("the link makes a URL of %d bytes, more than %d", len(full), maxURL))
	}
	if n := lineOf(full); n > maxLine {
		return bad(fmt.Sprintf("the link takes %d bytes of the ledger's line, quotes and secrets in it several times, more than %d", n, maxLine))
	}
	return full, nil
}

// lineOf is at least how many bytes of an entry's line a URL takes (docs/container.md, 4.2): in the body and in the references to request and response, where each quote
// is two bytes, and for each secret a redaction.
func lineOf(full string) int {
	const redaction = len(`{"record":0,"what":"query","name":"","offset":00000,"length":8},`)
	stored := wire.RedactURL(full)
	names := 0
	for part := range strings.SplitSeq(stored, "="+wire.Redacted) {
		names += redaction + len(part) - strings.LastIndexAny(part, "?&;")
	}
	return 3*(len(stored)+strings.Count(stored, `"`)) + names
}

// complete makes a link absolute (RFC 3986, section 5.2, without removing dot segments).
func complete(origin, page, link string) string {
	path := page
	if i := strings.IndexByte(page, '?'); i >= 0 {
		path = page[:i]
	}
	switch {
	case hasScheme(link):
		return link
	case strings.HasPrefix(link, "//"):
		scheme, _, _ := strings.Cut(origin, "//")
		return scheme + link
	case link[0] == '/':
		return origin + link
	case link[0] == '?':
		return path + link
	}
	if i := strings.LastIndexByte(path, '/'); i >= len(origin) {
		return path[:i+1] + link
	}
	return origin + "/" + link
}

// hasScheme reports whether a link begins with a scheme (RFC 3986, section 3.1).
func hasScheme(link string) bool {
	i := strings.IndexAny(link, ":/?")
	return i > 0 && link[i] == ':'
}

// CheckURL fails with a [*PageError] unless a URL is absolute, lies at origin and can stand in a request as it is.
func CheckURL(origin, raw string) error {
	if !hasScheme(raw) {
		return &PageError{ReasonBadLink, fmt.Sprintf("%.200q is no absolute URL", raw)}
	}
	if _, err := resolve(origin, origin, raw); err != nil {
		return err
	}
	return nil
}
