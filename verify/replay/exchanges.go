package replay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

// redacted is the word that stands for a secret (docs/container.md, 4.6).
const redacted = "REDACTED"

// Bounds of what is kept of the exchanges.
const (
	maxCandidates = 256 // exchanges of one request that are looked at: pages first, then the newest
	maxSecrets    = 256 // names of query parameters that were redacted
	maxHosts      = 64  // that are named
)

// exchanges finds the exchanges in which something was asked, by method and target.
type exchanges struct {
	index   *sorted // hash of method and target, rank, seq downwards → place of the lines
	lines   *spool  // head and detail lines, and where the records lie
	secrets map[string]bool
	hosts   []string // that were asked, in order
	count   int64
	part    bool              // entries are withheld
	perWin  map[int64]*asking // the exchanges that are there, by window
}

// asking is what is known of the exchanges of a window.
type asking struct {
	count       int64
	first, last time.Time // when the first of them began, and the last one
}

func (x *exchanges) asked(e *evidence.Entry) {
	a := x.perWin[e.Head.Window]
	if a == nil {
		a = &asking{first: e.Head.Start.Time}
		x.perWin[e.Head.Window] = a
	}
	a.count++
	a.last = e.Head.Start.Time
}

const hashSize = 16

// targetHash names a method and what is asked.
func targetHash(method, target string) []byte {
	h := sha256.Sum256([]byte(method + " " + sameKey(target)))
	return h[:hashSize]
}

// Ranks of exchanges: the lower, the better.
const (
	rankPage     = iota // complete, 200, and no later attempt replaced it
	rankComplete        // complete, another status or replaced
	rankBroken          // anything else that has a response
	rankSilent          // no byte came
)

// indexExchanges reads all entries.
func indexExchanges(ctx context.Context, c *verify.Container, dir string) (x *exchanges, err error) {
	x = &exchanges{lines: &spool{dir: dir}, secrets: map[string]bool{}, perWin: map[int64]*asking{}}
	s := newSorter(dir, grouping{tail: 9, most: maxCandidates})
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(), x.close())
		}
	}()
	there := int64(0)
	for e, err := range c.Entries(ctx) {
		if err != nil {
			return x, err
		}
		there++
		if err := x.add(s, c, e); err != nil {
			return x, err
		}
	}
	x.part = there < c.Len()
	if err := x.lines.flush(); err != nil {
		return x, err
	}
	x.index, err = s.finish()
	return x, err
}

// add takes an entry, if it is an exchange whose request is there.
func (x *exchanges) add(s *sorter, c *verify.Container, e *evidence.Entry) error {
	body, ok := e.Body.(*evidence.Exchange)
	if !ok {
		return nil
	}
	x.asked(e)
	if len(e.Detail.Records) == 0 || e.Detail.Records[0].Type != warc.Request {
		return nil
	}
	host, target := splitURL(body.URL)
	if len(x.hosts) < maxHosts && host != "" && !slices.Contains(x.hosts, host) {
		x.hosts = append(x.hosts, host)
	}
	for _, r := range body.Redactions {
		if r.What == "query" && len(x.secrets) < maxSecrets {
			x.secrets[strings.ToLower(unescaped(r.Name))] = true
		}
	}
	at, err := x.lines.add(appendLines(nil, e))
	if err != nil {
		return err
	}
	x.count++
	key := append(targetHash(e.Head.Method, target), byte(rankOf(c, e, body)))
	key = binary.BigEndian.AppendUint64(key, ^uint64(e.Head.Seq))
	return s.Add(key, binary.AppendUvarint(binary.AppendUvarint(nil, uint64(at)), uint64(x.lines.size-at)))
}

func rankOf(c *verify.Container, e *evidence.Entry, body *evidence.Exchange) int {
	switch {
	case len(e.Detail.Records) < 2 || e.Detail.Records[1].Type != warc.Response:
		return rankSilent
	case body.Ended != evidence.EndedComplete || e.Head.Status == 0:
		return rankBroken
	case !evidence.Kept(e.Head, body) || c.Replaced(e.Head.Seq):
		return rankComplete
	}
	return rankPage
}

// splitURL takes a recorded URL apart: the authority that Host names, and the target.
func splitURL(u string) (host, target string) {
	_, rest, ok := strings.Cut(u, "://")
	if !ok {
		return "", u
	}
	i := strings.IndexAny(rest, "/?")
	switch {
	case i < 0:
		return rest, "/"
	case rest[i] == '?':
		return rest[:i], "/" + rest[i:]
	}
	return rest[:i], rest[i:]
}

// appendLines writes what is needed to have an entry again.
func appendLines(b []byte, e *evidence.Entry) []byte {
	b = binary.AppendUvarint(b, uint64(len(e.HeadLine)))
	b = append(b, e.HeadLine...)
	b = binary.AppendUvarint(b, uint64(len(e.DetailLine)))
	b = append(b, e.DetailLine...)
	for _, l := range e.Located {
		b = binary.AppendUvarint(b, uint64(l.Segment))
		b = binary.AppendUvarint(b, uint64(l.Offset))
		b = binary.AppendUvarint(b, uint64(l.Length))
	}
	return b
}

// readLines makes the entry again.
func readLines(b []byte) (*evidence.Entry, error) {
	number := func() int64 {
		n, k := binary.Uvarint(b)
		b = b[k:]
		return int64(n)
	}
	text := func() []byte {
		n := number()
		t := b[:n]
		b = b[n:]
		return t
	}
	head := text()
	e, err := evidence.DecodeEntry(head, text())
	if err != nil {
		return nil, err
	}
	for len(b) > 0 {
		e.Located = append(e.Located, evidence.Located{Segment: int(number()), Offset: number(), Length: number()})
	}
	return e, nil
}

// candidate is an exchange in which the same was asked: the same method, and the same target but for secrets, or what [sameKey] takes for the same.
type candidate struct {
	entry   *evidence.Entry
	rank    int
	host    string
	target  string // as it was recorded
	request httpblock.RequestLayout
}

func (c *candidate) exchange() *evidence.Exchange { return c.entry.Body.(*evidence.Exchange) }

// find returns the exchanges of a request, the best first.
func (x *exchanges) find(ctx context.Context, c *verify.Container, method, target string) ([]*candidate, error) {
	hash := targetHash(method, x.redact(target))
	items, err := x.index.group(hash)
	if err != nil {
		return nil, err
	}
	var found []*candidate
	for _, it := range items {
		rank := int(it.key[hashSize])
		if rank == rankSilent {
			continue
		}
		at, n := binary.Uvarint(it.payload)
		length, _ := binary.Uvarint(it.payload[n:])
		b, err := x.lines.piece(int64(at), int64(length))
		if err != nil {
			return nil, err
		}
		e, err := readLines(b)
		if err != nil {
			return nil, err
		}
		cand := &candidate{entry: e, rank: rank}
		cand.host, cand.target = splitURL(cand.exchange().URL)
		if cand.request, err = readRequest(ctx, c, e); err != nil {
			return nil, err
		}
		found = append(found, cand)
	}
	return found, nil
}

// readBlock reads a record. One that is not where it was, or not as it was, is [verify.ErrChanged].
func readBlock(ctx context.Context, c *verify.Container, e *evidence.Entry, i int) (*verify.Block, error) {
	block, err := c.Block(ctx, e, i)
	var form *warc.FormatError
	if errors.As(err, &form) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("entry %d: %w", e.Head.Seq, verify.ErrChanged)
	}
	return block, err
}

// readRequest reads the head of a recorded request. Of one that was cut while it was sent it returns what is there.
func readRequest(ctx context.Context, c *verify.Container, e *evidence.Entry) (r httpblock.RequestLayout, err error) {
	block, err := readBlock(ctx, c, e, 0)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, block.Close()) }()
	r, err = httpblock.ParseRequest(block, block.Size)
	if errors.Is(err, httpblock.ErrRequest) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return r, err
}

// redact puts REDACTED in place of the values of those parameters whose values were redacted when they were recorded. A name is also seen after ';' and '?', as
// the recorder sees it.
func (x *exchanges) redact(target string) string {
	path, query, ok := strings.Cut(target, "?")
	if !ok || len(x.secrets) == 0 {
		return target
	}
	var out bytes.Buffer
	out.WriteString(path)
	mark := byte('?')
	for pair := range strings.SplitSeq(query, "&") {
		out.WriteByte(mark)
		mark = '&'
		out.WriteString(x.redactPair(pair))
	}
	return out.String()
}

func (x *exchanges) redactPair(pair string) string {
	for at := 0; ; {
		name, value, ok := strings.Cut(pair[at:], "=")
		if ok && value != "" && x.secrets[strings.ToLower(unescaped(name))] {
			return pair[:at+len(name)+1] + redacted
		}
		i := strings.IndexAny(pair[at:], ";?")
		if i < 0 {
			return pair
		}
		at += i + 1
	}
}

// unescaped undoes percent escapes; what cannot be undone stays.
func unescaped(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

func (x *exchanges) close() error {
	var err error
	if x.index != nil {
		err = x.index.close()
	}
	return errors.Join(err, x.lines.close())
}

// String names an exchange.
func (c *candidate) String() string { return fmt.Sprintf("entry %d", c.entry.Head.Seq) }
