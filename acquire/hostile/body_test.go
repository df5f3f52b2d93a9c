package hostile

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// mostMemory is what exhibit may take at its peak, whatever a server sends.
const mostMemory = 200 << 20

// content is a body and the headers that it comes with, without its length.
type content struct {
	header string
	body   []byte
	chunks bool
}

// payload is a case of row S4.
type payload struct {
	name          string
	http          bool                    // from the source http, as a document; else a page of activities
	make          func() (content, error) // of an answer that has an end
	talk          func(c net.Conn)        // of one that has none
	flags         []string                // of the command
	exit          int
	state, reason string
}

const onePage = `{"value":[{"Id":"a"}]}`

func coded(coding string, make func(string) ([]byte, error), plain string) func() (content, error) {
	return func() (content, error) {
		b, err := make(plain)
		return content{"Content-Type: application/json\r\nContent-Encoding: " + coding + "\r\n", b, false}, err
	}
}

func asIs(s string) ([]byte, error) { return []byte(s), nil }

func gzipped(s string) ([]byte, error) { return bomb(s, "", 0, "") }

// bomb is gzip of head, n times unit, and tail.
func bomb(head, unit string, n int, tail string) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(w, head)
	piece := []byte(strings.Repeat(unit, 1<<20))
	for ; n > 0 && err == nil; n -= len(piece) {
		_, err = w.Write(piece[:min(len(piece), n)])
	}
	if err == nil {
		_, err = io.WriteString(w, tail)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

func bombOf(head, unit, tail string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return bomb(head, unit, charge(), tail) }
}

// charge is what a bomb holds, in bytes.
func charge() int {
	if *full {
		return 256 << 20
	}
	return 80 << 20
}

func deflated(s string) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err == nil {
		_, err = io.WriteString(w, s)
	}
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

func zlibbed(s string) ([]byte, error) {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	_, err := io.WriteString(w, s)
	if err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

// zstdBomb is a frame of blocks that each repeat one byte 128 KiB times (RFC 8878, 3.1.1.2): 1 GiB in 32 KiB.
func zstdBomb(string) ([]byte, error) {
	const blocks = 8192
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58}
	for i := range blocks {
		h := uint32(128<<10)<<3 | 1<<1
		if i == blocks-1 {
			h |= 1
		}
		b = append(b, byte(h), byte(h>>8), byte(h>>16), ' ')
	}
	return b, nil
}

func twice(make func(string) ([]byte, error)) func(string) ([]byte, error) {
	return func(s string) ([]byte, error) {
		b, err := make(s)
		if err != nil {
			return nil, err
		}
		return gzipped(string(b))
	}
}

func damagedBy(change func(b []byte) []byte) func(string) ([]byte, error) {
	return func(s string) ([]byte, error) {
		b, err := gzipped(s)
		return change(b), err
	}
}

// padded is a page with white space behind it.
func padded(n int) func() (content, error) {
	return func() (content, error) {
		return content{"Content-Type: application/json\r\n", append([]byte(onePage), bytes.Repeat([]byte(" "), n)...), false}, nil
	}
}

func endless(head, unit string) func(net.Conn) {
	return func(c net.Conn) { flood(c, head, unit, 1<<40) }
}

var limited = []string{"--max-bytes", "24M"}

// payloads is row S4. Only gzip is decoded, and a page up to 64 MiB; other codings are kept as they came, and the page cannot be taken.
var payloads = []payload{
	{name: "plain", make: padded(0), state: evidence.Complete},
	{name: "gzip", make: coded("gzip", gzipped, onePage), state: evidence.Complete},
	{name: "gzip that was asked for", make: coded("gzip", gzipped, onePage), flags: []string{"--accept-gzip"}, state: evidence.Complete},
	{name: "x-gzip", make: coded("x-gzip", gzipped, onePage), state: evidence.Complete},
	{name: "GZIP", make: coded("GZIP", gzipped, onePage), state: evidence.Complete},
	{name: "gzip in two members", make: coded("gzip", func(string) ([]byte, error) {
		a, err := gzipped(onePage[:9])
		if err != nil {
			return nil, err
		}
		b, err := gzipped(onePage[9:])
		return append(a, b...), err
	}, ""), state: evidence.Complete},
	{name: "gzip, chunked", make: func() (content, error) {
		b, err := gzipped(onePage)
		return content{"Content-Type: application/json\r\nContent-Encoding: gzip\r\n", b, true}, err
	}, state: evidence.Complete},
	{name: "no word for the coding", make: coded("", asIs, onePage), state: evidence.Complete},
	{name: "identity", make: coded("identity", asIs, onePage), state: evidence.Complete},

	{name: "gzip in gzip", make: coded("gzip", twice(gzipped), onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "gzip, gzip", make: coded("gzip, gzip", twice(gzipped), onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "gzip in two fields", make: coded("gzip\r\nContent-Encoding: gzip", twice(gzipped), onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "identity, gzip", make: coded("identity, gzip", gzipped, onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "gzip;q=1", make: coded("gzip;q=1", gzipped, onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "gzip that is none", make: coded("gzip", asIs, onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "identity that is gzip", make: coded("identity", gzipped, onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "gzip, cut", make: coded("gzip", damagedBy(func(b []byte) []byte { return b[:len(b)-9] }), onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "gzip, wrong checksum", make: coded("gzip", damagedBy(func(b []byte) []byte { b[len(b)-8] ^= 1; return b }), onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "gzip, wrong length", make: coded("gzip", damagedBy(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "gzip and more", make: coded("gzip", damagedBy(func(b []byte) []byte { return append(b, "more"...) }), onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "gzip of nothing", make: coded("gzip", asIs, ""), exit: 4, state: evidence.Failed, reason: broken},
	{name: "gzip, a name of 1 MiB", make: coded("gzip", func(string) ([]byte, error) {
		return append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3}, bytes.Repeat([]byte("n"), 1<<20)...), nil
	}, ""), exit: 4, state: evidence.Failed, reason: broken},
	{name: "deflate", make: coded("deflate", deflated, onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "deflate, zlib", make: coded("deflate", zlibbed, onePage), exit: 4, state: evidence.Failed, reason: broken},
	{name: "br", make: coded("br", asIs, "\x0b\x0b\x80"+onePage+"\x03"), exit: 4, state: evidence.Failed, reason: broken},
	{name: "compress", make: coded("compress", asIs, "\x1f\x9d\x90"), exit: 4, state: evidence.Failed, reason: broken},
	{name: "a coding that nobody knows", make: coded("rot13", asIs, onePage), exit: 4, state: evidence.Failed, reason: broken},

	{name: "gzip bomb of white space", make: coded("gzip", bombOf(`{"value":[`, " ", `]}`), ""), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
	{name: "gzip bomb of one string", make: coded("gzip", bombOf(`{"value":[{"Id":"a","x":"`, "y", `"}]}`), ""), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
	{name: "gzip bomb of one name", make: coded("gzip", bombOf(`{"`, "n", `":1,"value":[]}`), ""), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
	{name: "gzip bomb of one number", make: coded("gzip", bombOf(`{"value":[],"x":`, "9", `}`), ""), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
	{name: "gzip bomb of one Id", make: coded("gzip", bombOf(`{"value":[{"Id":"`, "y", `"}]}`), ""), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
	{name: "gzip bomb of rows", make: coded("gzip", bombOf(`{"value":[{"Id":"a"}`, `,{}`, `]}`), ""), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
	{name: "gzip bomb of a link", make: coded("gzip", bombOf(`{"value":[],"@odata.nextLink":"/`, `a`, `"}`), ""), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
	{name: "gzip bomb of members", make: coded("gzip", bombOf(`{"value":[]`, `,"x":1`, `}`), ""), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
	{name: "gzip bomb in a refusal", make: func() (content, error) {
		b, err := bomb(`{"error":{"code":"`, "x", charge(), `"}}`)
		return content{"Status: 400 Bad\r\nContent-Encoding: gzip\r\n", b, false}, err
	}, exit: 4, state: evidence.Failed, reason: acquire.ReasonBadRequest},
	{name: "gzip bomb as a document", http: true, make: func() (content, error) {
		b, err := bomb("", "x", charge(), "")
		return content{"Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", b, false}, err
	}, state: evidence.Complete},
	{name: "gzip bomb as a JSON document", http: true, make: coded("gzip", bombOf(`[`, " ", `]`), ""), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
	{name: "zstd bomb", make: coded("zstd", zstdBomb, ""), exit: 4, state: evidence.Failed, reason: broken},
	{name: "zstd bomb as a document", http: true, make: coded("zstd", zstdBomb, ""), exit: 4, state: evidence.Failed, reason: broken},

	{name: "20 MiB", make: padded(20 << 20), state: evidence.Complete},
	{name: "66 MiB of white space", make: padded(66 << 20), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
	{name: "10 GiB are said, 30 bytes come", talk: func(c net.Conn) { say(c, "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n"+onePage) }, exit: 4, state: evidence.Failed, reason: acquire.ReasonBrokenAnswer},
	{name: "10 GiB", talk: endless("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n", "x"), flags: limited, exit: 4, state: evidence.Failed, reason: acquire.ReasonByteBudget},
	{name: "8 EiB", talk: endless("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n", "x"), flags: limited, exit: 4, state: evidence.Failed, reason: acquire.ReasonByteBudget},
	{name: "no end", talk: endless("HTTP/1.1 200 OK\r\n\r\n", "x"), flags: limited, exit: 4, state: evidence.Failed, reason: acquire.ReasonByteBudget},
	{name: "no end, gzip", talk: endless("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "\x00\x00\x00\xff\xff"), flags: limited, exit: 4, state: evidence.Failed, reason: acquire.ReasonByteBudget},
	{name: "chunks without end", talk: endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1000\r\n"+strings.Repeat("x", 4096)+"\r\n"), flags: limited, exit: 4, state: evidence.Failed, reason: acquire.ReasonByteBudget},
	{name: "chunks of a byte without end", talk: endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"), flags: limited, exit: 4, state: evidence.Failed, reason: acquire.ReasonByteBudget},
	{name: "a chunk of 8 EiB", talk: endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n", "x"), flags: limited, exit: 4, state: evidence.Failed, reason: acquire.ReasonByteBudget},
	{name: "no HTTP, no end", talk: endless("", "x"), flags: limited, exit: 4, state: evidence.Failed, reason: acquire.ReasonByteBudget},
	{name: "no end and no bound: 1 GiB", talk: endless("HTTP/1.1 200 OK\r\n\r\n", "x"), exit: 4, state: evidence.Failed, reason: acquire.ReasonBudget},
}

// written is the head and the body of an answer.
func (c *content) written() []byte {
	status := "200 OK"
	if rest, ok := strings.CutPrefix(c.header, "Status: "); ok {
		status, c.header, _ = strings.Cut(rest, "\r\n")
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %s\r\n%s", status, c.header)
	if !c.chunks {
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(c.body))
		b.Write(c.body)
		return b.Bytes()
	}
	b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for _, x := range c.body {
		b.WriteString("1\r\n" + string([]byte{x}) + "\r\n")
	}
	b.WriteString("0\r\n\r\n")
	return b.Bytes()
}

// TestBodies is row S4 over the program itself: what came is stored as it came, memory stays below 200 MiB, and what cannot be taken is told.
func TestBodies(t *testing.T) {
	t.Parallel()
	if len(payloads) < 40 {
		t.Fatalf("%d payloads", len(payloads))
	}
	l := newLab(t)
	var mu sync.Mutex
	sums := map[string]hash.Hash{} // by number of the case, of what was served
	s := serve(t, nil, func(c net.Conn, r *request) bool {
		n := numberIn(r.target)
		p := &payloads[n]
		if p.talk != nil {
			p.talk(c)
			return false
		}
		made, err := p.make()
		if err != nil {
			t.Error(err)
			return false
		}
		b := made.written()
		sum := sha256.New()
		sum.Write(b)
		mu.Lock()
		sums[strconv.Itoa(n)] = sum
		mu.Unlock()
		return say(c, string(b))
	})
	most, tried, worst := int64(0), 0, ""
	for i := range payloads {
		p := &payloads[i]
		if !every(4, i) || !*full && strings.Contains(p.name, "1 GiB") {
			continue
		}
		tried++
		args := withToken(acquisition(s.origin, strconv.Itoa(i), append(p.flags, "--json")...))
		if p.http {
			args = append([]string{"acquire", "http", "--yes", "--case", caseName, "--ca-file", "ca.pem", "--json", "--patience", "1ns"}, s.origin+"/Users('"+strconv.Itoa(i)+"')")
		}
		code, out, peak := l.measured(args...)
		var v struct{ Outcome, Reason string }
		if err := json.Unmarshal([]byte(out[:strings.LastIndex(out, "}\n")+1][strings.Index(out, "{\n"):]), &v); err != nil {
			t.Errorf("%s: %v in %s", p.name, err, out)
		}
		if code != p.exit || v.Outcome != p.state || v.Reason != p.reason && p.reason != "" {
			t.Errorf("%s: exit code %d, %s, %q; want %d, %s, %q\n%s", p.name, code, v.Outcome, v.Reason, p.exit, p.state, p.reason, out)
		}
		if peak > most {
			most, worst = peak, p.name
		}
		if peak > mostMemory {
			t.Errorf("%s: %d MiB of memory", p.name, peak>>20)
		}
	}
	kept := 0
	l.records(func(r *warc.Record) {
		if r.Type != warc.Response || r.Truncated != "" {
			return
		}
		if sum := sums[strconv.Itoa(numberIn(r.TargetURI))]; sum != nil {
			kept++
			if !bytes.Equal(sum.Sum(nil), r.BlockHash[:]) {
				t.Errorf("%s is not kept as it came", payloads[numberIn(r.TargetURI)].name)
			}
		}
	})
	if kept < len(sums) {
		t.Errorf("%d answers are kept whole, %d were served", kept, len(sums))
	}
	undamaged(t, l.dir+"/"+caseName)
	t.Logf("%d of %d payloads; %d MiB of memory at the most (%s)", tried, len(payloads), most>>20, worst)
}

// numberIn is the number of a case in a target or URL.
func numberIn(target string) int {
	_, rest, _ := strings.Cut(target, "Users('")
	number, _, _ := strings.Cut(rest, "'")
	n, err := strconv.Atoi(number)
	if err != nil {
		return -1
	}
	return n
}
