package hostile

import (
	"net"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestRedirects is row S2 for the API (there is no token endpoint and no time stamping yet): each status that redirects, to each kind of place, at the first page and at the second. None is followed, each is
// recorded, and the window says redirect.
func TestRedirects(t *testing.T) {
	t.Parallel()
	places := []struct{ name, header, body string }{
		{"same origin", "Location: https://127.0.0.1:PORT/elsewhere\r\n", ""},
		{"other port", "Location: https://127.0.0.1:OTHER/\r\n", "moved"},
		{"other host, http", "Location: http://127.0.0.2:OTHER/\r\n", ""},
		{"relative", "Location: elsewhere\r\n", `{"value":[{"Id":"z"}],"@odata.nextLink":"/next"}`},
		{"no Location", "", ""},
		{"two Locations", "Location: /one\r\nLocation: https://127.0.0.2:OTHER/two\r\n", ""},
		{"itself", "Location: ?page=2\r\n", ""},
	}
	status := ""
	place := places[0]
	var s *server
	var k *canaries
	redirect := func() string {
		fill := strings.NewReplacer("PORT", s.port, "OTHER", k.other)
		return answer(status, fill.Replace(place.header), place.body)
	}
	s, k = withCanaries(t, func(c net.Conn, r *request) bool {
		if strings.Contains(r.target, "second") && !strings.HasSuffix(r.target, "?page=2") {
			return say(c, page(`{"value":[{"Id":"a"}],"@odata.nextLink":"?page=2"}`))
		}
		return say(c, redirect())
	})
	d := newDesk(t)
	n, i := 0, 0
	for _, status = range []string{"301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect", "300 Multiple Choices", "305 Use Proxy", "399 Odd"} {
		for _, place = range places {
			for user, want := range map[string]struct {
				state string
				asked int
			}{"first": {evidence.Failed, 1}, "second": {evidence.Partial, 2}} {
				i++
				if !every(3, i) {
					continue
				}
				n++
				before := len(s.requests())
				res := d.mailbox(s.origin, user, func(o *acquire.Options) { o.Again = true })
				if asked := len(s.requests()) - before; res.State != want.state || res.Reason != acquire.ReasonRedirect || asked != want.asked {
					t.Errorf("%s, %s, %s page: %s, %q (%s), %d requests", status, place.name, user, res.State, res.Reason, res.Text, asked)
				}
			}
		}
	}
	recorded := 0
	for _, x := range d.exchanges() {
		if x.status/100 == 3 && x.Ended == "complete" && strings.HasPrefix(x.response, "HTTP/1.1 3") {
			recorded++
		}
	}
	if recorded != n {
		t.Errorf("%d redirects are recorded, want %d", recorded, n)
	}
	k.silent(t)
	t.Logf("%d cases", n)
}
