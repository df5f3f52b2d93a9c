// Frames tells what takes how much room in a case's segments: frames walks them and prints, for each type of record, how many there are, how many bytes
// they are unpacked (header, block) and how many the frames take.
//
//	frames [-limit BYTES] CASE
//
// Of response records it also tells how much of the block is HTTP head, and what the frames would take without the body: the head's part. With -limit it
// exits 1 where the segments are larger.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// sum is what the records of one type take.
type sum struct {
	frames, header, block, stored int64
}

func (s *sum) add(r *warc.Record) {
	s.frames++
	s.header += r.HeaderLength
	s.block += r.ContentLength
	s.stored += r.FrameLength
}

type tally struct {
	dec   *warc.Decoder
	enc   *warc.Encoder
	types map[string]*sum
	heads sum // of responses: HTTP heads, and frames without the body
	total int64
}

func main() {
	log.SetFlags(0)
	limit := flag.Int64("limit", 0, "bytes that the segments may have together; 0 for no limit")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	t := &tally{types: map[string]*sum{}}
	if err := t.walk(context.Background(), os.DirFS(flag.Arg(0))); err != nil {
		log.Fatalf("frames: %v", err)
	}
	if err := t.print(os.Stdout); err != nil {
		log.Fatalf("frames: %v", err)
	}
	if *limit > 0 && t.total > *limit {
		log.Fatalf("frames: the segments take %d bytes, more than %d", t.total, *limit)
	}
}

func (t *tally) walk(ctx context.Context, files fs.FS) (err error) {
	if t.dec, err = warc.NewDecoder(); err != nil {
		return err
	}
	defer t.dec.Close()
	if t.enc, err = warc.NewEncoder(); err != nil {
		return err
	}
	survey, err := evidence.NewSurvey(files)
	if err != nil {
		return err
	}
	for n := int64(1); n <= survey.Segments; n++ {
		if err := t.segment(ctx, files, n); err != nil {
			return fmt.Errorf("segment %d: %w", n, err)
		}
	}
	return nil
}

func (t *tally) segment(ctx context.Context, files fs.FS, n int64) error {
	file, size, err := evidence.OpenSegment(files, n)
	if err != nil {
		return err
	}
	defer file.Close()
	for r := warc.NewReader(t.dec, file, 0, size); ; {
		rec, err := r.Next(ctx)
		if err == io.EOF {
			t.total += size
			return nil
		}
		if err == nil {
			err = t.record(rec)
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) record(r *warc.Record) error {
	s := t.types[r.Type]
	if s == nil {
		s = &sum{}
		t.types[r.Type] = s
	}
	s.add(r)
	if r.Type != warc.Response {
		return nil
	}
	head, _, _ := bytes.Cut(r.Block(), []byte("\r\n\r\n"))
	alone, err := t.enc.Encode(r.Header, head)
	if err != nil {
		return err
	}
	t.heads.frames++
	t.heads.header += alone.HeaderLength
	t.heads.block += int64(len(head))
	t.heads.stored += int64(len(alone.Frame))
	return nil
}

func (t *tally) print(w io.Writer) error {
	exchanges := int64(1)
	if s := t.types[warc.Response]; s != nil {
		exchanges = s.frames
	}
	fmt.Fprintf(w, "| record | frames | header | block | stored | stored for each exchange |\n|---|---:|---:|---:|---:|---:|\n")
	row := func(name string, s *sum) {
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %.1f |\n", name, s.frames, s.header, s.block, s.stored, float64(s.stored)/float64(exchanges))
	}
	var all sum
	for _, typ := range []string{warc.Warcinfo, warc.Request, warc.Response, warc.Resource, warc.Metadata} {
		s := t.types[typ]
		if s == nil {
			continue
		}
		row(typ, s)
		if typ == warc.Response {
			row("response, its heads alone", &t.heads)
		}
		all.frames, all.header, all.block, all.stored = all.frames+s.frames, all.header+s.header, all.block+s.block, all.stored+s.stored
	}
	row("all", &all)
	if all.stored != t.total {
		return fmt.Errorf("frames take %d bytes, the segments %d", all.stored, t.total)
	}
	_, err := fmt.Fprintf(w, "\n%d bytes in the segments, %d exchanges, %.1f exchanges a batch\n", t.total, exchanges, float64(exchanges)/float64(max(1, t.batches())))
	return err
}

func (t *tally) batches() int64 {
	if s := t.types[warc.Metadata]; s != nil {
		return s.frames
	}
	return 0
}
