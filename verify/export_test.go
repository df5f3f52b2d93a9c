package verify

import (
	"context"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

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
