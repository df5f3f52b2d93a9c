package hostile

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock/vectors"
)

// poison is what a server writes behind its answers, for the next request to get.
const poison = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 37\r\n\r\n{\"value\":[{\"Id\":\"poison\"},{\"Id\":\"2\"}]}"

// flood writes head and then unit until size bytes of it are out or nobody reads any more.
func flood(c net.Conn, head, unit string, size int) bool {
	_, err := io.WriteString(c, head)
	b := []byte(strings.Repeat(unit, 1+32<<10/len(unit)))
	for ; err == nil && size > 0; size -= len(b) {
		_, err = c.Write(b[:min(len(b), size)])
	}
	return err == nil
}

// framed is one form of row S6 beyond the vectors of evidence/httpblock, or of row S7.
type framed struct {
	name          string
	talk          func(c net.Conn) bool
	state, reason string
	ended         string
	size          int      // of the block; -1 where it does not matter
	flags         []string // that must be there
}

const mebi = 1 << 20

func text(answer string) func(net.Conn) bool { return func(c net.Conn) bool { return say(c, answer) } }

func thenClose(answer string) func(net.Conn) bool {
	return func(c net.Conn) bool { say(c, answer); return false }
}

// heads is row S7: heads without end, interim answers, statuses that have no body. A head may have 1 MiB in all, with 16 interim answers before it.
var heads = []framed{
	{"a million lines", func(c net.Conn) bool { return flood(c, "HTTP/1.1 200 OK\r\n", "X: 1\r\n", 6_000_000) }, evidence.Failed, acquire.ReasonBudget, "header-budget", mebi, nil},
	{"a line of 100 MiB", func(c net.Conn) bool { return flood(c, "HTTP/1.1 200 OK\r\nX: ", "a", 100*mebi) }, evidence.Failed, acquire.ReasonBudget, "header-budget", mebi, nil},
	{"a status line of 100 MiB", func(c net.Conn) bool { return flood(c, "HTTP/1.1 200 ", "a", 100*mebi) }, evidence.Failed, acquire.ReasonBudget, "header-budget", mebi, nil},
	{"a name of 100 MiB", func(c net.Conn) bool { return flood(c, "HTTP/1.1 200 OK\r\n", "a", 100*mebi) }, evidence.Failed, acquire.ReasonBudget, "header-budget", mebi, nil},
	{"a folded line of 100 MiB", func(c net.Conn) bool { return flood(c, "HTTP/1.1 200 OK\r\nX: 1\r\n", " fold\r\n", 100*mebi) }, evidence.Failed, acquire.ReasonBudget, "header-budget", mebi, nil},
	{"lines that end in LF", func(c net.Conn) bool { return flood(c, "HTTP/1.1 200 OK\n", "X: 1\n", 100*mebi) }, evidence.Failed, acquire.ReasonBudget, "header-budget", mebi, nil},
	{"1 MiB exactly", text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: " + strings.Repeat("a", mebi-17-19-3-4) + "\r\n\r\nok"), evidence.Complete, "", "complete", mebi + 2, nil},
	{"1 MiB and a byte", text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: " + strings.Repeat("a", mebi-17-19-3-3) + "\r\n\r\nok"), evidence.Failed, acquire.ReasonBudget, "header-budget", mebi, nil},
	{"10,000 cookies", text("HTTP/1.1 200 OK\r\n" + strings.Repeat("Set-Cookie: a=1\r\n", 10_000) + "Content-Length: 2\r\n\r\nok"), evidence.Complete, "", "complete", 17 + 170_000 + 19 + 2 + 2, nil},
	{"trailers, a million lines", func(c net.Conn) bool {
		return flood(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", "X: 1\r\n", 6_000_000)
	}, evidence.Failed, acquire.ReasonBudget, "header-budget", mebi + 10, nil}, // the chunks are no part of the budget
	{"a trailer of 100 MiB", func(c net.Conn) bool {
		return flood(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", "a", 100*mebi)
	}, evidence.Failed, acquire.ReasonBudget, "header-budget", mebi + 3, nil},
	{"16 interim answers", text(strings.Repeat("HTTP/1.1 102 P\r\n\r\n", 16) + answer("200 OK", "", "ok")), evidence.Complete, "", "complete", 16*18 + 17 + 19 + 2 + 2, nil},
	{"17 interim answers", text(strings.Repeat("HTTP/1.1 102 P\r\n\r\n", 17) + answer("200 OK", "", "ok")), evidence.Failed, acquire.ReasonBudget, "interim-budget", 17 * 18, nil},
	{"a million interim answers", func(c net.Conn) bool { return flood(c, "", "HTTP/1.1 100 C\r\n\r\n", 18_000_000) }, evidence.Failed, acquire.ReasonBudget, "interim-budget", 17 * 18, nil},
	{"interim answers with long heads", func(c net.Conn) bool {
		return flood(c, "", "HTTP/1.1 103 E\r\nLink: </"+strings.Repeat("a", 100_000)+">; rel=preload\r\n\r\n", 50*mebi)
	}, evidence.Failed, acquire.ReasonBudget, "header-budget", mebi, nil},
	{"early hints that link elsewhere", text("HTTP/1.1 103 Early Hints\r\nLink: <https://127.0.0.2/>; rel=next\r\n\r\n" + answer("200 OK", "", "ok")), evidence.Complete, "", "complete", -1, nil},
	{"an interim answer with a length", text("HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n" + answer("200 OK", "", "ok")), evidence.Complete, "", "complete", -1, []string{"framing-in-interim"}},
	{"an unknown interim answer", text("HTTP/1.1 199 ?\r\n\r\n" + answer("200 OK", "", "ok")), evidence.Complete, "", "complete", -1, nil},
	{"interim answers and nothing", thenClose("HTTP/1.1 100 C\r\n\r\n"), evidence.Failed, acquire.ReasonBrokenAnswer, "cut", 18, nil},
	{"101 to another protocol", text("HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n\x00\x00\x00\x04"), evidence.Failed, acquire.ReasonStatus, "complete", 24 + 14 + 21 + 2, []string{"switching-protocols"}},
	{"101 without a word", text("HTTP/1.1 101 Switching\r\n\r\n" + answer("200 OK", "", "ok")), evidence.Failed, acquire.ReasonStatus, "complete", 26, []string{"switching-protocols"}},
	{"204 with a body", text("HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\nhello"), evidence.Failed, acquire.ReasonStatus, "complete", 19 + 19 + 2, []string{"body-forbidden"}},
	{"204, chunked", text("HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), evidence.Failed, acquire.ReasonStatus, "complete", 19 + 28 + 2, []string{"body-forbidden"}},
	{"205 with a body", text("HTTP/1.1 205 Reset\r\nContent-Length: 5\r\n\r\nhello"), evidence.Failed, acquire.ReasonStatus, "complete", 20 + 19 + 2 + 5, nil},
	{"304 with a length and no body", text("HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n"), evidence.Failed, acquire.ReasonRedirect, "complete", 19 + 19 + 2, nil},
	{"304 with a body", text("HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\nhello"), evidence.Failed, acquire.ReasonRedirect, "complete", 19 + 19 + 2, nil},
	{"206 that nobody asked for", text(answer("206 Part", "Content-Range: bytes 0-1/9\r\n", "ok")), evidence.Failed, acquire.ReasonStatus, "complete", -1, nil},
	{"599", text(answer("599 Odd", "", "ok")), evidence.Failed, acquire.ReasonServerError, "complete", -1, nil},
	{"status 000", thenClose("HTTP/1.1 000 Zero\r\nContent-Length: 2\r\n\r\nok"), evidence.Failed, acquire.ReasonBrokenAnswer, "malformed", -1, []string{"bad-status-line"}},
}

// bodies are forms of row S6 that are too long for the vectors.
var bodies = []framed{
	{"a million chunks of a byte", func(c net.Conn) bool {
		return flood(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 6_000_000) && say(c, "0\r\n\r\n")
	}, evidence.Complete, "", "complete", 47 + 6_000_000 + 5, nil},
	{"1 MiB of chunk extensions", text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1;e="+strings.Repeat("y", 1015)+"\r\nx\r\n", 1024) + "0\r\n\r\n"),
		evidence.Complete, "", "complete", 47 + 1024*(4+1015+2+3) + 5, []string{"chunk-extension"}},
	{"a chunk extension of 1 MiB", func(c net.Conn) bool {
		flood(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;e=", "y", mebi)
		return false
	}, evidence.Failed, acquire.ReasonBrokenAnswer, "malformed", 47 + 4 + mebi, []string{"bad-chunk"}},
	{"a chunk size of 1 MiB of zeros", func(c net.Conn) bool {
		flood(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0", mebi)
		return false
	}, evidence.Failed, acquire.ReasonBrokenAnswer, "malformed", 47 + mebi, []string{"bad-chunk"}},
	{"HTTP/0.9 of 1 MiB", func(c net.Conn) bool { flood(c, "", "<html>", mebi); return false }, evidence.Failed, acquire.ReasonBrokenAnswer, "malformed", mebi, []string{"http-09"}},
	{"HTTP/2 frames", thenClose("\x00\x00\x12\x04\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 18)), evidence.Failed, acquire.ReasonBrokenAnswer, "malformed", 27, []string{"http-09"}},
	{"a TLS alert in plain", thenClose("\x15\x03\x03\x00\x02\x02\x28"), evidence.Failed, acquire.ReasonBrokenAnswer, "malformed", 7, []string{"http-09"}},
	{"the request itself", thenClose("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), evidence.Failed, acquire.ReasonBrokenAnswer, "malformed", 27, []string{"http-09"}},
	{"an answer before the request is read", nil, evidence.Complete, "", "complete", -1, nil}, // by open, below
}

// TestFramed is row S7, and what of row S6 is too long for a vector.
func TestFramed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := slices.Concat(heads, bodies)
		d := newDeskAt(t, time.Now)
		windows := map[int64]*framed{}
		for i := range all {
			c := &all[i]
			p := newPipes(func(conn net.Conn, _ *request) bool { return c.talk(conn) })
			if c.talk == nil {
				c.talk = func(net.Conn) bool { return true }
				p.open = func(conn net.Conn) (net.Conn, error) {
					return conn, flushed(say(conn, answer("200 OK", "Connection: close\r\n", "ok")))
				}
			}
			res := d.list(func(o *acquire.Options) { o.Dial, o.Wait = p.dial, nil }, "http://localhost/"+strconv.Itoa(i))
			p.close()
			if res.State != c.state || res.Reason != c.reason || res.Requests != 1 {
				t.Errorf("%s: %s, %q (%s), %d requests; want %s, %q", c.name, res.State, res.Reason, res.Text, res.Requests, c.state, c.reason)
			}
			windows[res.Window] = c
		}
		for _, x := range d.exchanges() {
			c := windows[x.window]
			if x.Ended != c.ended || c.size >= 0 && len(x.response) != c.size {
				t.Errorf("%s: ended %q with %d bytes; want %q with %d", c.name, x.Ended, len(x.response), c.ended, c.size)
			}
			for _, f := range c.flags {
				if !slices.Contains(x.Flags, f) {
					t.Errorf("%s: flags %q lack %q", c.name, x.Flags, f)
				}
			}
		}
		if err := d.c.Close(context.Background()); err != nil {
			t.Error(err)
		}
		undamaged(t, d.dir)
		t.Logf("%d heads, %d bodies", len(heads), len(bodies))
	})
}

func flushed(ok bool) error {
	if ok {
		return nil
	}
	return io.ErrClosedPipe
}

// misled says how what a case holds of a form that is followed by poison, and of the answer after it, differs from what must be there.
func misled(v *vectors.Response, first, second *recorded, clean string) []string {
	var diff []string
	add := func(ok bool, format string, args ...any) {
		if !ok {
			diff = append(diff, fmt.Sprintf(format, args...))
		}
	}
	add(second.response == clean && second.Ended == "complete", "the answer after it is %.80q, ended %q", second.response, second.Ended)
	add(second.Connection != first.Connection, "the answer after it came over the same connection")
	whole := string(v.Bytes) + poison
	switch {
	case v.Framing == "ambiguous":
		add(first.response == whole && first.Ended == "malformed", "ended %q with %.80q: what a longer reading would take is not kept", first.Ended, first.response)
	case v.Framing == "close":
		add(first.response == whole && first.Ended != "complete", "ended %q with %.80q", first.Ended, first.response)
	case v.End == "complete":
		add(first.response == string(v.Block()) && first.Ended == "complete", "ended %q with %.80q", first.Ended, first.response)
	default: // what came after a cut cannot be told from what was missing
		add(strings.HasPrefix(whole, first.response) && len(first.response) >= len(v.Bytes), "ended %q with %.80q", first.Ended, first.response)
	}
	for _, f := range v.Flags {
		if v.End == "complete" || v.Framing == "ambiguous" {
			add(slices.Contains(first.Flags, f), "flags %q lack %q", first.Flags, f)
		}
	}
	return diff
}

// judgePoison holds each form and the answer after it against what must be there. It plants two faults into each, a byte that is lost and poison that is taken for the next answer, and counts how many it notices.
func judgePoison(t *testing.T, all []vectors.Response, byURL map[string]*recorded) (lost, took int) {
	t.Helper()
	cut, alone := 0, 0
	for i := range all {
		first, second := byURL[fmt.Sprintf("http://localhost/form/%d", i)], byURL[fmt.Sprintf("http://localhost/clean/%d", i)]
		if all[i].Status == 503 && second == nil { // throttled: the run ends, and nothing more is asked
			alone++
			continue
		}
		if first == nil || second == nil {
			t.Errorf("%s: not recorded", all[i].Name)
			continue
		}
		clean := page(fmt.Sprintf(`{"value":[{"Id":"%d"}]}`, i))
		for _, diff := range misled(&all[i], first, second, clean) {
			t.Errorf("%s: %s", all[i].Name, diff)
		}
		if all[i].End == "cut" {
			cut++ // what follows a cut is not told from it
		}
		// The planted faults: a byte is lost, or the poison is taken for the next answer.
		planted := *first
		planted.response = planted.response[:len(planted.response)-1]
		if len(misled(&all[i], &planted, second, clean)) > 0 {
			lost++
		}
		planted = *second
		planted.response = poison
		if len(misled(&all[i], first, &planted, clean)) > 0 {
			took++
		}
	}
	if lost < len(all)-alone-cut || took < len(all)-alone {
		t.Errorf("of %d forms a lost byte is noticed in %d, poison that was taken in %d", len(all), lost, took)
	}
	return lost, took
}

// TestPoison is row S6 on connections that stay open: behind each form of answer the server writes another one, for the next request to take. The form is kept as it came and flagged, and the next request is asked over another
// connection and gets its own answer.
func TestPoison(t *testing.T) {
	all, err := vectors.Responses()
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(v vectors.Response) bool { return v.Method != "GET" })
	if len(all) < 60 {
		t.Fatalf("%d forms", len(all))
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDeskAt(t, time.Now)
		p := newPipes(func(c net.Conn, r *request) bool {
			name, number, _ := strings.Cut(strings.TrimPrefix(r.target, "/"), "/")
			n, err := strconv.Atoi(number)
			if err != nil {
				t.Errorf("asked for %q", r.target)
				return false
			}
			if name == "clean" {
				return say(c, page(`{"value":[{"Id":"`+number+`"}]}`))
			}
			say(c, string(all[n].Bytes))
			say(c, poison)
			if _, err := readRequest(newReader(c)); err == nil { // a request over a connection that is poisoned
				say(c, poison)
			}
			return false
		})
		all = slices.DeleteFunc(all, func(v vectors.Response) bool { return !every(3, len(v.Name)) })
		for i := range all {
			// One window each: some answers end a run.
			d.list(func(o *acquire.Options) {
				o.Dial, o.Wait = p.dial, nil
				o.MaxPages = 10                                              // under a budget one chain follows the other
				o.Progress = func(acquire.Event) { time.Sleep(time.Second) } // the poison is there before the next request
			}, fmt.Sprintf("http://localhost/form/%d", i), fmt.Sprintf("http://localhost/clean/%d", i))
		}
		p.close()
		byURL := map[string]*recorded{}
		for _, x := range d.exchanges() {
			if x.response == "" && x.Ended == "no-response" {
				continue // over an idle connection that the poison had ended
			}
			if byURL[x.URL] != nil {
				t.Errorf("%s was recorded twice", x.URL)
			}
			byURL[x.URL] = x
		}
		lost, took := judgePoison(t, all, byURL)
		if err := d.c.Close(context.Background()); err != nil {
			t.Error(err)
		}
		undamaged(t, d.dir)
		t.Logf("%d forms; a lost byte is noticed in %d, poison that was taken in %d", len(all), lost, took)
	})
}
