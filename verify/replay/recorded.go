package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// fit says how an exchange suits a request in which the same was asked.
type fit struct {
	*candidate
	spelt   bool // the target, too, and not only what it means
	prefers bool // the same Prefer
	accepts bool // the same Accept
	here    bool // it was asked of the same Host
}

// fits returns the candidates for which ok holds and that may answer the request at all, the best first. Where the host that is asked answered, whatever it was, nobody else
// speaks for it; and a request without Authorization gets nothing that was recorded with one. withheld says that there are others of the latter.
func fits(found []*candidate, r *Request, ok func(*fit) bool) (all []fit, withheld bool) {
	here := false
	for _, c := range found {
		f := fit{c, strings.Contains(c.target, redacted) || c.target == r.Target, samePreferences(c.request.Fields, r.Fields), sameAccept(c.request.Fields, r.Fields), sameHost(c.host, r.Host)}
		if ok(&f) {
			all, here = append(all, f), here || f.here
		}
	}
	all = slices.DeleteFunc(all, func(f fit) bool {
		hidden := authorized(f.request.Fields) && !authorized(r.Fields)
		withheld = withheld || hidden && f.here == here
		return hidden || f.here != here
	})
	return all, withheld
}

// sameHost reports whether two authorities are the same, with the port of HTTPS or without.
func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, ":443"), strings.TrimSuffix(b, ":443"))
}

// best returns the first candidate of a rank, preferring those that were asked in the same spelling, then with the same Prefer, then with the same Accept.
func best(all []fit, rank int) *fit {
	var chosen *fit
	score := -1
	for i := range all {
		f := &all[i]
		if f.rank != rank {
			continue
		}
		s := 0
		for n, same := range []bool{f.accepts, f.prefers, f.spelt} {
			if same {
				s |= 1 << n
			}
		}
		if s > score {
			chosen, score = f, s
		}
	}
	return chosen
}

// document answers a request for anything but a listing of activities.
func (a *Archive) document(ctx context.Context, r *Request, found []*candidate) (*Answer, error) {
	all, withheld := fits(found, r, func(*fit) bool { return true })
	for _, rank := range []int{rankPage, rankComplete} {
		if f := best(all, rank); f != nil {
			return a.replay(ctx, r, f.candidate)
		}
	}
	switch {
	case withheld:
		return a.unauthorized(), nil
	case len(all) > 0:
		return a.failure(NotRecorded, 502, "ExhibitBrokenAnswer", fmt.Sprintf("the recorded answer broke off (%s): exhibit-verify show has what came of it", all[0])), nil
	}
	return a.unknown(r), nil
}

// unknown says that a request was never recorded.
func (a *Archive) unknown(r *Request) *Answer {
	hosts := "nothing was asked"
	if len(a.exchanges.hosts) > 0 {
		hosts = "what was asked, of " + strings.Join(a.exchanges.hosts, ", ") + ", was asked in other words"
	}
	if a.exchanges.part {
		hosts += ", or is withheld from this production"
	}
	return a.failure(NotRecorded, 404, "ExhibitNotRecorded", "this case holds no answer to "+r.Method+" of this target: "+hosts+", or not at all")
}

// replay answers with a recorded response. Where the client does not take its content coding, the body is decoded, and the answer is a derived one.
func (a *Archive) replay(ctx context.Context, r *Request, c *candidate) (*Answer, error) {
	leave, err := a.enter(ctx, c.entry.Detail.Records[1].BlockLength)
	if err != nil {
		return nil, err
	}
	answer, err := a.response(ctx, r, c)
	if err != nil {
		leave()
		return nil, err
	}
	answer.leave = leave
	return answer, nil
}

// largeAnswer is from how many bytes on an answer has to wait while largeAnswers of them are in memory.
const largeAnswer = 256 << 10

// enter waits for room in memory.
func (a *Archive) enter(ctx context.Context, size int64) (leave func(), err error) {
	if size <= largeAnswer {
		return func() {}, nil
	}
	select {
	case a.room <- struct{}{}:
		return func() { <-a.room }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// response is replay, once there is room.
func (a *Archive) response(ctx context.Context, r *Request, c *candidate) (*Answer, error) {
	block, err := readBlock(ctx, a.c, c.entry, 1)
	if err != nil {
		return nil, err
	}
	layout, err := httpblock.ParseResponse(block, block.Size, c.entry.Head.Method)
	if err != nil && !errors.Is(err, httpblock.ErrTrailing) {
		return nil, errors.Join(err, block.Close())
	}
	if !acceptable(r, layout) {
		if err := block.Close(); err != nil {
			return nil, err
		}
		return a.decoded(ctx, c.entry, layout)
	}
	return &Answer{Kind: Recorded, Status: int(c.entry.Head.Status), Seq: c.entry.Head.Seq, body: blockReader(block), size: block.Size,
		last: !layout.Reusable || err != nil, close: block.Close}, nil
}

// acceptable reports whether the client takes the content codings of a response. Where nothing is coded any client does.
func acceptable(r *Request, l httpblock.Layout) bool {
	if l.PayloadLength == 0 {
		return true
	}
	for _, coding := range list(l.Fields, "Content-Encoding") {
		if coding = strings.ToLower(coding); coding != "identity" && !r.accepts(strings.TrimPrefix(coding, "x-")) {
			return false
		}
	}
	return true
}

// decoded is a recorded answer without its content coding.
func (a *Archive) decoded(ctx context.Context, e *evidence.Entry, l httpblock.Layout) (*Answer, error) {
	body, err := a.c.Body(ctx, e)
	if err != nil {
		return a.failure(NotRecorded, 502, "ExhibitCoding", fmt.Sprintf("the recorded answer (entry %d) is in a coding that the client does not take, and that cannot be removed", e.Head.Seq)), nil
	}
	phrase := l.Reason
	if hasControl(phrase) {
		phrase = ""
	}
	h := newHeaderOf(l.Status, phrase)
	for _, f := range l.Fields {
		switch strings.ToLower(f.Name) {
		case "content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive", "trailer", "upgrade", strings.ToLower(Mark):
		default:
			if httpblock.IsToken(f.Name) && !hasControl(f.Value) {
				h.add(f.Name, f.Value)
			}
		}
	}
	h.add(Mark, fmt.Sprintf("%s; case=%s; recorded=%d; decoded", Derived, a.caseID, e.Head.Seq))
	return &Answer{Kind: Derived, Status: l.Status, Seq: e.Head.Seq, head: h.b.Bytes(), body: body, size: -1, close: body.Close}, nil
}

// hasControl reports whether a recorded text could not stand in a line of a head.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7F })
}

// leadsOn reports whether the body of a recorded listing names a next page. One that cannot be read to its end does, for all that is known.
func (a *Archive) leadsOn(ctx context.Context, e *evidence.Entry) (leads bool, err error) {
	body, err := a.c.Body(ctx, e)
	if err != nil {
		return true, nil
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	dec := decode(body)
	if t, err := dec.ReadToken(); err != nil || t.Kind() != jsontext.KindBeginObject {
		return true, nil
	}
	for dec.PeekKind() == jsontext.KindString {
		name, err := dec.ReadToken()
		if err != nil || name.String() == nextLink {
			return true, nil
		}
		if err := dec.SkipValue(); err != nil {
			return true, nil
		}
	}
	return false, nil
}

const nextLink = "@odata.nextLink"
