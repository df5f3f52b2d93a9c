package wire

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// writePiece is how much of a request is handed to the connection at once, in bytes: one TLS record.
const writePiece = 16 << 10

// exchange runs one request over c and decides what becomes of the connection. The error is that of a spool file alone.
func (r *Recorder) exchange(ctx context.Context, c *conn, out *outgoing) (*Exchange, error) {
	c.used++
	x := &Exchange{
		RequestID: out.id, Method: out.method, URL: out.url, Connection: c.info, Reused: c.used > 1, Ordinal: c.used,
		Response: &Block{dir: r.o.SpoolDir, threshold: r.o.SpoolThreshold},
		Started:  r.o.Now(),
	}
	// The deadline of a cancelled context stays: receive looks at the context after each deadline that it sets.
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(longAgo) })
	send := r.send(c, out)
	rc := newReceiver(r, c, x, out)
	err := rc.run(ctx, send)
	if err == nil {
		x.Layout = rc.framer.Layout()
	}
	whole := send.finish(c, x.End == httpblock.EndComplete)
	untouched := stop()
	if err != nil {
		x.Response.Close()
		c.end(false)
		return nil, err
	}
	x.Sent = send.sent
	out.written = send.written
	x.Request, x.Redactions = redact(out.wire, out.spans, send.written)
	x.note(rc, send, whole)
	if x.Reusable && untouched && whole && !out.close {
		r.park(c)
	} else {
		c.end(x.Reusable && whole)
	}
	return x, nil
}

// note fills in what follows from the bytes that came and went.
func (x *Exchange) note(rc *receiver, send *sender, whole bool) {
	flag := func(on bool, word string) {
		if on {
			x.Flags = append(x.Flags, word)
		}
	}
	flag(len(x.Excess) > 0, FlagExcess)
	flag(!whole, FlagRequestCut)
	flag(rc.early || !whole && x.Size > 0, FlagEarlyResponse)
	flag(rc.unclean, FlagNoCloseNotify)
	flag(rc.wire.found || rc.decoded.found, FlagSecretInResponse)
	slices.Sort(x.Flags)
	if rc.early || len(x.Excess) > 0 || rc.broken {
		x.Reusable = false
	}
	x.cause = rc.err
	if x.cause == nil && !whole {
		x.cause = send.err
	}
	if x.cause != nil {
		x.Err = x.cause.Error()
	}
}

// A sender writes a request while the response may already be coming.
type sender struct {
	total   int
	handed  atomic.Int64 // bytes of the pieces begun
	done    chan struct{}
	written int // the rest is valid when done is closed
	sent    time.Time
	err     error
}

// send starts to write the request.
func (r *Recorder) send(c *conn, out *outgoing) *sender {
	s := &sender{total: len(out.wire), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for s.written < s.total && s.err == nil {
			p := out.wire[s.written:min(s.total, s.written+writePiece)]
			if s.written > 0 {
				c.SetWriteDeadline(time.Now().Add(r.o.IdleTimeout))
			}
			s.handed.Add(int64(len(p)))
			var n int
			n, s.err = c.Write(p)
			s.written += n
		}
		if s.err == nil {
			s.sent = r.o.Now()
		}
	}()
	return s
}

// finish waits until writing has ended, and ends it where nothing more can come of it. It reports whether all was written.
func (s *sender) finish(c *conn, complete bool) bool {
	select {
	case <-s.done:
	default:
		c.SetWriteDeadline(longAgo)
		<-s.done
		if complete && s.err == nil {
			c.SetWriteDeadline(time.Time{})
		}
	}
	return s.err == nil
}

// A receiver takes one response.
type receiver struct {
	r      *Recorder
	c      *conn
	x      *Exchange
	framer *httpblock.Framer

	wire    finder // looks for secrets in what came,
	decoded finder // and in what chunked hides
	early   bool
	unclean bool // TLS ended without close_notify
	broken  bool // the connection cannot be used again
	err     error

	began  time.Time // of sending
	last   time.Time // when bytes last came
	span   time.Time // when the current rate span began; zero before the body
	inSpan int64     // bytes in it
}

func newReceiver(r *Recorder, c *conn, x *Exchange, out *outgoing) *receiver {
	rc := &receiver{r: r, c: c, x: x}
	rc.wire.needles, rc.decoded.needles = out.needles, out.needles
	lim := httpblock.Limits{Header: r.o.MaxHeader, Interim: r.o.MaxInterim, Body: out.maxBody}
	rc.framer = httpblock.NewFramer(out.method, lim, rc)
	return rc
}

// Write takes the payload from the framer.
func (rc *receiver) Write(p []byte) (int, error) {
	if rc.framer.Framing() == httpblock.FramingChunked {
		rc.decoded.Write(p)
	}
	return len(p), nil
}

// run reads until the exchange has ended. It fails only when the spool does.
func (rc *receiver) run(ctx context.Context, send *sender) error {
	rc.began = time.Now()
	now := rc.began
	for !rc.framer.Done() {
		deadline, end := rc.deadline(now)
		if !now.Before(deadline) {
			rc.framer.Abort(end)
			break
		}
		rc.c.SetReadDeadline(deadline)
		if err := ctx.Err(); err != nil {
			rc.stop(EndCancelled, err)
			break
		}
		n, err := rc.c.Read(rc.c.buf)
		now = time.Now()
		if n > 0 {
			if err := rc.take(rc.c.buf[:n], now, send); err != nil {
				return err
			}
		}
		if err != nil {
			rc.broken = rc.broken || !errors.Is(err, os.ErrDeadlineExceeded)
			if !rc.framer.Done() && !rc.goesOn(ctx, err, now) {
				break
			}
		}
	}
	rc.x.Ended = rc.r.o.Now()
	return nil
}

// take adds bytes that came.
func (rc *receiver) take(p []byte, now time.Time, send *sender) error {
	x, f := rc.x, rc.framer
	if x.FirstByte.IsZero() {
		x.FirstByte = rc.r.o.Now()
		rc.early = send.handed.Load() < int64(send.total)
	}
	inChunks := f.Framing() == httpblock.FramingChunked
	n := f.Feed(p)
	if inChunks && !f.Done() {
		rc.wire.tail = nil // nothing but chunks: decoded sees what they hold
	} else {
		rc.wire.Write(p[:n])
	}
	if n < len(p) {
		x.Excess = append([]byte(nil), p[n:]...)
	}
	rc.last = now
	if f.Framing() != "" {
		if rc.span.IsZero() {
			rc.span = now
		}
		rc.inSpan += int64(n)
	}
	return x.Response.append(p[:n], f.Expect())
}

// deadline returns when the wait for more bytes ends, and the word for it if none has come by then.
func (rc *receiver) deadline(now time.Time) (time.Time, string) {
	o := &rc.r.o
	if rc.framer.Framing() == "" {
		d, end := rc.began.Add(o.HeaderTimeout), EndSlow
		if rc.last.IsZero() {
			return d, EndIdle
		}
		if idle := rc.last.Add(o.IdleTimeout); idle.Before(d) {
			return idle, EndIdle
		}
		return d, end
	}
	d, end := rc.last.Add(o.IdleTimeout), EndIdle
	if rc.framer.Framing() == httpblock.FramingAmbiguous {
		d, end = rc.last.Add(min(o.AmbiguousWait, o.IdleTimeout)), httpblock.EndMalformed
	}
	if o.MinRate < 0 {
		return d, end
	}
	if at := rc.span.Add(o.MinRateSpan); !now.Before(at) {
		if float64(rc.inSpan) < float64(o.MinRate)*o.MinRateSpan.Seconds() {
			return at, EndSlow
		}
		rc.span, rc.inSpan = now, 0
	}
	if at := rc.span.Add(o.MinRateSpan); at.Before(d) {
		d, end = at, EndSlow
	}
	return d, end
}

// goesOn says whether to read on after an error; if not, the exchange has been ended.
func (rc *receiver) goesOn(ctx context.Context, err error, now time.Time) bool {
	f := rc.framer
	switch {
	case ctx.Err() != nil:
		rc.stop(EndCancelled, ctx.Err())
	case errors.Is(err, os.ErrDeadlineExceeded):
		// The next turn of the loop asks deadline again: it ends the exchange, or opens a new rate span.
		return true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		rc.unclean = rc.c.secure && (err != io.EOF || rc.c.tap.eof)
		f.Close(!rc.unclean)
		if l := f.Layout(); l.End != httpblock.EndComplete {
			rc.err = err
		}
	case f.Layout().Size == 0:
		rc.stop(httpblock.EndNoResponse, err)
	default:
		rc.stop(EndReset, err)
	}
	return false
}

// stop ends the exchange.
func (rc *receiver) stop(end string, err error) {
	rc.framer.Abort(end)
	rc.err = err
}
