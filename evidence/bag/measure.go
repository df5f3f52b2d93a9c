package bag

import (
	"context"
	"errors"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// Measured is what a sealed case, or a production, was found to be.
type Measured struct {
	TagManifest Sum        // hash of tagmanifest-sha256.txt, made again from the files
	Size        int64      // bytes of data/
	Head        trust.Head // that package.note signs with it
}

// Measure hashes every file in the payload of a sealed case or a production and requires that manifests and package.note are those of what was hashed, the latter signed by one of keys, as [Pack] takes them
// (docs/container.md, 12.3). It fails with [ErrUnsealed], with every [Problem] joined, and when ctx ends.
func Measure(ctx context.Context, files fs.FS, keys []trust.VKey) (m Measured, err error) {
	if _, err := fs.Stat(files, packageNoteName); errors.Is(err, fs.ErrNotExist) {
		return m, ErrUnsealed
	}
	report, err := Check(ctx, files, Options{})
	if err != nil {
		return m, err
	}
	if err := join(report.Problems); err != nil {
		return m, err
	}
	m.TagManifest = report.TagManifest
	if m.Head, err = checkNote(files, keys, report.TagManifest); err != nil {
		return m, err
	}
	m.Size, _ = report.Octets()
	return m, nil
}

// Octets is the number of bytes in data/ as bag-info.txt counts them; ok is false if it does not.
func (r *Report) Octets() (n int64, ok bool) {
	for _, f := range r.Info {
		if f.Label == PayloadOxum {
			oxum, err := parseOxum(f.Value)
			return oxum.Octets, err == nil
		}
	}
	return 0, false
}
