package warc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
)

// segmentOf makes frames of many sizes: most small, some that reach over what is read at once, one too large to be held in memory.
func segmentOf(t *testing.T, seed uint64) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	enc, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	add := func(n int, random bool) {
		block := bytes.Repeat([]byte("evidence "), n/9+1)[:n]
		if random {
			for i := range block {
				block[i] = byte(r.Uint32())
			}
		}
		e, err := enc.Encode(Header{Type: Resource, ID: fmt.Sprintf("urn:uuid:00000000-0000-8000-8000-%012x", len(out)), Date: "2026-11-22T10:00:00.000000Z",
			TargetURI: "urn:exhibit:x", ContentType: "application/octet-stream"}, block)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Frame...)
	}
	for range 300 {
		add(r.IntN(20_000), r.IntN(2) == 0)
	}
	add(700_000, true) // larger than one read
	add(900_000, false)
	add(3_000_000, true)
	add(InlineLimit+5, r.IntN(2) == 0)
	for range 50 {
		add(r.IntN(200_000), true)
	}
	return out
}

// seen is what a reader tells of a segment, with a copy of each block that it gives.
type seen struct {
	Records []Record
	Blocks  [][]byte
	Err     string
}

func (s *seen) add(rec *Record) {
	c := *rec
	s.Blocks = append(s.Blocks, bytes.Clone(rec.Block()))
	c.whole = nil
	s.Records = append(s.Records, c)
}

func serially(t *testing.T, b []byte) (s seen) {
	t.Helper()
	dec, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	r := NewReader(dec, bytes.NewReader(b), 0, int64(len(b)))
	for {
		rec, err := r.Next(t.Context())
		if err != nil {
			s.Err = err.Error()
			return s
		}
		s.add(rec)
	}
}

func ahead(t *testing.T, b []byte) (s seen) {
	t.Helper()
	dec, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	a, err := NewAhead(t.Context(), dec, bytes.NewReader(b), 0, int64(len(b)), nil, nil, func(rec *Record) any { return rec.Offset })
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for {
		rec, made, err := a.Next(t.Context())
		if err != nil {
			s.Err = err.Error()
			return s
		}
		if made != any(rec.Offset) {
			t.Fatalf("what was made of the record at %d came with that at %d", made, rec.Offset)
		}
		s.add(rec)
	}
}

// TestSmallestFrame: a record of less than 256 bytes carries its content size all the same.
func TestSmallestFrame(t *testing.T) {
	enc, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	e, err := enc.Encode(Header{Type: Request, ID: "urn:uuid:00000000-0000-8000-8000-000000000000", Date: "2026-11-22T10:00:00.000000Z",
		TargetURI: "a:b", ContentType: "application/http;msgtype=request"}, []byte("G"))
	if err != nil {
		t.Fatal(err)
	}
	if n := e.HeaderLength + 5; n >= 256 {
		t.Fatalf("the record has %d bytes", n)
	}
	if s := serially(t, e.Frame); len(s.Records) != 1 || string(s.Blocks[0]) != "G" {
		t.Errorf("%d records, %s", len(s.Records), s.Err)
	}
}

// TestAheadReadsTheSame holds an Ahead against a Reader: whole segments, cut ones, and ones with a byte changed.
func TestAheadReadsTheSame(t *testing.T) {
	for seed := range uint64(3) {
		whole := segmentOf(t, seed)
		r := rand.New(rand.NewPCG(seed, 2))
		for i := range 12 {
			b := bytes.Clone(whole)
			switch {
			case i == 0:
			case i%2 == 0:
				b = b[:r.IntN(len(b))]
			default:
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			}
			want, got := serially(t, b), ahead(t, b)
			if i == 0 && want.Err != io.EOF.Error() {
				t.Fatalf("a whole segment: %s", want.Err)
			}
			if !reflect.DeepEqual(want, got) {
				t.Fatalf("seed %d, case %d: %d records and %q ahead, %d and %q in order", seed, i, len(got.Records), got.Err, len(want.Records), want.Err)
			}
		}
	}
}

// TestLimit: what passes the limit is not decoded, in order and ahead alike.
func TestLimit(t *testing.T) {
	b := segmentOf(t, 4)
	whole := serially(t, b)
	dec, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	size := func(n int) (sum int64) {
		for _, rec := range whole.Records[:n] {
			sum += rec.HeaderLength + rec.ContentLength + int64(len(recordEnd))
		}
		return sum
	}
	for _, n := range []int{0, 1, 200, 301, len(whole.Records)} {
		limit := size(n)
		r := NewReader(dec, bytes.NewReader(b), 0, int64(len(b)))
		r.Limit(&limit)
		got, err := 0, error(nil)
		for ; err == nil; got++ {
			_, err = r.Next(t.Context())
		}
		limit = size(n)
		a, aerr := NewAhead(t.Context(), dec, bytes.NewReader(b), 0, int64(len(b)), &limit, nil, nil)
		if aerr != nil {
			t.Fatal(aerr)
		}
		ahead := 0
		for aerr == nil {
			_, _, aerr = a.Next(t.Context())
			ahead++
		}
		a.Close()
		want := ErrContent
		if n == len(whole.Records) {
			want = io.EOF
		}
		if got-1 != n || ahead-1 != n || !errors.Is(err, want) || !errors.Is(aerr, want) {
			t.Errorf("with room for %d records: %d and %v in order, %d and %v ahead", n, got-1, err, ahead-1, aerr)
		}
	}
}

// TestAheadStops: a reading that is given up leaves nothing running, and a cancelled one says so.
func TestAheadStops(t *testing.T) {
	b := segmentOf(t, 9)
	dec, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	ctx, cancel := context.WithCancel(t.Context())
	for n := range 5 {
		a, err := NewAhead(ctx, dec, bytes.NewReader(b), 0, int64(len(b)), nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			if _, _, err := a.Next(ctx); err != nil {
				t.Fatal(err)
			}
		}
		a.Close()
	}
	a, err := NewAhead(ctx, dec, bytes.NewReader(b), 0, int64(len(b)), nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	cancel()
	for {
		if _, _, err = a.Next(ctx); err != nil {
			break
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
