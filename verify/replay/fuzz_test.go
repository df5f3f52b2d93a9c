package replay

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// requestSeeds and rowSeeds are where the fuzz targets start; what fuzzing finds is kept in testdata/fuzz.
func requestSeeds() []string {
	return []string{
		"GET /api/v2.0/Users('a')/Activities?$filter=&%24top=1 HTTP/1.1\r\nHost: outlook.office.com\r\nPrefer: a, \"b, c\"\r\nAccept-Encoding: gzip;q=0.5, *\r\n\r\nGET",
		"\r\nGET / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 0\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n\r\n", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /api/v1.0/Users(%27o''a%27)/Messages(%27x%2B%27)?%24select=Id%2CSubject&&a=b HTTP/1.1\r\nHost: a\r\n\r\n", "GET /api/beta/me/Messages/x?$select=Id HTTP/1.1\r\nHost: a\r\n\r\n",
	}
}

func rowSeeds() []string {
	return []string{
		`{"@odata.id":"x","Id":"a","TimeStamp":"2018-06-21T12:14:13.019Z","ActivityItemId":null,"CustomProperties":[{"Name":"\"}","Value":"]"}]}`,
		` { "Id" : "\u0041\\" , "TimeStamp" : "2018-06-21T12:14:13Z" , "x" : [ { } , -1.5e3 , true ] } `, `{}`, `[{"Id":"a"}]`, `{"Id":"a","\u0049d":"b"}`, "{\"\xff\":1}", `"x"`, `1`,
	}
}

func TestFuzzSeedsAreThere(t *testing.T) {
	for _, target := range []string{"FuzzRequest", "FuzzRow"} {
		files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(files) == 0 {
			t.Errorf("no seed files of %s: %v", target, err)
		}
		for _, name := range files {
			if b, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(b), "go test fuzz v1\n") {
				t.Errorf("seed %s: %v, starts %.20q", name, err, b)
			}
		}
	}
}

// FuzzRequest: what is taken is a request of one form, which could be read again; it leaves what follows where it is.
func FuzzRequest(f *testing.F) {
	for _, s := range requestSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		in := bufio.NewReader(strings.NewReader(s))
		r, err := ReadRequest(in)
		if err != nil {
			return
		}
		if !strings.HasPrefix(r.Target, "/") || strings.ContainsAny(r.Target+r.Method+r.Host, " \t\r\n\x00") || strings.ContainsAny(r.Host, "/\"\\@") {
			t.Errorf("%q %q %q", r.Method, r.Target, r.Host)
		}
		var left bytes.Buffer
		if _, err := left.ReadFrom(in); err != nil || !strings.HasSuffix(s, "\r\n\r\n"+left.String()) {
			t.Errorf("%q is left of %q, %v", left.String(), s, err)
		}
		if key := sameKey(r.Target); key != r.Target && (!strings.HasPrefix(key, "message\x00") || !strings.Contains(r.Target, "Messages") && !strings.Contains(r.Target, "%")) {
			t.Errorf("%q is taken for %q", r.Target, key)
		}
		r.accepts("gzip")
		list(r.Fields, "Prefer")
	})
}

// FuzzRow: of whatever the decoder takes for JSON, a row with some of its members is JSON again.
func FuzzRow(f *testing.F) {
	for _, s := range rowSeeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		dec := jsontext.NewDecoder(strings.NewReader(s), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		raw, err := dec.ReadValue()
		if err != nil {
			return
		}
		raw = bytes.TrimLeft(bytes.Clone(raw), " \t\r\n")
		_, _, _ = readRow(raw)
		for _, selected := range [][]string{nil, {"Id"}, {"TimeStamp", "CustomProperties"}} {
			out := jsontext.NewDecoder(bytes.NewReader(appendRowText(nil, raw, selected, true)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
			if _, err := out.ReadValue(); err != nil {
				t.Fatalf("%q with %q selected: %v", raw, selected, err)
			}
		}
	})
}
