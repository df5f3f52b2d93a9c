package verify

import (
	"context"
	"io/fs"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Forget takes findings back, as if their check had been forgotten.
func (r *Report) Forget(codes ...string) {
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool { return slices.Contains(codes, f.Code) })
	for _, code := range codes {
		r.classes[codeOf(code).Class] -= r.codes[code]
		delete(r.codes, code)
	}
}

// NewRepeatedCheck returns Check for a caller that checks many cases one after another: it keeps the decoder.
func NewRepeatedCheck() (check func(context.Context, fs.FS) (*Report, *Container, error), err error) {
	dec, err := warc.NewDecoder()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, files fs.FS) (*Report, *Container, error) {
		if !isCase(files) {
			return nil, nil, ErrNoCase
		}
		return checkWith(ctx, dec, files, Options{})
	}, nil
}

// SalvageGullibly salvages as one would that believes the ledger's rows without a root.
func SalvageGullibly(ctx context.Context, files fs.FS, o Options) (*Salvaged, error) {
	return salvageWith(ctx, files, o, leaveOutRoot)
}

// SalvageUnproven salvages as one would that gives whatever can be read.
func SalvageUnproven(ctx context.Context, files fs.FS, o Options) (*Salvaged, error) {
	return salvageWith(ctx, files, o, leaveOutProof)
}
