package main

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
)

// redacted returns a command line as it may be shown and kept: of a URL, user information and the values of query parameters are left out, except for those that
// begin with "$", which are the query language's own and hold no secret.
func redacted(args []string) []string {
	out := slices.Clone(args)
	for i, arg := range out {
		at := strings.Index(arg, "://")
		if at < 0 {
			continue
		}
		rest := arg[at+3:]
		path, query, _ := strings.Cut(rest, "?")
		host, tail := path, ""
		if j := strings.IndexByte(path, '/'); j >= 0 {
			host, tail = path[:j], path[j:]
		}
		if j := strings.LastIndexByte(host, '@'); j >= 0 {
			host = "REDACTED" + host[j:]
		}
		out[i] = arg[:at+3] + host + tail
		if query != "" {
			out[i] += "?" + redactedQuery(query)
		}
	}
	return out
}

func redactedQuery(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, _, ok := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		if ok && err == nil && strings.HasPrefix(plain, "$") {
			continue
		}
		parts[i] = name + "=REDACTED"
		if !ok {
			parts[i] = "REDACTED"
		}
	}
	return strings.Join(parts, "&")
}

// warnVisible says that a command line holds what redacted takes out of it, in case that it is a secret: the case does not keep it, but others have it.
func (p *program) warnVisible(talk io.Writer) {
	if !slices.Equal(redacted(p.args), p.args) {
		fmt.Fprintln(talk, "warning: a URL on the command line has user information or parameters, which other users of this machine and the history of the shell can read: if one is a secret, use --url-file, and have it replaced")
	}
}

// shell writes a command line as a POSIX shell reads it.
func shell(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = a
		if a == "" || strings.ContainsFunc(a, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+=:,./_-", r))
		}) {
			words[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// again is the command line that does the same once more: it resumes, so without --again.
func (p *program) again() string {
	args := slices.DeleteFunc(redacted(p.args), func(a string) bool { return a == "--again" || a == "--again=true" })
	return shell(append([]string{"exhibit"}, args...))
}
