package stamping

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Times of asking.
const (
	Every    = 15 * time.Minute // between two tokens while a run lasts
	Patience = 20 * time.Second // for one answer
)

// Transport sends a query to an authority and returns the body of its answer, at most [rfc3161.MaxSize] bytes. [Client] is the real one.
type Transport interface {
	Post(ctx context.Context, url string, query []byte) ([]byte, error)
}

// Ledger is what takes tokens in; [evidence.Writer] is one.
type Ledger interface {
	Newest(context.Context) (*evidence.Checkpoint, error)
	Stamp(context.Context, evidence.Stamp) error
	Append(context.Context, *evidence.Draft) (*evidence.Entry, error)
}

// Options say whom to ask. All but Patience, Told and Scrub are required.
type Options struct {
	Authorities []string // URLs, http or https
	Transport   Transport
	Ledger      Ledger
	Now         func() time.Time
	Rand        io.Reader
	Operator    string
	Host        string
	Patience    time.Duration // 0 for [Patience]
	Told        func(string)  // is told in one line what an authority did not do; may quote it

	// Scrub takes out of a text what an authority was sent and nobody else may read, which it may write back; nil takes nothing out.
	Scrub func(string) string
}

// Stamper asks for tokens over the heads of one case. Its methods may be called concurrently; each waits for the one before.
type Stamper struct {
	o    Options
	mu   sync.Mutex
	last int64 // size of the head that was stamped last
}

// New makes a stamper. Nothing is asked yet.
func New(o Options) *Stamper {
	if o.Patience == 0 {
		o.Patience = Patience
	}
	if o.Scrub == nil {
		o.Scrub = func(text string) string { return text }
	}
	if o.Told == nil {
		o.Told = func(string) {}
	}
	return &Stamper{o: o}
}

// answer is what came of asking one authority.
type answer struct {
	authority string // URL without its query
	nonce     string
	der       []byte // what came, accepted or not
	err       error  // why there is no token
}

// Stamp signs a head over all that there is and has it stamped by each authority. It returns when the tokens, or what came instead, are in the ledger. If ctx ends, authorities are not waited for
// any more. The error is the ledger's alone.
func (s *Stamper) Stamp(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := context.WithoutCancel(ctx)
	head, err := s.o.Ledger.Newest(keep)
	if err != nil || head.Size == s.last {
		return err
	}
	s.last = head.Size
	for _, a := range s.ask(ctx, []byte(head.Note)) {
		if a.err != nil {
			s.o.Told(s.failure(&a))
			err = s.failed(keep, head.Size, &a)
		} else {
			err = s.o.Ledger.Stamp(keep, evidence.Stamp{Size: head.Size, DER: a.der, Authority: a.authority, Nonce: a.nonce, Operator: s.o.Operator, Host: s.o.Host})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Final asks for tokens over the final head, which no entry can hold. What fails is only told.
func (s *Stamper) Final(ctx context.Context, head *evidence.Checkpoint) [][]byte {
	return s.Over(ctx, []byte(head.Note))
}

// Over asks for tokens over any bytes. What fails is only told.
func (s *Stamper) Over(ctx context.Context, data []byte) (tokens [][]byte) {
	for _, a := range s.ask(ctx, data) {
		if a.err != nil {
			s.o.Told(s.failure(&a))
			continue
		}
		tokens = append(tokens, a.der)
	}
	return tokens
}

// ask asks all authorities at once; the answers are in their order.
func (s *Stamper) ask(ctx context.Context, data []byte) []answer {
	answers := make([]answer, len(s.o.Authorities))
	queries := make([]*rfc3161.Query, len(answers))
	for i := range answers { // randomness is drawn in order
		answers[i].authority, _, _ = strings.Cut(s.o.Authorities[i], "?")
		queries[i], answers[i].err = rfc3161.NewQuery(s.o.Rand, data)
	}
	var wait sync.WaitGroup
	for i := range answers {
		if answers[i].err == nil {
			wait.Go(func() { s.askOne(ctx, s.o.Authorities[i], queries[i], &answers[i]) })
		}
	}
	wait.Wait()
	return answers
}

func (s *Stamper) askOne(ctx context.Context, url string, q *rfc3161.Query, a *answer) {
	a.nonce = q.Nonce.Text(16)
	var query []byte
	if query, a.err = q.DER(); a.err != nil {
		return
	}
	limited, cancel := context.WithTimeout(ctx, s.o.Patience)
	defer cancel()
	if a.der, a.err = s.o.Transport.Post(limited, url, query); a.err != nil {
		if ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
			a.err = fmt.Errorf("no whole answer within %v", s.o.Patience)
		}
		return
	}
	t, err := rfc3161.Parse(a.der)
	if err == nil {
		err = t.Answers(q)
	}
	a.err = err
}

// maxText is the longest text of a failure, in bytes.
const maxText = 1024

func (s *Stamper) failure(a *answer) string {
	text := strings.ToValidUTF8(s.o.Scrub(fmt.Sprintf("no timestamp from %s: %v", a.authority, a.err)), "?")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText-3], "") + "..."
	}
	return text
}

// failed states that a head has no token of an authority, and keeps what came instead.
func (s *Stamper) failed(ctx context.Context, size int64, a *answer) error {
	d := &evidence.Draft{Start: s.o.Now(), Body: &evidence.Operator{Action: evidence.ActionStampFailed, Text: s.failure(a), Operator: s.o.Operator, Host: s.o.Host,
		Fields: []evidence.Pair{{Name: "head", Value: strconv.FormatInt(size, 10)}, {Name: "authority", Value: a.authority}, {Name: "nonce", Value: a.nonce}}}}
	if len(a.der) > 0 {
		d.Records = []evidence.RecordDraft{{Type: warc.Resource, URI: evidence.StampURI, ContentType: "application/octet-stream", Block: a.der[:min(len(a.der), rfc3161.MaxSize)]}}
	}
	_, err := s.o.Ledger.Append(ctx, d)
	return err
}
