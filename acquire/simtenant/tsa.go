package simtenant

import (
	"bytes"
	"crypto/rand"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
)

// TSAPath is where the tenant's time-stamping authority answers.
const TSAPath = "/tsa"

// tsaFaults are what can go wrong with a timestamp.
func tsaFaults() []string {
	return []string{"tsa-reject", "tsa-busy", "tsa-hang", "tsa-garbage", "tsa-huge", "tsa-nonce", "tsa-imprint", "tsa-redirect"}
}

// TSARoot is the certificate of the authority's root in PEM, for --tsa-ca. Its keys are made when it is first needed; only this certificate is kept.
func (t *Tenant) TSARoot() ([]byte, error) {
	id, err := t.tsa()
	if err != nil {
		return nil, err
	}
	return id.RootPEM(), nil
}

func newTSA() (*authority.Identity, error) {
	return authority.NewIdentity(rand.Reader, authority.Options{Name: "simulated TSA"})
}

// strikeTSA counts a query and tells what shall go wrong with it.
func (t *Tenant) strikeTSA() struck {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stamped++
	return slices.DeleteFunc(slices.Clone(struck(t.faults)), func(f Fault) bool { return !f.ofTSA() || !f.strikes(t.stamped) })
}

// Stamped is how many queries reached the time-stamping authority.
func (t *Tenant) Stamped() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stamped
}

// serveTSA answers one query as RFC 3161, section 3.4, says.
func (t *Tenant) serveTSA(w http.ResponseWriter, r *http.Request) {
	faults := t.strikeTSA()
	if r.Method != http.MethodPost {
		http.Error(w, "a timestamp is asked for with POST", http.StatusMethodNotAllowed)
		return
	}
	query, err := io.ReadAll(http.MaxBytesReader(w, r.Body, rfc3161.MaxSize))
	switch {
	case err != nil:
		http.Error(w, "the query is too long", http.StatusRequestEntityTooLarge)
	case faults.has("tsa-hang"):
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case faults.has("tsa-busy"):
		http.Error(w, "busy", http.StatusServiceUnavailable)
	case faults.has("tsa-redirect"):
		http.Redirect(w, r, TSAPath+"?again", http.StatusTemporaryRedirect)
	default:
		t.answerTSA(w, query, faults)
	}
}

func (t *Tenant) answerTSA(w http.ResponseWriter, query []byte, faults struck) {
	body, err := t.timestamp(query, faults)
	if err != nil {
		http.Error(w, "the authority has failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", rfc3161.ReplyType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

// timestamp makes the answer to a query, or what the faults make of it.
func (t *Tenant) timestamp(query []byte, faults struck) ([]byte, error) {
	id, err := t.tsa()
	if err != nil {
		return nil, err
	}
	q, err := rfc3161.ParseQuery(query)
	if err != nil { // badDataFormat
		return (&authority.Reply{Status: 2, Failure: 5, NoToken: true, Text: "the query is not understood"}).DER()
	}
	a := id.Reply(q, t.now())
	for _, f := range faults {
		switch f.kind {
		case "tsa-reject": // timeNotAvailable
			a.Status, a.Failure, a.NoToken, a.Text = 2, 14, true, "the clock is not available"
		case "tsa-nonce":
			a.Nonce = big.NewInt(1)
		case "tsa-imprint":
			a.Imprint = bytes.Repeat([]byte{0x5a}, len(a.Imprint))
		case "tsa-garbage":
			return []byte("<html>the service is being maintained</html>"), nil
		case "tsa-huge":
			return bytes.Repeat([]byte{0x30}, 10<<20), nil
		}
	}
	return a.DER()
}

// ofTSA tells faults of timestamps from those of other requests: each kind counts its own.
func (f Fault) ofTSA() bool { return strings.HasPrefix(f.kind, "tsa-") }
