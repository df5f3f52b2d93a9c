package httpblock

import (
	"bytes"
	"io"
	"math"
	"slices"
	"strings"
)

// Limits bound what a [Framer] takes. A zero field means no bound, except that Header then is MaxHeader.
type Limits struct {
	Header  int64 // bytes of all heads, 1xx included, and of the trailer section
	Interim int   // 1xx responses
	Body    int64 // bytes of the body on the wire
}

// MaxHeader is the largest header budget that makes sense, in bytes: ParseResponse reads no longer head.
const MaxHeader = 4 << 20

type state uint8

const (
	inHead state = iota
	inLength
	inChunks
	inTrailer
	inClose
	inAmbiguous
	done
)

// A Framer finds the end of one response while its bytes arrive in pieces of any size; the pieces do not
// change what it finds. It keeps the current head in memory and nothing of the body. Not for concurrent use.
type Framer struct {
	method  string
	lim     Limits
	payload io.Writer

	st       state
	head     []byte // the head or trailer section being read
	line     int    // where its last line begins
	headUsed int64
	left     int64 // of a counted body
	chunks   chunks
	out      Layout
}

// NewFramer returns a Framer for the response to a request with that method. What the body holds once
// chunked is taken off is written to payload as it passes, unless that is nil; its errors are ignored, it is
// meant for hashes. What was written is void when the framing turns out to be ambiguous.
func NewFramer(method string, lim Limits, payload io.Writer) *Framer {
	if lim.Header <= 0 || lim.Header > MaxHeader {
		lim.Header = MaxHeader
	}
	if lim.Interim <= 0 {
		lim.Interim = math.MaxInt
	}
	if lim.Body <= 0 {
		lim.Body = math.MaxInt64
	}
	return &Framer{method: method, lim: lim, payload: payload}
}

// Feed takes the next bytes and returns how many of them belong to the response. Fewer than len(p) means
// that the response ended, or a budget was spent, within p.
func (f *Framer) Feed(p []byte) int {
	n := 0
	for n < len(p) && f.st != done {
		k := f.step(p[n:])
		n += k
		f.out.Size += int64(k)
	}
	return n
}

// Done reports whether the response ended or a budget was spent.
func (f *Framer) Done() bool { return f.st == done }

// Framing returns how the body is delimited, or "" while no final head has ended. It may still turn from chunked to
// ambiguous.
func (f *Framer) Framing() string { return f.out.Framing }

// Expect returns how many bytes the response still lacks, or -1 when its framing does not say.
func (f *Framer) Expect() int64 {
	switch f.st {
	case inLength:
		return f.left
	case done:
		return 0
	}
	return -1
}

// Close tells that the peer ended the stream. Clean is false when the layer below knows that bytes may be
// missing, as TLS does without a close_notify.
func (f *Framer) Close(clean bool) {
	switch {
	case f.st == done:
	case f.out.Size == 0:
		f.Abort(EndNoResponse)
	case f.st == inAmbiguous:
		f.Abort(EndMalformed)
	case f.st == inClose && clean:
		f.Abort(EndComplete)
	default:
		f.Abort(EndCut)
	}
}

// Abort ends the block here for the reason given, unless it has ended before.
func (f *Framer) Abort(end string) {
	if f.st != done {
		f.out.End = end
		f.st = done
	}
}

// Layout returns what is known so far. It is final once Done.
func (f *Framer) Layout() Layout {
	l := f.out
	if l.Framing == "" {
		l.BodyOffset = l.Size
	}
	l.BodyLength = l.Size - l.BodyOffset
	if l.Framing == FramingAmbiguous {
		l.PayloadLength = -1
	}
	l.Flags = slices.Sorted(slices.Values(l.Flags))
	l.Reusable = l.End == EndComplete && l.Framing != FramingClose && l.harmless() && !l.Fields.HasToken("Connection", "close")
	return l
}

// step takes at least one byte of p, or changes the state.
func (f *Framer) step(p []byte) int {
	if f.st == inHead {
		return f.headLine(p)
	}
	if p = f.bodyRoom(p); p == nil {
		return 0
	}
	switch f.st {
	case inTrailer:
		return f.trailerLine(p)
	case inLength:
		p = p[:min(int64(len(p)), f.left)]
		f.pay(p)
		if f.left -= int64(len(p)); f.left == 0 {
			f.Abort(EndComplete)
		}
		return len(p)
	case inChunks:
		return f.chunk(p)
	case inClose:
		f.pay(p)
	}
	return len(p)
}

// bodyRoom cuts p to what the body budget leaves; nil means that it is spent.
func (f *Framer) bodyRoom(p []byte) []byte {
	room := f.lim.Body - (f.out.Size - f.out.BodyOffset)
	if room <= 0 {
		f.Abort(EndBodyBudget)
		return nil
	}
	return p[:min(int64(len(p)), room)]
}

func (f *Framer) pay(p []byte) {
	f.out.PayloadLength += int64(len(p))
	if f.payload != nil {
		f.payload.Write(p)
	}
}

// lineOf adds to the head what p holds of its current line, within the header budget, and returns the line
// once it is whole.
func (f *Framer) lineOf(p []byte) (n int, line []byte) {
	room := f.lim.Header - f.headUsed
	if room <= 0 {
		f.Abort(EndHeaderBudget)
		return 0, nil
	}
	p = p[:min(int64(len(p)), room)]
	i := bytes.IndexByte(p, '\n')
	if i >= 0 {
		p = p[:i+1]
	}
	f.head = append(f.head, p...)
	f.headUsed += int64(len(p))
	if i < 0 {
		return len(p), nil
	}
	line = f.head[f.line:]
	f.line = len(f.head)
	return len(p), line
}

const protoPrefix = "HTTP/"

// headLine reads a line of a head; the first one must be a status line.
func (f *Framer) headLine(p []byte) int {
	first := f.line == 0
	if have := len(f.head); first && have < len(protoPrefix) {
		k := min(len(p), len(protoPrefix)-have)
		if string(p[:k]) != protoPrefix[have:have+k] {
			f.opaque(FlagHTTP09)
			return 0
		}
	}
	n, line := f.lineOf(p)
	switch {
	case line == nil:
	case first:
		if !f.statusLine(line) {
			f.opaque(FlagBadStatusLine)
		}
	case isEmptyLine(line):
		f.endHead(int64(n))
	}
	return n
}

// opaque gives up on heads: all from the start of the current one is an ambiguous body.
func (f *Framer) opaque(flag string) {
	f.out.flag(flag)
	f.out.Proto, f.out.Status, f.out.Reason = "", 0, ""
	f.out.BodyOffset = f.out.HeadOffset
	f.out.Framing = FramingAmbiguous
	f.st = inAmbiguous
	f.head = nil
}

// endHead decides what follows the head whose last n bytes are being taken.
func (f *Framer) endHead(n int64) {
	l := &f.out
	s := parseSection(string(f.head), l, true)
	if l.Status/100 == 1 && l.Status != 101 {
		f.endInterim(s, n)
		return
	}
	l.Fields = s.fields
	l.HeadLength = int64(len(f.head))
	l.BodyOffset = l.HeadOffset + l.HeadLength
	f.head = nil
	if l.Proto == "HTTP/1.0" {
		l.flag(FlagHTTP10)
	}
	l.Framing, f.left = s.framing(l, f.method)
	switch l.Framing {
	case FramingNone:
		f.Abort(EndComplete)
	case FramingLength:
		f.st = inLength
		if f.left == 0 {
			f.Abort(EndComplete)
		}
	case FramingChunked:
		f.st = inChunks
	case FramingClose:
		l.flag(FlagCloseDelimited)
		f.st = inClose
	default:
		f.st = inAmbiguous
	}
}

// endInterim notes a 1xx response and makes ready for the next head.
func (f *Framer) endInterim(s section, n int64) {
	l := &f.out
	if len(s.lengths)+len(s.codings) > 0 {
		l.flag(FlagFramingInInterim)
	}
	l.Interim = append(l.Interim, l.Status)
	l.Proto, l.Status, l.Reason = "", 0, ""
	l.HeadOffset = l.Size + n
	f.head, f.line = f.head[:0], 0
	if len(l.Interim) > f.lim.Interim {
		f.Abort(EndInterimBudget)
	}
}

// chunk takes one step of a chunked body.
func (f *Framer) chunk(p []byte) int {
	n, data := f.chunks.step(p)
	f.pay(data)
	if f.chunks.extension {
		f.out.flag(FlagChunkExtension)
	}
	if f.chunks.padding {
		f.out.flag(FlagChunkPadding)
	}
	if f.chunks.bareLF {
		f.out.flag(FlagBareLF)
	}
	switch f.chunks.st {
	case chunkBad:
		f.broken()
	case chunkLast:
		f.st = inTrailer
		f.head, f.line = nil, 0
	}
	return n
}

// broken turns a chunked body into an ambiguous one.
func (f *Framer) broken() {
	f.out.flag(FlagBadChunk)
	f.out.Framing = FramingAmbiguous
	f.st = inAmbiguous
}

// trailerLine reads a line of the trailer section, which an empty line ends.
func (f *Framer) trailerLine(p []byte) int {
	n, line := f.lineOf(p)
	switch {
	case line == nil:
	case !bytes.HasSuffix(line, []byte("\r\n")):
		f.out.flag(FlagBareLF)
		f.broken()
	case len(line) == 2:
		s := parseSection(string(f.head), &f.out, false)
		if f.out.Trailers = s.fields; len(s.fields) > 0 || len(f.head) > 2 {
			f.out.flag(FlagTrailers)
		}
		if len(s.lengths)+len(s.codings) > 0 || s.doubtful {
			f.out.flag(FlagFramingInTrailer)
		}
		f.Abort(EndComplete)
	}
	return n
}

// statusLine reads "HTTP/1.x NNN reason" (RFC 9112, section 4).
func (f *Framer) statusLine(line []byte) bool {
	s := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
	if len(s) < len("HTTP/1.1 200") || s[:7] != "HTTP/1." || !isDigit(s[7]) || s[8] != ' ' {
		return false
	}
	status := 0
	for _, c := range []byte(s[9:12]) {
		if !isDigit(c) {
			return false
		}
		status = status*10 + int(c-'0')
	}
	rest := s[12:]
	if status < 100 || rest != "" && rest[0] != ' ' {
		return false
	}
	if rest == "" {
		f.out.flag(FlagBadStatusLine)
	} else {
		rest = rest[1:]
	}
	f.out.Proto, f.out.Status, f.out.Reason = s[:8], status, rest
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isEmptyLine(line []byte) bool { return len(line) == 1 || len(line) == 2 && line[0] == '\r' }
