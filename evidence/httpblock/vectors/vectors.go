// Package vectors holds forms of HTTP responses with what a careful reader must find in each, written by hand.
// Every package that frames or records responses runs them.
package vectors

import (
	"bufio"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

//go:embed responses.txtar
var archive []byte

// A Response is one form: what a server writes and what must be found.
type Response struct {
	Name    string
	Method  string // of the request
	Bytes   []byte // what the server writes before it closes
	Excess  []byte // the end of Bytes that is not part of the response
	Status  int
	Interim []int
	Framing string
	End     string
	Flags   []string // sorted
	Payload []byte
	Void    bool // there is no payload
	Reuse   bool
}

// Block returns the part of Bytes that is the response.
func (r *Response) Block() []byte { return r.Bytes[:len(r.Bytes)-len(r.Excess)] }

// Responses reads all vectors. It fails on a key that it does not know and when there are none.
func Responses() ([]Response, error) {
	var rs []Response
	for _, f := range txtar.Parse(archive).Files {
		r := Response{Name: f.Name, Method: "GET", Status: 200, End: "complete"}
		sc := bufio.NewScanner(strings.NewReader(string(f.Data)))
		for sc.Scan() {
			if err := r.set(sc.Text()); err != nil {
				return nil, fmt.Errorf("vector %q: line %q: %w", f.Name, sc.Text(), err)
			}
		}
		if len(r.Bytes) == 0 || r.Framing == "" && r.End != "cut" {
			return nil, fmt.Errorf("vector %q: no bytes or no framing", f.Name)
		}
		rs = append(rs, r)
	}
	if len(rs) == 0 {
		return nil, fmt.Errorf("no vectors")
	}
	return rs, nil
}

// set reads "key value"; empty lines and lines with # are comments.
func (r *Response) set(line string) error {
	key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
	var err error
	switch key {
	case "", "#":
	case "method":
		r.Method = value
	case "status":
		r.Status, err = strconv.Atoi(value)
	case "interim":
		for _, s := range strings.Fields(value) {
			var n int
			n, err = strconv.Atoi(s)
			r.Interim = append(r.Interim, n)
		}
	case "framing":
		r.Framing = value
	case "end":
		r.End = value
	case "flags":
		r.Flags = slices.Sorted(strings.FieldsSeq(value))
	case "void":
		r.Void = true
	case "reuse":
		r.Reuse = true
	case "payload":
		r.Payload, err = unquote(value)
	case "excess":
		r.Excess, err = unquote(value)
		r.Bytes = append(r.Bytes, r.Excess...)
	case ">":
		var b []byte
		b, err = unquote(value)
		r.Bytes = append(r.Bytes, b...)
	default:
		err = fmt.Errorf("unknown key %q", key)
	}
	return err
}

// unquote reads a Go string; "N*" before it repeats it.
func unquote(s string) ([]byte, error) {
	n := 1
	if count, rest, ok := strings.Cut(s, "*\""); ok && !strings.HasPrefix(s, "\"") {
		var err error
		if n, err = strconv.Atoi(count); err != nil {
			return nil, err
		}
		s = "\"" + rest
	}
	t, err := strconv.Unquote(s)
	return []byte(strings.Repeat(t, n)), err
}
