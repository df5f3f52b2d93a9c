package simtenant

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// pagesPath takes /pages/{set}/{n} apart.
func pagesPath(s string) (set string, n int, ok bool) {
	rest, ok := strings.CutPrefix(s, "/pages/")
	if !ok {
		return "", 0, false
	}
	set, number, ok := strings.Cut(rest, "/")
	n, err := strconv.Atoi(number)
	return set, n, ok && err == nil && number == strconv.Itoa(n)
}

// answerPages serves the caller's own page n of a set.
func (t *Tenant) answerPages(c *call, set string, n int) *answer {
	if a := t.authorize(c, false); a != nil {
		return a
	}
	pages := t.pages[set]
	if n < 1 || n > len(pages) {
		return failure(http.StatusNotFound, "ErrorResourceNotFound", "There is no such page.")
	}
	mode := c.URL.Query().Get("link")
	if mode != "" && mode != "body" && mode != "header" {
		return failure(http.StatusBadRequest, "ErrorInvalidUrlQuery", "The value of link must be body or header.")
	}
	next := ""
	if n < len(pages) {
		next = c.origin() + "/pages/" + url.PathEscape(set) + "/" + strconv.Itoa(n+1)
		if c.URL.RawQuery != "" {
			next += "?" + c.URL.RawQuery
		}
	}
	if link, ok := t.loop(c, c.URL.Path+"?"+c.URL.RawQuery); ok {
		next = link
	}
	a := newAnswer(http.StatusOK, errorType, pages[n-1])
	switch {
	case next == "":
	case mode == "header":
		a.header.Set("Link", "<"+next+`>; rel="next"`)
	default:
		body, ok := withLink(a.body, next)
		if !ok {
			return failure(http.StatusBadRequest, "ErrorInvalidRequest", "The page is no JSON object: ask for link=header.")
		}
		a.body = body
	}
	return a
}

// withLink puts the next link in as the last member of a JSON object. It looks
// at the braces alone: a page may be as broken as its author likes.
func withLink(page []byte, next string) ([]byte, bool) {
	body := bytes.TrimRight(page, " \t\r\n")
	inner, ok := bytes.CutSuffix(body, []byte("}"))
	if start := bytes.TrimLeft(body, " \t\r\n"); !ok || start[0] != '{' {
		return nil, false
	}
	b := bytes.Clone(inner)
	if trimmed := bytes.TrimSpace(inner); len(trimmed) > 1 {
		b = append(b, ',')
	}
	b = appendString(append(b, `"@odata.nextLink":`...), next)
	return append(append(b, '}'), page[len(body):]...), true
}
