package httpblock_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// FuzzResponse: pieces do not matter, the stored block parses to the same layout, the payload reader yields what
// the framer counted, and an unflagged whole response means to net/http what it means here.
func FuzzResponse(f *testing.F) {
	for _, v := range load(f) {
		if len(v.Bytes) < 2000 { // mutation of the long ones finds nothing new, slowly
			f.Add(v.Method == "HEAD", uint8(3), v.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, head bool, piece uint8, b []byte) {
		method := "GET"
		if head {
			method = "HEAD"
		}
		lim := httpblock.Limits{Header: 4096, Interim: 4, Body: 1 << 16}
		l, taken, payload := frame(method, lim, b, max(1, len(b)))
		l2, taken2, payload2 := frame(method, lim, b, 1+int(piece))
		if !reflect.DeepEqual(l, l2) || taken != taken2 || l.PayloadLength >= 0 && !bytes.Equal(payload, payload2) {
			t.Fatalf("pieces of %d: %+v, want %+v", 1+int(piece), l2, l)
		}
		if l.Size != int64(taken) || l.HeadOffset+l.HeadLength > l.Size || l.BodyOffset+l.BodyLength != l.Size {
			t.Fatalf("extent: %+v", l)
		}
		block := b[:taken]
		p, err := httpblock.ParseResponse(bytes.NewReader(block), int64(taken), method)
		if err != nil {
			t.Fatal(err)
		}
		if l.End == httpblock.EndComplete && !reflect.DeepEqual(p, l) {
			t.Fatalf("stored: %+v, want %+v", p, l)
		}
		r, err := l.Payload(bytes.NewReader(block))
		if l.Framing == httpblock.FramingAmbiguous {
			if !errors.Is(err, httpblock.ErrAmbiguous) || l.End == httpblock.EndComplete || l.Reusable {
				t.Fatalf("ambiguous: %+v, %v", l, err)
			}
			return
		}
		got, err := io.ReadAll(r)
		if !bytes.Equal(got, payload) || (err == nil) != (l.End == httpblock.EndComplete) {
			t.Fatalf("payload %q, %v, want %q", got, err, payload)
		}
		if l.End == httpblock.EndComplete && len(l.Flags) == 0 && l.Proto == "HTTP/1.1" && len(l.Fields.Values("Trailer")) == 0 {
			if status, body, err := netHTTP(method, block); err == nil && (status != l.Status || !bytes.Equal(body, payload)) {
				t.Fatalf("net/http finds %d, %q in %q; here %d, %q", status, body, block, l.Status, payload)
			}
		}
	})
}

// FuzzRequest: never a panic, and what is accepted has the extent that it claims.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
	f.Add([]byte("POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("POST /x HTTP/1.1\r\nContent-Length: 2, 2\r\n\r\n{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := httpblock.ParseRequest(bytes.NewReader(b), int64(len(b)))
		if err == nil && (r.HeadLength+r.BodyLength != int64(len(b)) || !bytes.HasSuffix(b[:r.HeadLength], []byte("\r\n\r\n"))) {
			t.Fatalf("%q: %+v", b, r)
		}
	})
}
