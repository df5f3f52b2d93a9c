package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"math"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// bundle is a sealed case or a production, as far as handing it over has to know it. All of it is at its word: what it is worth, a check says.
type bundle struct {
	keys   []trust.VKey    // that may sign package.note: those of the case, or the producer's
	origin string          // of the case
	fields []evidence.Pair // of the case entry
}

// readBundle reads what is in a folder. It fails with [bag.ErrUnsealed] of a case that is not sealed.
func readBundle(ctx context.Context, dir string) (*bundle, error) {
	if isProduction(dir) {
		return readProduction(dir)
	}
	status, err := casefile.ReadStatus(ctx, dir)
	if err != nil {
		return nil, err
	}
	if status.State != casefile.StateSealed {
		return nil, bag.ErrUnsealed
	}
	b := &bundle{origin: evidence.Origin(status.Case.Case), fields: status.Case.Fields}
	b.keys, err = maySign(ctx, dir, status, math.MaxInt64)
	return b, err
}

// readProduction reads the first lines of a production: who made it, and the case entry, which no production withholds.
func readProduction(dir string) (*bundle, error) {
	files, err := bag.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	head, entries, err := evidence.ProductionLines(files)
	if err != nil {
		return nil, err
	}
	producer, err := trust.ParseVKey(head.Producer)
	if err != nil {
		return nil, err
	}
	b := &bundle{keys: []trust.VKey{producer}, origin: evidence.Origin(head.Case)}
	for d, err := range entries {
		if err != nil {
			return nil, err
		}
		if d.Entry != nil {
			if c, ok := d.Entry.Body.(*evidence.Case); ok {
				b.fields = c.Fields
			}
		}
		break
	}
	return b, nil
}

// disclosedEntries gives the entries of a case, or those that a production discloses.
func disclosedEntries(ctx context.Context, files fs.FS) iter.Seq2[*evidence.Entry, error] {
	return func(yield func(*evidence.Entry, error) bool) {
		if !evidence.IsProduction(files) {
			for b, err := range evidence.Batches(ctx, files) {
				if err != nil {
					yield(nil, err)
					return
				}
				for _, e := range b.Entries {
					if !yield(e, nil) {
						return
					}
				}
			}
			return
		}
		_, entries, err := evidence.ProductionLines(files)
		if err != nil {
			yield(nil, err)
			return
		}
		for d, err := range entries {
			if err = errors.Join(err, ctx.Err()); err != nil {
				yield(nil, err)
				return
			}
			if d.Entry != nil && !yield(d.Entry, nil) {
				return
			}
		}
	}
}

// bundleNoun is what a folder is called in messages.
func bundleNoun(dir string) string {
	if isProduction(dir) {
		return "production"
	}
	return "case"
}

// unsealed explains that there is no package.note: of a case it is not there yet, of a production it is gone.
func unsealed(err error, dir, meaning string) error {
	if isProduction(dir) {
		return cli.Fail(cli.Damaged, fmt.Errorf("%s is missing, which every production has", evidence.PackageNotePath), meaning, "ask whoever made the production for another copy")
	}
	return cli.Fail(cli.Incomplete, err, meaning, "only a sealed case is handed over; to seal it, run `"+shell([]string{"exhibit", "seal", dir})+"`")
}
