package trust

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// A Poster sends one HTTP POST and returns the answer's status and body, of at most [MaxAnswer] bytes. It follows no redirect. An error means that there is no whole answer.
type Poster interface {
	Post(ctx context.Context, url string, body []byte) (status int, answer []byte, err error)
}

// MaxAnswer is the length in bytes that the answer of a witness may have.
const MaxAnswer = 64 << 10

var (
	// ErrFork says that a witness has cosigned a head of the same origin which the one that it was given does not extend: there are two histories.
	ErrFork = errors.New("witness has seen another history")
	// ErrWitness says that a witness gave no cosignature, for a reason that says nothing about the history.
	ErrWitness = errors.New("witness gave no cosignature")
)

// An AheadError says that a witness has cosigned a head over more entries than the one that it was given: the log was rolled back or cut, or somebody goes on with it
// elsewhere.
type AheadError struct {
	Witness string // its name
	Size    int64  // that the witness knows
	Ours    int64
}

func (e *AheadError) Error() string {
	return fmt.Sprintf("witness %q has cosigned a head over %d entries, this one is over %d", e.Witness, e.Size, e.Ours)
}

// A Witness is asked for cosignatures (https://c2sp.org/tlog-witness).
type Witness struct {
	Key WitnessKey
	URL string // submission prefix: https, host and path, without a slash at its end
}

// ParseWitness reads VKEY=URL, the form in which witnesses are configured.
func ParseWitness(s string) (Witness, error) {
	vkey, address, ok := strings.Cut(s, "=")  // 33 bytes in base64 have no padding
	if !ok || strings.Contains(vkey, "://") { // what is an address may hold a password: nothing of it is repeated
		return Witness{}, errors.New("witness is not of the form VKEY=URL")
	}
	key, err := ParseWitnessKey(vkey)
	if err != nil {
		return Witness{}, err
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.ForceQuery {
		return Witness{}, fmt.Errorf("address of witness %q is no https URL of a host and a path", key.Name())
	}
	return Witness{Key: key, URL: strings.TrimRight(address, "/")}, nil
}

// String is VKEY=URL.
func (w Witness) String() string { return w.Key.String() + "=" + w.URL }

// Proofs gives the hashes of the proof that the head of [Witness.Cosign] extends the tree over the first old entries, which is not empty and smaller (RFC 6962, 2.1.2).
type Proofs func(ctx context.Context, old int64) ([][32]byte, error)

// Cosign asks for a cosignature on the note of a head. known is the size of the last head that the witness is known to have cosigned, 0 if none. It returns the note with the
// witness's signature line behind the others.
//
// It fails with [ErrFork] or an [*AheadError] if the witness knows a history that the head does not extend, with [ErrWitness] if it gives no cosignature for another
// reason, and with the errors of post and prove.
func (w Witness) Cosign(ctx context.Context, post Poster, note []byte, known int64, prove Proofs) ([]byte, error) {
	text, _, err := parseNote(note)
	if err != nil {
		return nil, err
	}
	head, err := ParseHead(text)
	if err != nil {
		return nil, err
	}
	old := max(0, min(known, head.Size))
	for range maxTries {
		status, answer, err := w.add(ctx, post, note, addCheckpoint{old: old, size: head.Size, prove: prove})
		if err != nil {
			return nil, err
		}
		switch status {
		case 200:
			return w.take(note, answer)
		case 409:
			if old, err = w.conflict(answer, old, head.Size); err != nil {
				return nil, err
			}
		case 422:
			return nil, fmt.Errorf("%w: %q does not find this head over %d entries to extend the one over %d that it has cosigned", ErrFork, w.Key.Name(), head.Size, old)
		default:
			return nil, fmt.Errorf("%w: %q answers %d%s", ErrWitness, w.Key.Name(), status, refusals[status])
		}
	}
	return nil, fmt.Errorf("%w: %q says each time that it has cosigned another size", ErrWitness, w.Key.Name())
}

// maxTries is how often a witness is asked for one cosignature: others may be asking at the same time.
const maxTries = 4

// refusals are what the specification says that a status means.
var refusals = map[int]string{
	400: " (malformed request)", 403: " (it does not know the key that signed)", 404: " (it does not know the origin)",
}

// addCheckpoint is what a request says beside the note.
type addCheckpoint struct {
	old, size int64
	prove     Proofs
}

// add sends one add-checkpoint request.
func (w Witness) add(ctx context.Context, post Poster, note []byte, a addCheckpoint) (int, []byte, error) {
	body := fmt.Appendf(nil, "old %d\n", a.old)
	if a.old > 0 && a.old < a.size {
		path, err := a.prove(ctx, a.old)
		if err != nil {
			return 0, nil, err
		}
		for _, h := range path {
			body = append(base64.StdEncoding.AppendEncode(body, h[:]), '\n')
		}
	}
	body = append(append(body, '\n'), note...)
	return post.Post(ctx, w.URL+"/add-checkpoint", body)
}

// conflict reads the size that a witness says that it has cosigned last, which becomes the old size of the next request.
func (w Witness) conflict(answer []byte, old, size int64) (int64, error) {
	text, ok := strings.CutSuffix(string(answer), "\n")
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case !ok || err != nil || n < 0 || strconv.FormatInt(n, 10) != text:
		return 0, fmt.Errorf("%w: %q answers 409 without a size", ErrWitness, w.Key.Name())
	case n > size:
		return 0, &AheadError{w.Key.Name(), n, size}
	case n == old && old == size:
		return 0, fmt.Errorf("%w: %q has cosigned another head over %d entries", ErrFork, w.Key.Name(), n)
	}
	return n, nil
}

// take appends the witness's line of an answer to the note.
func (w Witness) take(note, answer []byte) ([]byte, error) {
	fail := func(err error) error {
		return fmt.Errorf("%w: %q answered 200 and not with its cosignature: %w", ErrWitness, w.Key.Name(), err)
	}
	if len(answer) > MaxAnswer {
		return nil, fail(fmt.Errorf("%d bytes", len(answer)))
	}
	all := append(bytes.Clone(note), answer...)
	if _, _, err := Cosignatures(all, []WitnessKey{w.Key}); err != nil {
		return nil, fail(err)
	}
	for line := range strings.Lines(string(answer)) {
		s, err := parseSignature(strings.TrimSuffix(line, "\n"))
		if err == nil && s.Name == w.Key.name && s.ID == w.Key.id {
			return append(bytes.Clone(note), line...), nil
		}
	}
	return nil, fail(errors.New("no line of its own")) // the note itself has one: it is taken for no answer
}

// An AddRequest is what a witness is asked: to cosign Note, a head, which Proof shows to extend the tree over the first Old entries.
type AddRequest struct {
	Old   int64
	Proof [][32]byte
	Note  []byte
}

// ParseAddRequest reads the body of an add-checkpoint request.
func ParseAddRequest(body []byte) (*AddRequest, error) {
	top, note, ok := strings.Cut(string(body), "\n\n")
	lines := strings.Split(top, "\n")
	text, isOld := strings.CutPrefix(lines[0], "old ")
	old, err := strconv.ParseInt(text, 10, 64)
	if !ok || !isOld || err != nil || old < 0 || strconv.FormatInt(old, 10) != text || len(lines) > 64 {
		return nil, errors.New("malformed request: no line of the old size, too many hashes, or no empty line")
	}
	r := &AddRequest{Old: old, Note: []byte(note)}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != 32 || strings.Contains(line, "\r") {
			return nil, errors.New("malformed request: a line of the proof is not the base64 of 32 bytes")
		}
		r.Proof = append(r.Proof, [32]byte(h))
	}
	return r, nil
}
