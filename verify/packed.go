package verify

import (
	"context"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

// packed is a case or a production in one file, as [bag.OpenZip] opens it.
type packed interface {
	// BadSums says which files in it do not have the sums of their headers.
	BadSums(context.Context) ([]*bag.ZipError, error)
}

// packedSums holds the sums in a packed case against its files, most of which were read by now. SHA-256 says whether they are what was sealed; a sum that
// differs says that packing would have given another file.
func (c *checker) packedSums(ctx context.Context) error {
	p, ok := c.files.(packed)
	if !ok {
		return nil
	}
	bad, err := p.BadSums(ctx)
	for _, e := range bad {
		c.r.add(ofZip(e))
	}
	return err
}

func ofZip(e *bag.ZipError) Finding {
	return Finding{Code: "zip-form", Offset: e.Offset, Seq: -1, Detail: e.Detail}
}

// NotPacked is the report on a file that [bag.OpenZip] refused. Nothing in it was looked at.
func NotPacked(e *bag.ZipError, o Options) *Report {
	c := &checker{opts: o, r: &Report{Caveats: caveats()}}
	c.r.add(ofZip(e))
	c.statements()
	return c.r
}

// NotDecrypted is the report on an encrypted case that [bag.Decrypt] found cut or altered. Nothing in it was looked at.
func NotDecrypted(e *bag.AgeError, o Options) *Report {
	c := &checker{opts: o, r: &Report{Caveats: caveats()}}
	c.r.add(Finding{Code: "age-form", Offset: -1, Seq: -1, Detail: e.Detail})
	c.statements()
	return c.r
}
