package hostile

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
)

// together makes one write of several TLS records.
type together struct {
	net.Conn
	held *bytes.Buffer // nil: as it comes
}

func (h *together) Write(b []byte) (int, error) {
	if h.held != nil {
		return h.held.Write(b)
	}
	return h.Conn.Write(b)
}

// TestLeftovers: an answer that nobody asked for lies in the socket behind the one that was asked for, in a TLS record of its own. The next request, made at once, does not get it.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	tries := int(scaled(60, 2000))
	extra := answer("200 OK", "Content-Type: application/json\r\n", `{"value":[{"Id":"poison"}],"x":"`+strings.Repeat("y", 8000)+`"}`)
	s := serve(t, nil, nil)
	s.answer = func(c net.Conn, r *request) bool {
		secure := c.(*tls.Conn)
		under := secure.NetConn().(*together)
		under.held = &bytes.Buffer{}
		say(c, page(fmt.Sprintf(`{"value":[{"Id":%q}]}`, r.target)))
		say(c, extra)
		whole := under.held.Bytes()
		under.held = nil
		_, err := under.Conn.Write(whole)
		return err == nil
	}
	d := newDesk(t)
	var given []string
	for n := range tries {
		given = append(given, fmt.Sprintf("%s/%d", s.origin, n))
	}
	res := d.list(func(o *acquire.Options) { o.Retry = acquire.Retry{} }, given...)
	if res.Pages != int64(tries) {
		t.Errorf("%+v", res)
	}
	wrong := 0
	for _, x := range d.exchanges() {
		if x.response != "" && !strings.HasSuffix(x.response, fmt.Sprintf(`{"value":[{"Id":%q}]}`, strings.TrimPrefix(x.URL, s.origin))) {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d requests got what was left of another", wrong, tries)
	}
}
