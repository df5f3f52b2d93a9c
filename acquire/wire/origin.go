package wire

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// An origin is a scheme, a host in lower case and a port.
type origin struct {
	scheme, host, port string // host of an IPv6 address without brackets
}

func (g origin) addr() string { return net.JoinHostPort(g.host, g.port) }

// authority is what Host says: without the scheme's own port.
func (g origin) authority() string {
	if g.port == defaultPort(g.scheme) {
		return strings.TrimSuffix(net.JoinHostPort(g.host, ""), ":")
	}
	return g.addr()
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// splitOrigin splits a URL by hand into its origin and everything after the authority. It accepts names of letters,
// digits, '-', '_' and '.', IPv4 and bracketed IPv6 addresses, and a port; no userinfo, no escapes, no other scheme.
func splitOrigin(raw string) (g origin, rest string, err error) {
	scheme, after, ok := strings.Cut(raw, "://")
	g.scheme = asciiLower(scheme)
	if !ok || g.scheme != "https" && g.scheme != "http" {
		return g, "", ErrOrigin
	}
	end := len(after)
	if i := strings.IndexAny(after, "/?#"); i >= 0 {
		end = i
	}
	authority, rest := after[:end], after[end:]
	g.host, g.port, ok = splitAuthority(authority, g.scheme)
	if !ok {
		return g, "", ErrOrigin
	}
	return g, rest, nil
}

func splitAuthority(s, scheme string) (host, port string, ok bool) {
	host, port = s, defaultPort(scheme)
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "", false
		}
	}
	if inner, found := strings.CutPrefix(host, "["); found {
		inner, found = strings.CutSuffix(inner, "]")
		a, err := netip.ParseAddr(inner)
		return a.String(), port, found && err == nil && a.Is6() && a.Zone() == ""
	}
	for i := range len(host) {
		c := host[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.') {
			return "", "", false
		}
	}
	return asciiLower(host), port, host != ""
}

// shown is a URL as an error may quote it: without its query and fragment, and without what stands before its last '@', which may be a password.
func shown(raw string) string {
	if i := strings.LastIndexByte(raw, '@'); i >= 0 {
		raw = Redacted + raw[i:]
	}
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i]
	}
	return raw[:min(len(raw), 200)]
}

// asciiLower leaves all but A-Z alone, so that no letter of another script becomes one of ASCII.
func asciiLower(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, s)
}
