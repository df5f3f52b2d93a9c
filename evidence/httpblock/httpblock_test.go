package httpblock_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock/vectors"
)

func load(t testing.TB) []vectors.Response {
	t.Helper()
	vs, err := vectors.Responses()
	if err != nil {
		t.Fatal(err)
	}
	return vs
}

// frame feeds pieces of that size and returns the layout, the bytes taken and the payload.
func frame(method string, lim httpblock.Limits, b []byte, piece int) (httpblock.Layout, int, []byte) {
	var payload bytes.Buffer
	f := httpblock.NewFramer(method, lim, &payload)
	taken := 0
	for taken < len(b) && !f.Done() {
		p := b[taken:min(len(b), taken+piece)]
		n := f.Feed(p)
		taken += n
		if n < len(p) {
			break
		}
	}
	f.Close(true)
	return f.Layout(), taken, payload.Bytes()
}

// compare lists how what was found differs from the vector.
func compare(v *vectors.Response, l httpblock.Layout, taken int, payload []byte) []string {
	var diff []string
	check := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			diff = append(diff, fmt.Sprintf("%s = %v, want %v", what, got, want))
		}
	}
	check("taken", taken, len(v.Block()))
	check("size", l.Size, int64(taken))
	check("status", l.Status, v.Status)
	check("interim", l.Interim, v.Interim)
	check("framing", l.Framing, v.Framing)
	check("end", l.End, v.End)
	check("flags", slices.Clip(l.Flags), v.Flags)
	check("reusable", l.Reusable, v.Reuse)
	if v.Void {
		check("payload length", l.PayloadLength, int64(-1))
	} else {
		check("payload", string(payload), string(v.Payload))
		check("payload length", l.PayloadLength, int64(len(v.Payload)))
	}
	return diff
}

func TestVectors(t *testing.T) {
	for _, v := range load(t) {
		t.Run(v.Name, func(t *testing.T) {
			for _, piece := range []int{len(v.Bytes), 1, 2, 3, 7, 64} {
				l, taken, payload := frame(v.Method, httpblock.Limits{}, v.Bytes, piece)
				for _, d := range compare(&v, l, taken, payload) {
					t.Errorf("pieces of %d: %s", piece, d)
				}
			}
		})
	}
}

// TestSplitAnywhere cuts each small vector in two at every byte.
func TestSplitAnywhere(t *testing.T) {
	for _, v := range load(t) {
		if len(v.Bytes) > 2000 {
			continue
		}
		want, _, _ := frame(v.Method, httpblock.Limits{}, v.Bytes, len(v.Bytes))
		for i := range v.Bytes {
			f := httpblock.NewFramer(v.Method, httpblock.Limits{}, nil)
			if f.Feed(v.Bytes[:i]) == i {
				f.Feed(v.Bytes[i:])
			}
			f.Close(true)
			if got := f.Layout(); !reflect.DeepEqual(got, want) {
				t.Errorf("%s split at %d: %+v, want %+v", v.Name, i, got, want)
			}
		}
	}
}

// TestPlantedLayouts: the comparison notices a reader with each of the classic faults.
func TestPlantedLayouts(t *testing.T) {
	faults := map[string]func(*httpblock.Layout, *int){
		"takes content-length with transfer-encoding": func(l *httpblock.Layout, _ *int) {
			if l.Has(httpblock.FlagLengthAndCoding) {
				l.Framing, l.End = httpblock.FramingChunked, httpblock.EndComplete
			}
		},
		"drops the last byte": func(_ *httpblock.Layout, n *int) { *n-- },
		"calls a cut body whole": func(l *httpblock.Layout, _ *int) {
			if l.End == httpblock.EndCut {
				l.End = httpblock.EndComplete
			}
		},
		"forgets interim responses": func(l *httpblock.Layout, _ *int) { l.Interim = nil },
		"reuses after a fold": func(l *httpblock.Layout, _ *int) {
			l.Reusable = l.Reusable || l.Has(httpblock.FlagObsFold)
		},
	}
	for name, plant := range faults {
		caught := 0
		for _, v := range load(t) {
			l, taken, payload := frame(v.Method, httpblock.Limits{}, v.Bytes, 64)
			plant(&l, &taken)
			if len(compare(&v, l, taken, payload)) > 0 {
				caught++
			}
		}
		if caught == 0 {
			t.Errorf("a reader that %s passes all vectors", name)
		}
	}
}

// TestOracle: where nothing is flagged, net/http reads the same status and the same body.
func TestOracle(t *testing.T) {
	agreed := 0
	for _, v := range load(t) {
		if len(v.Flags) > 0 || v.End != "complete" || v.Method == "CONNECT" {
			continue
		}
		status, body, err := netHTTP(v.Method, v.Bytes)
		if err != nil || status != v.Status || !bytes.Equal(body, v.Payload) {
			t.Errorf("%s: net/http finds %d, %q, %v", v.Name, status, body, err)
		}
		agreed++
	}
	if agreed < 30 {
		t.Errorf("only %d vectors were compared", agreed)
	}
}

// netHTTP reads the final response with the standard library.
func netHTTP(method string, b []byte) (int, []byte, error) {
	br := bufio.NewReader(bytes.NewReader(b))
	for {
		resp, err := http.ReadResponse(br, &http.Request{Method: method})
		if err != nil {
			return 0, nil, err
		}
		if resp.StatusCode/100 == 1 && resp.StatusCode != 101 {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, body, err
	}
}

func TestParseResponse(t *testing.T) {
	for _, v := range load(t) {
		block := v.Block()
		l, err := httpblock.ParseResponse(bytes.NewReader(block), int64(len(block)), v.Method)
		if err != nil {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		want, _, _ := frame(v.Method, httpblock.Limits{}, v.Bytes, 1)
		if !reflect.DeepEqual(l, want) {
			t.Errorf("%s: %+v, want %+v", v.Name, l, want)
		}
		r, err := l.Payload(bytes.NewReader(block))
		if v.Void {
			if !errors.Is(err, httpblock.ErrAmbiguous) {
				t.Errorf("%s: error %v, want %v", v.Name, err, httpblock.ErrAmbiguous)
			}
			continue
		}
		got, err := io.ReadAll(iotest.OneByteReader(r))
		var wantErr error
		if v.End != "complete" {
			wantErr = io.ErrUnexpectedEOF
		}
		if !bytes.Equal(got, v.Payload) || err != wantErr {
			t.Errorf("%s: payload %.40q, %v, want %.40q, %v", v.Name, got, err, v.Payload, wantErr)
		}
		if len(v.Excess) > 0 {
			_, err := httpblock.ParseResponse(bytes.NewReader(v.Bytes), int64(len(v.Bytes)), v.Method)
			if !errors.Is(err, httpblock.ErrTrailing) {
				t.Errorf("%s with excess: error %v", v.Name, err)
			}
		}
	}
	if l, err := httpblock.ParseResponse(strings.NewReader(""), 0, "GET"); err != nil || l.End != httpblock.EndNoResponse {
		t.Errorf("empty block: %q, %v", l.End, err)
	}
	if _, err := httpblock.ParseResponse(strings.NewReader("HTTP/1.1"), 99, "GET"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("short block: %v", err)
	}
}

// TestOtherBlock: a layout applied to a block that it does not describe gives an error, not other bytes.
func TestOtherBlock(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	block := head + "5\r\nhello\r\n0\r\n\r\n"
	l, err := httpblock.ParseResponse(strings.NewReader(block), int64(len(block)), "GET")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{head, head + "2\r\nhe\r\n0\r\n\r\n", head + "x\r\nhello\r\n0\r\n\r\n", head + "5\r\nhel"} {
		r, err := l.Payload(strings.NewReader(other))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err == nil {
			t.Errorf("%q read as %q without an error", other, b)
		}
	}
}

func TestFields(t *testing.T) {
	const block = "HTTP/1.1 200 OK\r\nX-a: 1\r\nx-A : 2\r\nFold: a\r\n \t b\r\nE:\r\nContent-Length: 0\r\n\r\n"
	l, err := httpblock.ParseResponse(strings.NewReader(block), int64(len(block)), "GET")
	if err != nil {
		t.Fatal(err)
	}
	want := httpblock.Fields{{"X-a", "1"}, {"x-A", "2"}, {"Fold", "a b"}, {"E", ""}, {"Content-Length", "0"}}
	if !reflect.DeepEqual(l.Fields, want) {
		t.Errorf("fields %q, want %q", l.Fields, want)
	}
	if v, ok := l.Fields.Get("x-a"); v != "1" || !ok {
		t.Errorf("Get: %q, %v", v, ok)
	}
	if _, ok := l.Fields.Get("none"); ok {
		t.Error("Get finds what is not there")
	}
	if vs := l.Fields.Values("X-A"); !slices.Equal(vs, []string{"1", "2"}) {
		t.Errorf("Values: %q", vs)
	}
	if l.HeadOffset != 0 || l.HeadLength != int64(len(block)) || l.BodyOffset != l.HeadLength || l.BodyLength != 0 || l.Reason != "OK" {
		t.Errorf("extent %+v", l)
	}
}

func TestBudgets(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" // 38 bytes of head
	const interim = "HTTP/1.1 100 Continue\r\n\r\n"                // 25
	const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, c := range []struct {
		name, in string
		lim      httpblock.Limits
		end      string
		size     int
	}{
		{"header just enough", ok, httpblock.Limits{Header: 38}, "complete", 43},
		{"header one short", ok, httpblock.Limits{Header: 37}, "header-budget", 37},
		{"header over two heads", interim + ok, httpblock.Limits{Header: 62}, "header-budget", 62},
		{"header endless line", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("a", 1000), httpblock.Limits{Header: 500}, "header-budget", 500},
		{"header default", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: aaaa\r\n", 1<<19), httpblock.Limits{}, "header-budget", httpblock.MaxHeader},
		{"interim just enough", strings.Repeat(interim, 3) + ok, httpblock.Limits{Interim: 3}, "complete", 75 + 43},
		{"interim storm", strings.Repeat(interim, 9) + ok, httpblock.Limits{Interim: 3}, "interim-budget", 100},
		{"body just enough", ok, httpblock.Limits{Body: 5}, "complete", 43},
		{"body one short", ok, httpblock.Limits{Body: 4}, "body-budget", 42},
		{"chunked endless", chunked + strings.Repeat("1\r\nx\r\n", 1000), httpblock.Limits{Body: 600}, "body-budget", len(chunked) + 600},
		{"trailers endless", chunked + "0\r\n" + strings.Repeat("X: 1\r\n", 1000), httpblock.Limits{Header: 200}, "header-budget", 203},
		{"close endless", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 999), httpblock.Limits{Body: 99}, "body-budget", 19 + 99},
		{"no head", strings.Repeat("x", 999), httpblock.Limits{Body: 99}, "body-budget", 99},
	} {
		for _, piece := range []int{1, 10, len(c.in)} {
			l, taken, _ := frame("GET", c.lim, []byte(c.in), piece)
			if l.End != c.end || taken != c.size || l.Size != int64(c.size) {
				t.Errorf("%s, pieces of %d: %s after %d, want %s after %d", c.name, piece, l.End, taken, c.end, c.size)
			}
		}
	}
}

func TestParseRequest(t *testing.T) {
	const head = "POST /a?b=REDACTED HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
	r, err := httpblock.ParseRequest(strings.NewReader(head+"hello"), int64(len(head)+5))
	if err != nil || r.Method != "POST" || r.Target != "/a?b=REDACTED" || r.HeadLength != int64(len(head)) || r.BodyLength != 5 || len(r.Fields) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	for in, want := range map[string]error{
		head + "hell":                          io.ErrUnexpectedEOF,
		head[:30]:                              io.ErrUnexpectedEOF,
		head + "hello!":                        httpblock.ErrRequest,
		"GET / HTTP/1.0\r\n\r\n":               httpblock.ErrRequest,
		"GET /  HTTP/1.1\r\n\r\n":              httpblock.ErrRequest,
		"G(T / HTTP/1.1\r\n\r\n":               httpblock.ErrRequest,
		"GET / HTTP/1.1\r\nA: 1\n\r\n\r\n":     httpblock.ErrRequest,
		"GET / HTTP/1.1\r\nA : 1\r\n\r\n":      httpblock.ErrRequest,
		"GET / HTTP/1.1\r\nA: 1\r\n b\r\n\r\n": httpblock.ErrRequest,
		"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": httpblock.ErrRequest,
		"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n":                  httpblock.ErrRequest,
		"GET / HTTP/1.1\r\n\r\nx":                                       httpblock.ErrRequest,
		"GET /" + strings.Repeat("a", 2<<20):                            httpblock.ErrRequest,
	} {
		if _, err := httpblock.ParseRequest(strings.NewReader(in), int64(len(in))); !errors.Is(err, want) {
			t.Errorf("%.60q: error %v, want %v", in, err, want)
		}
	}
}

func TestCloseUnclean(t *testing.T) {
	f := httpblock.NewFramer("GET", httpblock.Limits{}, nil)
	f.Feed([]byte("HTTP/1.1 200 OK\r\n\r\nhello"))
	f.Close(false)
	if l := f.Layout(); l.End != httpblock.EndCut || l.PayloadLength != 5 {
		t.Errorf("%+v", l)
	}
}
