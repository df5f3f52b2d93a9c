package acquire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(b)
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestContent takes codings off, and bounds what comes out of them.
func TestContent(t *testing.T) {
	bomb := zipped(t, make([]byte, maxContent+1))
	for _, c := range []struct {
		name, coding string
		body         []byte
		cut          int // bytes that the response lacks
		want         string
		reason       string
	}{
		{"plain", "", []byte("ok"), 0, "ok", ""},
		{"identity", "identity", []byte("ok"), 0, "ok", ""},
		{"gzip", "gzip", zipped(t, []byte("ok")), 0, "ok", ""},
		{"gzip in capitals", "GZIP", zipped(t, []byte("ok")), 0, "ok", ""},
		{"twice", "gzip, gzip", zipped(t, zipped(t, []byte("ok"))), 0, "", ReasonBrokenPage},
		{"unknown", "br", []byte("ok"), 0, "", ReasonBrokenPage},
		{"no gzip", "gzip", []byte("ok"), 0, "", ReasonBrokenPage},
		{"cut gzip", "gzip", zipped(t, []byte("ok"))[:15], 0, "", ReasonBrokenPage},
		{"something after gzip", "gzip", append(zipped(t, []byte("ok")), "x"...), 0, "ok", ReasonBrokenPage},
		{"cut", "", []byte("ok"), 3, "ok", ReasonBrokenPage},
		{"bomb", "gzip", bomb, 0, "", ReasonBudget},
	} {
		head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n", len(c.body)+c.cut)
		if c.coding != "" {
			head += "Content-Encoding: " + c.coding + "\r\n"
		}
		block := append([]byte(head+"\r\n"), c.body...)
		l, err := httpblock.ParseResponse(bytes.NewReader(block), int64(len(block)), "GET")
		if err != nil {
			t.Fatal(err)
		}
		got := &strings.Builder{}
		_, err = io.Copy(got, newContent(&l, bytes.NewReader(block)))
		var fault *PageError
		if c.reason == "" && err != nil || c.reason != "" && (!errors.As(err, &fault) || fault.Reason != c.reason) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.reason)
		}
		if got.Len() > maxContent || c.want != "" && got.String() != c.want {
			t.Errorf("%s: %d bytes, want %q", c.name, got.Len(), c.want)
		}
	}
}
