// Package simwitness is a witness that is simulated (https://c2sp.org/tlog-witness): it cosigns heads of the logs whose keys it was given, remembers the last one of each
// origin as long as it runs, and never cosigns two that do not extend each other.
package simwitness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// Options say what a witness is. Name, Rand and Now are required.
type Options struct {
	Name string
	Rand io.Reader // its key is made of
	Now  func() time.Time
	Logs []trust.VKey // keys of logs: it cosigns heads of any origin that one of them signed
}

// Witness is one. Its methods may be called concurrently.
type Witness struct {
	cosigner *trust.Cosigner
	o        Options

	mu    sync.Mutex
	heads map[string]trust.Head // last cosigned, by origin
	asked int64
}

// New makes a witness with a new key.
func New(o Options) (*Witness, error) {
	if o.Rand == nil || o.Now == nil {
		return nil, errors.New("simulated witness without randomness or clock")
	}
	c, err := trust.NewCosigner(o.Rand, o.Name)
	if err != nil {
		return nil, err
	}
	return &Witness{cosigner: c, o: o, heads: map[string]trust.Head{}}, nil
}

// Key is its key.
func (w *Witness) Key() trust.WitnessKey { return w.cosigner.Key() }

// Asked is how many requests came.
func (w *Witness) Asked() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

// maxRequest is how long a request may be in bytes: a note, and a proof of 63 lines.
const maxRequest = trust.MaxNoteSize + 4<<10

const addPath = "/add-checkpoint"

// ServeHTTP answers POST …/add-checkpoint.
func (w *Witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, addPath) {
		http.NotFound(out, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, maxRequest))
	if err != nil {
		http.Error(out, "the request is too long", http.StatusBadRequest)
		return
	}
	status, answer := w.add(r.Context(), body)
	if status == http.StatusConflict {
		out.Header().Set("Content-Type", "text/x.tlog.size")
	}
	out.WriteHeader(status)
	_, _ = out.Write(answer) // whoever asked is gone
}

var _ trust.Poster = (*Witness)(nil)

// Post answers as ServeHTTP does, without a network.
func (w *Witness) Post(ctx context.Context, url string, body []byte) (int, []byte, error) {
	if !strings.HasSuffix(url, addPath) || len(body) > maxRequest {
		return http.StatusNotFound, nil, nil
	}
	status, answer := w.add(ctx, body)
	return status, answer, nil
}

// add does what the specification says, in its order.
func (w *Witness) add(ctx context.Context, body []byte) (int, []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	r, err := trust.ParseAddRequest(body)
	if err != nil {
		return http.StatusBadRequest, []byte(err.Error() + "\n")
	}
	text, _, err := trust.Verify(r.Note, w.o.Logs)
	if err != nil {
		return http.StatusForbidden, []byte("no key of a log that is known here signed the head\n")
	}
	head, err := trust.ParseHead(text)
	if err != nil || r.Old > head.Size {
		return http.StatusBadRequest, []byte("the text is no head, or is smaller than the old size\n")
	}
	last := w.heads[head.Origin]
	if r.Old != last.Size || r.Old == head.Size && last.Root != head.Root {
		return http.StatusConflict, fmt.Appendf(nil, "%d\n", last.Size)
	}
	if !extends(r, last, head) {
		return http.StatusUnprocessableEntity, []byte("the proof does not show that the head extends the last one\n")
	}
	line, err := w.cosigner.Cosign(ctx, text, w.o.Now())
	if err != nil {
		return http.StatusInternalServerError, nil
	}
	w.heads[head.Origin] = head
	return http.StatusOK, []byte(line)
}

func extends(r *trust.AddRequest, last, head trust.Head) bool {
	if r.Old == 0 {
		return len(r.Proof) == 0
	}
	var path []evidence.Hash
	for _, h := range r.Proof {
		path = append(path, h)
	}
	return evidence.CheckConsistency(last.Size, last.Root, head.Size, head.Root, path) == nil
}
