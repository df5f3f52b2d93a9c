package evidence

import (
	"errors"
	"fmt"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// checkForm holds an entry's values against the forms of docs/container.md, 4.1 to 4.6.
func (e *Entry) checkForm() error {
	if err := e.Head.check(); err != nil {
		return err
	}
	switch {
	case e.Detail.Run != "" && !IsID(e.Detail.Run):
		return fmt.Errorf("run %q is no run id", e.Detail.Run)
	case len(e.Detail.Records) > MaxRecords:
		return fmt.Errorf("%d records, more than %d", len(e.Detail.Records), MaxRecords)
	}
	for _, r := range e.Detail.Records {
		if r.Type != warc.Request && r.Type != warc.Response && r.Type != warc.Resource {
			return fmt.Errorf("record of type %q", r.Type)
		}
		if r.BlockLength < 0 {
			return errors.New("record without a length")
		}
	}
	if err := e.checkRecords(); err != nil {
		return err
	}
	if err := e.checkHeaders(); err != nil {
		return err
	}
	if e.Body == nil {
		return nil
	}
	return e.Body.check(e)
}

// check holds a head line's values against their forms (docs/container.md, 4.1).
func (h *Head) check() error {
	switch {
	case !IsWord(h.Kind):
		return fmt.Errorf("kind %q is no word", h.Kind)
	case h.Source != "" && !IsWord(h.Source):
		return fmt.Errorf("source %q is no word", h.Source)
	case atLeast(0, h.Window, h.Seq) != nil:
		return errors.New("number out of range")
	case h.Kind != KindExchange && (h.Method != "" || h.Status != 0):
		return errors.New("method or status without an exchange")
	case h.Status != 0 && (h.Status < 100 || h.Status > 999):
		return fmt.Errorf("status %d", h.Status)
	}
	return nil
}

// maxInteger is the largest integer that a line may hold (docs/container.md, 1.2).
const maxInteger = 1<<53 - 1

// atLeast fails where one of the numbers is below least or beyond what a line may hold.
func atLeast(least int64, numbers ...int64) error {
	for _, n := range numbers {
		if n < least || n > maxInteger {
			return fmt.Errorf("number %d is not from %d to %d", n, least, int64(maxInteger))
		}
	}
	return nil
}

func (b *Case) check(*Entry) error {
	if b.Format != Format || !IsID(b.Case) || b.Origin != Origin(b.Case) {
		return fmt.Errorf("format %q, case %q, origin %q", b.Format, b.Case, b.Origin)
	}
	for _, k := range b.Keys {
		if _, err := trust.ParseVKey(k); err != nil {
			return err
		}
	}
	return nil
}

func (b *Operator) check(*Entry) error {
	if !IsWord(b.Action) {
		return fmt.Errorf("action %q is no word", b.Action)
	}
	return nil
}

func (b *Connection) check(e *Entry) error {
	if !slices.Contains([]string{"system", "file", "none"}, b.Roots) {
		return fmt.Errorf("roots %q", b.Roots)
	}
	return errors.Join(atLeast(1, b.Number), e.checkOrder(0, warc.Request, warc.Response, warc.Resource), e.checkRedactions(b.Redactions))
}

func (b *Exchange) check(e *Entry) error {
	if !IsWord(b.Ended) || b.Framing != "" && !IsWord(b.Framing) {
		return fmt.Errorf("framing %q, ended %q", b.Framing, b.Ended)
	}
	if !slices.IsSorted(b.Flags) || slices.ContainsFunc(b.Flags, func(f string) bool { return !IsWord(f) }) {
		return fmt.Errorf("flags %q", b.Flags)
	}
	if slices.ContainsFunc(b.Interim, func(n int64) bool { return n < 100 || n > 199 }) {
		return fmt.Errorf("interim statuses %d", b.Interim)
	}
	if err := e.checkOrder(1, warc.Request, warc.Response, warc.Resource); err != nil {
		return err
	}
	response := int64(0)
	if len(e.Detail.Records) > 1 && e.Detail.Records[1].Type == warc.Response {
		response = e.Detail.Records[1].BlockLength
	}
	switch {
	case b.HeadOffset == None && b.HeadLength != 0, b.HeadOffset >= 0 && (b.HeadLength < 1 || b.HeadLength > response-b.HeadOffset):
		return errors.New("head outside the response")
	}
	return errors.Join(atLeast(1, b.Counter, b.Attempt), atLeast(0, b.Chain, b.Page, b.Before),
		atLeast(None, b.Connection, b.Parent, b.RetryOf, b.HeadOffset), e.checkRedactions(b.Redactions))
}

func (b *Window) check(e *Entry) error {
	switch b.State {
	case Opened, Complete, Partial, Empty, Failed:
	default:
		return fmt.Errorf("window state %q", b.State)
	}
	if e.Head.Window == 0 {
		return errors.New("window entry without a window")
	}
	if b.Reason != "" && !IsWord(b.Reason) {
		return fmt.Errorf("reason %q is no word", b.Reason)
	}
	return errors.Join(atLeast(0, b.Requests, b.Pages, b.Records), atLeast(None, b.Last))
}

func (b *Gap) check(e *Entry) error {
	if !IsWord(b.Reason) || b.LostRun != "" && !IsID(b.LostRun) {
		return fmt.Errorf("reason %q, lost run %q", b.Reason, b.LostRun)
	}
	for _, r := range e.Detail.Records {
		if r.BlockLength != b.Length {
			return errors.New("length is not that of the record")
		}
	}
	return atLeast(0, b.InFlight, b.Segment, b.Offset, b.Length)
}

func (b *Checkpoint) check(*Entry) error { return atLeast(1, b.Size) }

func (b *Key) check(*Entry) error {
	if b.Action != "allow" {
		return fmt.Errorf("action %q", b.Action)
	}
	_, err := trust.ParseVKey(b.Key)
	return err
}

func (b *Seal) check(*Entry) error {
	for _, c := range b.Counts {
		if !IsWord(c.Kind) || atLeast(1, c.Count) != nil {
			return fmt.Errorf("count %d of kind %q", c.Count, c.Kind)
		}
	}
	return atLeast(0, b.Segment)
}

// checkRecords requires that an entry has only records of the types that its kind may have (docs/container.md, 4.5).
func (e *Entry) checkRecords() error {
	switch e.Head.Kind {
	case KindConnection, KindExchange:
		return nil // in an order of their own
	case KindCase, KindWindow, KindKey, KindSeal:
		return e.checkOrder(0)
	case KindOperator, KindGap, KindCheckpoint:
		for i, r := range e.Detail.Records {
			if r.Type != warc.Resource {
				return fmt.Errorf("record %d is a %s", i, r.Type)
			}
		}
	}
	return nil
}

// checkOrder requires records of these types in this order, each at most once and the first ones at least once (docs/container.md, 4.5).
func (e *Entry) checkOrder(required int, types ...string) error {
	next := 0
	for i, r := range e.Detail.Records {
		at := slices.Index(types[next:], r.Type)
		if at < 0 || i < required && at > 0 {
			return fmt.Errorf("record %d is a %s", i, r.Type)
		}
		next += at + 1
	}
	if len(e.Detail.Records) < required {
		return fmt.Errorf("%d records, at least %d are needed", len(e.Detail.Records), required)
	}
	return nil
}

// checkRedactions requires that each lies in a request of the entry (docs/container.md, 4.6).
func (e *Entry) checkRedactions(all []Redaction) error {
	for _, r := range all {
		if r.Record < 0 || r.Record >= int64(len(e.Detail.Records)) || e.Detail.Records[r.Record].Type != warc.Request ||
			r.Offset < 0 || r.Length < 0 || r.Offset > e.Detail.Records[r.Record].BlockLength-r.Length {
			return errors.New("redaction outside the entry's request")
		}
		if r.What != "header" && r.What != "query" {
			return fmt.Errorf("redaction of %q", r.What)
		}
	}
	return nil
}
