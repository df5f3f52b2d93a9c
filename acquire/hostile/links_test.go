package hostile

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// followed stands for a link that leads to the origin and is asked for.
const followed = "followed"

// form is a link that a server names. HOST is 127.0.0.1, PORT the server's port, OTHER that of the canaries.
type form struct {
	name, link string
	next       string // what becomes of it as @odata.nextLink: followed, or the reason that ends the window
	host       string // of a link that is followed: what the request's target is
}

// Rules that decide, by hand, from docs/sources.md and RFC 3986: the same scheme, host and port as the origin, in any case of letters and with the port written or, where it is the scheme's own, not;
// no user information, no escapes, no other spelling of an address. Bytes that no request can carry make a link bad wherever it leads.
var forms = []form{
	// That lead to the origin.
	{"same origin", "https://HOST:PORT/next?x=1", followed, "/next?x=1"},
	{"upper-case scheme", "HTTPS://HOST:PORT/next", followed, "/next"},
	{"mixed-case scheme", "hTTpS://HOST:PORT/next", followed, "/next"},
	{"absolute path", "/next", followed, "/next"},
	{"query alone", "?page=2", followed, "/api/v2.0/Users('USER')/Activities?page=2"},
	{"relative path", "next", followed, "/api/v2.0/Users('USER')/next"},
	{"dot segments", "../../../../next", followed, "/api/v2.0/Users('USER')/../../../../next"},
	{"scheme-less, own host", "//HOST:PORT/next", followed, "/next"},
	{"no path", "https://HOST:PORT", followed, "/"},
	{"no path, query", "https://HOST:PORT?x", followed, "/?x"},
	{"foreign URL in the query", "/next?u=https://127.0.0.2:OTHER/", followed, "/next?u=https://127.0.0.2:OTHER/"},
	{"foreign URL in the path", "/next/https://127.0.0.2:OTHER/", followed, "/next/https://127.0.0.2:OTHER/"},
	{"two slashes in the path", "https://HOST:PORT//127.0.0.2:OTHER/", followed, "//127.0.0.2:OTHER/"},
	{"at sign in the path", "https://HOST:PORT/@127.0.0.2:OTHER/", followed, "/@127.0.0.2:OTHER/"},
	{"at sign in the query", "https://HOST:PORT?@127.0.0.2:OTHER/", followed, "/?@127.0.0.2:OTHER/"},
	{"backslash, escaped", "https://HOST:PORT/%5C127.0.0.2:OTHER/", followed, "/%5C127.0.0.2:OTHER/"},
	{"CR LF, escaped", "https://HOST:PORT/%0d%0aHost:%20127.0.0.2", followed, "/%0d%0aHost:%20127.0.0.2"},
	{"broken escape", "https://HOST:PORT/%zz", followed, "/%zz"},

	// Other ports.
	{"other port", "https://HOST:OTHER/next", acquire.ReasonForeignLink, ""},
	{"no port", "https://HOST/next", acquire.ReasonForeignLink, ""},
	{"port 443", "https://HOST:443/next", acquire.ReasonForeignLink, ""},
	{"port 80", "https://HOST:80/next", acquire.ReasonForeignLink, ""},
	{"port 0", "https://HOST:0/next", acquire.ReasonForeignLink, ""},
	{"empty port", "https://HOST:/next", acquire.ReasonForeignLink, ""},
	{"port with a zero before", "https://HOST:0PORT/next", acquire.ReasonForeignLink, ""},
	{"port with a plus", "https://HOST:+PORT/next", acquire.ReasonForeignLink, ""},
	{"port above 65535", "https://HOST:1PORT00/next", acquire.ReasonForeignLink, ""},
	{"port modulo 65536", "https://HOST:MODULO/next", acquire.ReasonForeignLink, ""},
	{"two ports", "https://HOST:PORT:OTHER/next", acquire.ReasonForeignLink, ""},
	{"port as a word", "https://HOST:https/next", acquire.ReasonForeignLink, ""},
	{"port, escaped digit", "https://HOST:%3PORT/next", acquire.ReasonForeignLink, ""},
	{"port and more", "https://HOST:PORTx/next", acquire.ReasonForeignLink, ""},

	// Other schemes.
	{"http", "http://HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"http, other port", "http://HOST:OTHER/next", acquire.ReasonForeignLink, ""},
	{"ftp", "ftp://HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"file", "file:///etc/passwd", acquire.ReasonForeignLink, ""},
	{"javascript", "javascript:alert(1)", acquire.ReasonForeignLink, ""},
	{"data", "data:application/json,{}", acquire.ReasonForeignLink, ""},
	{"blob", "blob:https://HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"scheme and more", "https+x://HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"one slash", "https:/HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"no slash", "https:HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"three slashes", "https:///HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"empty authority", "https://", acquire.ReasonForeignLink, ""},
	{"host as a scheme", "HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"websocket", "wss://HOST:PORT/next", acquire.ReasonForeignLink, ""},

	// Other hosts.
	{"other address", "https://127.0.0.2:PORT/next", acquire.ReasonForeignLink, ""},
	{"other address, other port", "https://127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"scheme-less, other host", "//127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"scheme-less, three slashes", "///127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"scheme-less, four slashes", "////127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"IPv6 loopback", "https://[::1]:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv6 loopback, other port", "https://[::1]:OTHER/next", acquire.ReasonForeignLink, ""},
	{"IPv4 in IPv6", "https://[::ffff:127.0.0.1]:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv4 in IPv6, hexadecimal", "https://[::ffff:7f00:1]:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv6 with a zone", "https://[::1%25lo]:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv6 without brackets", "https://::1:PORT/next", acquire.ReasonForeignLink, ""},
	{"the host in brackets", "https://[HOST]:PORT/next", acquire.ReasonForeignLink, ""},
	{"localhost", "https://localhost:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv4, decimal", "https://2130706433:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv4, hexadecimal", "https://0x7f000001:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv4, hexadecimal parts", "https://0x7f.0.0.0x1:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv4, octal", "https://0177.0.0.01:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv4, two parts", "https://127.1:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv4, zeros before", "https://127.000.000.001:PORT/next", acquire.ReasonForeignLink, ""},
	{"IPv4 of all", "https://0.0.0.0:OTHER/next", acquire.ReasonForeignLink, ""},
	{"IPv4, short zero", "https://0:OTHER/next", acquire.ReasonForeignLink, ""},
	{"trailing dot", "https://HOST.:PORT/next", acquire.ReasonForeignLink, ""},
	{"leading dot", "https://.HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"host as a subdomain", "https://HOST.evil.example:PORT/next", acquire.ReasonForeignLink, ""},
	{"host as a prefix", "https://HOST7:PORT/next", acquire.ReasonForeignLink, ""},
	{"host as a suffix", "https://evilHOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"punycode", "https://xn--127-0-0-1-0gd.example:PORT/next", acquire.ReasonForeignLink, ""},
	{"escaped dot", "https://127%2e0.0.1:PORT/next", acquire.ReasonForeignLink, ""},
	{"escaped host", "https://%31%32%37.0.0.1:PORT/next", acquire.ReasonForeignLink, ""},
	{"escaped slash in the host", "https://HOST:PORT%2f@127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"escaped NUL in the host", "https://HOST%00.127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"comma in the host", "https://HOST:PORT,127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"semicolon in the host", "https://HOST:PORT;127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"ampersand in the host", "https://HOST:PORT&@127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"host of 60,000 bytes", "https://" + strings.Repeat("a", 60_000) + "/", acquire.ReasonBadLink, ""},

	// User information.
	{"origin as a user", "https://HOST:PORT@127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"origin as user and password", "https://HOST:PORT@[::1]:OTHER/next", acquire.ReasonForeignLink, ""},
	{"user at the origin", "https://user:password@HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"empty user", "https://@HOST:PORT/next", acquire.ReasonForeignLink, ""},
	{"two at signs", "https://HOST:PORT@HOST:PORT@127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"scheme-less user", "//HOST:PORT@127.0.0.2:OTHER/next", acquire.ReasonForeignLink, ""},
	{"question mark, then at", "https://127.0.0.2:OTHER?@HOST:PORT/next", acquire.ReasonForeignLink, ""},

	// Bytes that no request can carry.
	{"fragment", "https://HOST:PORT/next#x", acquire.ReasonBadLink, ""},
	{"fragment, then at", "https://HOST:PORT#@127.0.0.2:OTHER/", acquire.ReasonBadLink, ""},
	{"fragment alone", "#x", acquire.ReasonBadLink, ""},
	{"backslash, then at", `https://HOST:PORT\@127.0.0.2:OTHER/next`, acquire.ReasonBadLink, ""},
	{"backslashes for slashes", `\\127.0.0.2:OTHER\next`, acquire.ReasonBadLink, ""},
	{"slash and backslash", `/\127.0.0.2:OTHER/next`, acquire.ReasonBadLink, ""},
	{"backslashes in the scheme", `https:\\HOST:PORT\next`, acquire.ReasonBadLink, ""},
	{"space before", " https://HOST:PORT/next", acquire.ReasonBadLink, ""},
	{"space behind", "https://HOST:PORT/next ", acquire.ReasonBadLink, ""},
	{"space in the host", "https://HOST :PORT/next", acquire.ReasonBadLink, ""},
	{"tab in the scheme", "ht\ttps://HOST:PORT/next", acquire.ReasonBadLink, ""},
	{"tab in the host", "https://HOST\t:PORT/next", acquire.ReasonBadLink, ""},
	{"line feed in the host", "https://HOST:PORT\n@127.0.0.2:OTHER/next", acquire.ReasonBadLink, ""},
	{"CR LF and a header", "https://HOST:PORT/next\r\nHost: 127.0.0.2", acquire.ReasonBadLink, ""},
	{"CR LF and a request", "/next HTTP/1.1\r\nHost: 127.0.0.2\r\n\r\nGET /second", acquire.ReasonBadLink, ""},
	{"NUL", "https://HOST:PORT/next\x00", acquire.ReasonBadLink, ""},
	{"DEL", "https://HOST:PORT/next\x7f", acquire.ReasonBadLink, ""},
	{"full-width letters", "https://\uff11\uff12\uff17.0.0.1:PORT/next", acquire.ReasonBadLink, ""},
	{"ideographic full stop", "https://127\u30020.0.1:PORT/next", acquire.ReasonBadLink, ""},
	{"full-width slash", "https://HOST:PORT\uff0f@127.0.0.2:OTHER/", acquire.ReasonBadLink, ""},
	{"bidirectional override", "https://HOST:PORT/\u202enext", acquire.ReasonBadLink, ""},
	{"soft hyphen", "https://127.0\u00ad.0.1:PORT/next", acquire.ReasonBadLink, ""},
	{"empty", "", acquire.ReasonBadLink, ""},
	{"64 KiB of path", "https://HOST:PORT/" + strings.Repeat("a", 64<<10), acquire.ReasonBadLink, ""},
	{"64 KiB of query", "?" + strings.Repeat("a", 64<<10), acquire.ReasonBadLink, ""},
	{"8 KiB of relative path", strings.Repeat("a", 8<<10-10), acquire.ReasonBadLink, ""},
	{"1,000 parameters", "?" + strings.Repeat("a=b&", 1000), acquire.ReasonBadLink, ""},
}

// at fills a form in for a server.
func (f *form) at(s *server, k *canaries, text, user string) string {
	n, err := strconv.Atoi(s.port)
	if err != nil {
		panic(err) // a listener's own
	}
	return strings.NewReplacer("HOST", "127.0.0.1", "MODULO", strconv.Itoa(n+65536), "PORT", s.port, "OTHER", k.other, "USER", user).Replace(text)
}

// carriers put a link into an answer.
var carriers = []struct {
	name   string
	answer func(link string) string
	want   func(f *form) (state, reason string, follows bool)
}{
	{"nextLink", func(link string) string { return page(`{"value":[{"Id":"a"}],"@odata.nextLink":` + quoted(link) + `}`) },
		func(f *form) (string, string, bool) {
			if f.next == followed {
				return evidence.Complete, "", true
			}
			return evidence.Partial, f.next, false
		}},
	// The server says that there is nothing more: a deltaLink is for later changes, and is not asked for.
	{"deltaLink", func(link string) string {
		return page(`{"value":[{"Id":"a"}],"@odata.deltaLink":` + quoted(link) + `}`)
	},
		func(*form) (string, string, bool) { return evidence.Complete, "", false }},
	{"Location", func(link string) string { return answer("307 Temporary Redirect", "Location: "+link+"\r\n", "") }, redirected},
	{"Location of a permanent redirect", func(link string) string { return answer("301 Moved", "Location: "+link+"\r\n", "elsewhere") }, redirected},
	// A page that is whole, with headers that browsers and clients would act on.
	{"Refresh and Content-Location", func(link string) string {
		link = strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(link)
		return answer("200 OK", "Content-Type: application/json\r\nRefresh: 0; url="+link+"\r\nContent-Location: "+link+"\r\nAlt-Svc: h2=\""+link+"\"\r\n", `{"value":[{"Id":"a"}]}`)
	}, func(*form) (string, string, bool) { return evidence.Complete, "", false }},
}

// redirected is what becomes of any redirect. One whose head has a NUL has no clear end.
func redirected(f *form) (string, string, bool) {
	if strings.Contains(f.link, "\x00") {
		return evidence.Failed, acquire.ReasonBrokenAnswer, false
	}
	return evidence.Failed, acquire.ReasonRedirect, false
}

// quoted is a JSON string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always can
	}
	return string(b)
}

// TestLinks is row S1: whatever an answer names, the token reaches the pinned origin and nothing else is connected to; and what was refused is in the case.
func TestLinks(t *testing.T) {
	t.Parallel()
	if len(forms) < 60 {
		t.Fatalf("%d forms", len(forms))
	}
	var answers sync.Map // by path
	s, k := withCanaries(t, func(c net.Conn, r *request) bool {
		path, query, _ := strings.Cut(r.target, "?")
		if first, ok := answers.Load(path); ok && strings.HasPrefix(query, "$filter=") {
			say(c, first.(string))
			return !strings.Contains(first.(string), "\r\n\r\nGET ") // a head that was ended by a link has no length
		}
		return say(c, page(`{"value":[{"Id":"b"}]}`))
	})
	d := newDesk(t)
	type kept struct{ name, answer string }
	given := map[int64]kept{} // by window
	for n, carrier := range carriers {
		for i := range forms {
			f := &forms[i]
			if n > 0 && !every(5, i+n) {
				continue
			}
			user := fmt.Sprintf("c%d-f%d", n, i)
			link := f.at(s, k, f.link, user)
			first := carrier.answer(link)
			answers.Store("/api/v2.0/Users('"+user+"')/Activities", first)
			before := len(s.requests())
			res := d.mailbox(s.origin, user, nil)
			state, reason, follows := carrier.want(f)
			asked := s.requests()[before:]
			want := 1
			if follows {
				want = 2
			}
			if res.State != state || res.Reason != reason || len(asked) != want {
				t.Errorf("%s, %s: %s, %q (%s) after %d requests; want %s, %q after %d", carrier.name, f.name, res.State, res.Reason, res.Text, len(asked), state, reason, want)
				continue
			}
			for _, r := range asked {
				if r.authorization != "Bearer "+token || "https://"+r.host != s.origin {
					t.Errorf("%s, %s: Host %q, Authorization %q", carrier.name, f.name, r.host, r.authorization)
				}
			}
			if follows && asked[1].target != f.at(s, k, f.host, user) {
				t.Errorf("%s, %s: asked for %.100q, want %.100q", carrier.name, f.name, asked[1].target, f.host)
			}
			given[res.Window] = kept{carrier.name + ", " + f.name, first}
			if reason == acquire.ReasonForeignLink && !strings.Contains(res.Text, "no token went there") {
				t.Errorf("%s, %s: %s", carrier.name, f.name, res.Text)
			}
		}
	}
	first := map[int64]bool{}
	for _, x := range d.exchanges() {
		g := given[x.window]
		if !first[x.window] && (!strings.HasPrefix(g.answer, x.response) || x.response+x.excess != g.answer && x.Ended == "complete") {
			t.Errorf("%s: the answer is not recorded as it came: %.200q", g.name, x.response)
		}
		first[x.window] = true
	}
	if len(first) != len(given) {
		t.Errorf("%d windows have exchanges, want %d", len(first), len(given))
	}
	k.silent(t)
	if away := d.elsewhere(s); len(away) > 0 {
		t.Errorf("dialled %q", away)
	}
	t.Logf("%d forms, %d cases; canaries on %d addresses", len(forms), len(given), len(k.listeners))
}

// TestFormsReach: the forms are worth something. Of those that are refused, many lead a client that follows them to a canary by the reading of net/url.
func TestFormsReach(t *testing.T) {
	s, k := withCanaries(t, func(net.Conn, *request) bool { return false })
	var there []string
	for _, l := range k.listeners {
		there = append(there, l.Addr().String())
	}
	there = append(there, s.listener.Addr().String())
	reached := 0
	for i := range forms {
		base, err := url.Parse(s.origin + "/list")
		if err != nil {
			t.Fatal(err)
		}
		u, err := base.Parse(forms[i].at(s, k, forms[i].link, "u"))
		if err != nil {
			continue
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
		}
		if forms[i].next != followed && slices.Contains(there, net.JoinHostPort(u.Hostname(), port)) {
			reached++
		}
	}
	if reached < 15 {
		t.Errorf("%d refused forms lead to a listener", reached)
	}
	t.Logf("%d refused forms lead to a listener by the reading of net/url", reached)
}

// TestLinksThatNoLineHolds: whatever a link is made of, it is refused or the exchange of the request that follows it is recorded. A quote is two bytes in each of the
// three places where an entry names the URL, and a parameter of six bytes is redacted in seventy.
func TestLinksThatNoLineHolds(t *testing.T) {
	for _, name := range []string{"", "sig", "%73ig", "%63lient%5Fassertion", "%73%75%62%73%63%72%69%70%74%69%6f%6e%2d%6b%65%79"} {
		d := newDesk(t)
		for quotes, refused := 0, false; !refused; quotes += 500 {
			secrets := ""
			if name != "" {
				secrets = strings.Repeat(name+"=x&", min(256, 6000/(len(name)+3)))
			}
			link := fmt.Sprintf("/%d?%s%s", quotes, secrets, strings.Repeat(`"`, quotes))
			s := serve(t, nil, func(c net.Conn, r *request) bool {
				if strings.HasPrefix(r.target, "/api") {
					return say(c, page(`{"value":[{"Id":"a"}],"@odata.nextLink":`+quoted(link)+`}`))
				}
				return say(c, page(`{"value":[{"Id":"b"}]}`))
			})
			before := len(d.exchanges())
			res := d.mailbox(s.origin, "me", nil)
			refused = res.Reason == acquire.ReasonBadLink
			if got := len(d.exchanges()) - before; got != len(s.requests()) || !refused && res.State != evidence.Complete {
				t.Fatalf("%q, %d quotes: %s, %s; %d of %d exchanges are recorded", name, quotes, res.State, res.Reason, got, len(s.requests()))
			}
		}
	}
}
