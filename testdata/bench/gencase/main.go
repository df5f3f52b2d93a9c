// Gencase writes a case of many exchanges without a network, for measurements of what reads cases.
//
//	gencase -o DIR -n EXCHANGES [-size BYTES] [-chain PAGES] [-window EXCHANGES] [-workers N] [-seed S] [-seal] [-bodies FILE]
//
// All that is written goes through evidence.Writer, as an acquisition's entries do, on the real file system and synced: runs, windows, connections with
// certificates, chains of pages with heads, requests with a redaction, signed heads, segments. Answers are those of package pages; every record has an id
// of its own. The signing key is the default one, as of `exhibit case new`, so that `exhibit` can go on with the case.
//
// It prints what it wrote as one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// options say what case is written.
type options struct {
	dir, bodies string
	exchanges   int64
	size        int
	chain       int64 // pages in each chain
	window      int64 // exchanges in each window
	workers     int64
	seed        uint64
	seal        bool
}

// wrote is what is printed.
type wrote struct {
	Exchanges int64   `json:"exchanges"`
	Entries   int64   `json:"entries"`
	Windows   int64   `json:"windows"`
	Records   int64   `json:"records"`
	BodyBytes int64   `json:"body_bytes"`
	Segments  int64   `json:"segment_bytes"`
	Seconds   float64 `json:"seconds"`      // until the last exchange was durable
	Seal      float64 `json:"seal_seconds"` // of closing or sealing
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.dir, "o", "", "folder of the case, which must not exist")
	flag.StringVar(&o.bodies, "bodies", "", "file that takes all bodies too, one a line; \"\" for none")
	flag.Int64Var(&o.exchanges, "n", 1000, "exchanges")
	flag.IntVar(&o.size, "size", 5000, "bytes of a page, about")
	flag.Int64Var(&o.chain, "chain", 100, "pages of a chain; 1 is a list of independent URLs")
	flag.Int64Var(&o.window, "window", 100_000, "exchanges of a window")
	flag.Int64Var(&o.workers, "workers", 8, "chains that are followed at once: the more, the larger the batches")
	flag.Uint64Var(&o.seed, "seed", 7, "seed of the pages")
	flag.BoolVar(&o.seal, "seal", false, "seal the case")
	flag.Parse()
	if o.dir == "" || flag.NArg() > 0 || o.exchanges < 1 || o.chain < 1 || o.window < 1 || o.workers < 1 || o.size < 1 {
		flag.Usage()
		os.Exit(2)
	}
	out, err := write(context.Background(), &o)
	if err != nil {
		log.Fatalf("gencase: %v", err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatalf("gencase: %v", err)
	}
}

// write makes the case.
func write(ctx context.Context, o *options) (out *wrote, err error) {
	env, err := casefile.System("benchmark")
	if err != nil {
		return nil, err
	}
	began := time.Now()
	c, err := casefile.New(ctx, env, o.dir, casefile.NewOptions{Fields: []evidence.Pair{
		{Name: "case-number", Value: "BENCHMARK"}, {Name: "exhibit", Value: "B1"}, {Name: "examiner", Value: "gencase"}}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	r, err := newRun(c, env, o)
	if err != nil {
		return nil, err
	}
	if err := r.do(ctx); err != nil {
		return nil, err
	}
	out = &r.out
	out.Seconds = time.Since(began).Seconds()
	began = time.Now()
	if _, err := c.Index(ctx); err != nil {
		return nil, err
	}
	if o.seal {
		if err := acquire.Seal(ctx, c, acquire.SealOptions{Env: env}); err != nil {
			return nil, err
		}
	}
	if err := c.Close(ctx); err != nil {
		return nil, err
	}
	out.Seal = time.Since(began).Seconds()
	return out, r.count(ctx)
}

// count reads the segments' own account of entries and bytes.
func (r *run) count(ctx context.Context) error {
	s, err := casefile.ReadStatus(ctx, r.o.dir)
	if err != nil {
		return err
	}
	if s.Trouble != "" {
		return fmt.Errorf("case was not written well: %s", s.Trouble)
	}
	r.out.Entries, r.out.Segments = s.Entries, s.Bytes
	return nil
}
