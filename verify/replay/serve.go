package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/exhibit-dfir/exhibit/verify"
)

// Stream is a connection to a client, of which the layers below are done.
type Stream interface {
	io.ReadWriter
	SetDeadline(t time.Time) error
}

// Timeouts of a connection.
const (
	idleTime  = 30 * time.Second // for the first byte of a request
	headTime  = 20 * time.Second // for the rest of its head
	writeTime = 30 * time.Second // for an answer, and a second more for each slowest bytes of it
	slowest   = 32 << 10
)

// pieceSize is how much of an answer is written at once, in bytes.
const pieceSize = 32 << 10

// ServeOptions direct a connection.
type ServeOptions struct {
	Now func() time.Time // the clock of the deadlines
	// Done is told of each answer once it was written, with what the writing ended with. It must not keep the answer.
	Done func(*Answer, error)
}

// Serve answers requests on a stream, one after another, also those that were sent before the answer to the one before, until either side ends it or a request is malformed.
// It does not close the stream. An error says that the container changed, that a temporary file cannot be used, or that a recorded answer cannot be decoded to its end; what is
// wrong with the client is none.
func (a *Archive) Serve(ctx context.Context, s Stream, o ServeOptions) error {
	c := &connection{a: a, s: s, o: o, r: bufio.NewReaderSize(s, 4<<10), w: bufio.NewWriterSize(s, pieceSize+16)}
	for {
		more, err := c.next(ctx)
		if err != nil || !more {
			return err
		}
	}
}

type connection struct {
	a *Archive
	s Stream
	o ServeOptions
	r *bufio.Reader
	w *bufio.Writer

	until time.Time // the deadline of the answer, before its bytes
	sent  int64     // of the answer
}

// next answers one request. more says that another may follow.
func (c *connection) next(ctx context.Context) (more bool, err error) {
	if err := c.s.SetDeadline(c.o.Now().Add(idleTime)); err != nil {
		return false, nil
	}
	if _, err := c.r.Peek(1); err != nil || ctx.Err() != nil {
		return false, nil // an idle client is left without a word
	}
	if err := c.s.SetDeadline(c.o.Now().Add(headTime)); err != nil {
		return false, nil
	}
	request, err := ReadRequest(c.r)
	var answer *Answer
	head := false
	switch {
	case err == nil:
		head = request.Method == "HEAD"
		if answer, err = c.a.Answer(ctx, request); err != nil {
			err = fmt.Errorf("answering a request: %w", err)
			answer = c.a.failure(Refused, 500, "ExhibitError", failureText(err))
		}
		answer.last = answer.last || request.close()
	default:
		if answer = c.a.refusal(err); answer == nil {
			return false, nil
		}
		err = nil
	}
	werr := c.write(answer, head)
	if c.o.Done != nil {
		c.o.Done(answer, werr)
	}
	var body *bodyError
	if errors.As(werr, &body) {
		err = errors.Join(err, fmt.Errorf("writing an answer: %w", body.err))
	}
	cerr := answer.Close()
	return werr == nil && !answer.last, errors.Join(err, cerr)
}

// bodyError says that the body of an answer could not be read, which is not the client's doing.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }

// failureText says what a client is told of an error that is not its own.
func failureText(err error) string {
	if errors.Is(err, verify.ErrChanged) {
		return "the case is not any more what was checked: check it again"
	}
	return "the answer could not be made; the replay says more"
}

// refusal is the answer to what is no request that can be answered; nil if there is nobody to answer.
func (a *Archive) refusal(err error) *Answer {
	var refused *RequestError
	answer := (*Answer)(nil)
	switch {
	case errors.As(err, &refused):
		answer = a.failure(Refused, refused.Status, "ExhibitRequest", refused.Reason)
	case errors.Is(err, os.ErrDeadlineExceeded):
		answer = a.failure(Refused, 408, "ExhibitRequest", "the head of the request did not come to its end in time")
	default:
		return nil
	}
	answer.last = true
	return answer
}

// write sends an answer. head says that the client wants no body.
func (c *connection) write(a *Answer, head bool) error {
	c.until, c.sent = c.o.Now().Add(writeTime), 0
	if err := c.renew(0); err != nil {
		return err
	}
	if a.head == nil { // recorded bytes
		if err := c.copy(a.body, false); err != nil {
			return err
		}
		return c.w.Flush()
	}
	framing := "Content-Length: " + fmt.Sprint(a.size)
	if a.size < 0 {
		framing = "Transfer-Encoding: chunked"
	}
	if a.last {
		framing += "\r\nConnection: close"
	}
	if _, err := c.w.WriteString(string(a.head) + framing + "\r\n\r\n"); err != nil {
		return err
	}
	if a.body != nil && !head {
		if err := c.copy(a.body, a.size < 0); err != nil {
			return err
		}
		if a.size < 0 {
			if _, err := c.w.WriteString("0\r\n\r\n"); err != nil {
				return err
			}
		}
	}
	return c.w.Flush()
}

// renew allows the time that n more bytes may take.
func (c *connection) renew(n int) error {
	c.sent += int64(n)
	return c.s.SetDeadline(c.until.Add(time.Duration(c.sent) * time.Second / slowest))
}

// copy writes what r gives, in chunks or as it is.
func (c *connection) copy(r io.Reader, chunked bool) error {
	buf := make([]byte, pieceSize)
	for {
		n, err := fill(r, buf)
		if n > 0 {
			if err := c.renew(n); err != nil {
				return err
			}
			if err := c.piece(buf[:n], chunked); err != nil {
				return err
			}
		}
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return &bodyError{err}
		}
	}
}

// fill reads until buf is full. Unlike [io.ReadFull] it tells the end of r, io.EOF, from the io.ErrUnexpectedEOF of a coding that breaks off.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

func (c *connection) piece(b []byte, chunked bool) error {
	if !chunked {
		_, err := c.w.Write(b)
		return err
	}
	if _, err := fmt.Fprintf(c.w, "%x\r\n", len(b)); err != nil {
		return err
	}
	if _, err := c.w.Write(b); err != nil {
		return err
	}
	_, err := c.w.WriteString("\r\n")
	return err
}
