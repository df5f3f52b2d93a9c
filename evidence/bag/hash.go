package bag

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// A HashFunc returns the hash and the length in bytes of a regular file.
type HashFunc func(ctx context.Context, fsys fs.FS, path string) (Sum, int64, error)

// hashBuffer is the number of bytes that are read at a time.
const hashBuffer = 256 << 10

// NewHasher returns the HashFunc that reads a file once from start to end, with a
// buffer of its own: it is for one goroutine.
func NewHasher() HashFunc {
	var buf []byte
	return func(ctx context.Context, fsys fs.FS, path string) (sum Sum, size int64, err error) {
		f, err := fsys.Open(path)
		if err != nil {
			return sum, 0, err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return sum, 0, err
		}
		if !info.Mode().IsRegular() {
			return sum, 0, fmt.Errorf("it became a %s while it was read", typeName(info.Mode()))
		}
		if want := min(info.Size()+1, hashBuffer); int64(len(buf)) < want {
			buf = make([]byte, want)
		}
		h := sha256.New()
		for {
			if err := ctx.Err(); err != nil {
				return sum, 0, err
			}
			n, err := f.Read(buf)
			h.Write(buf[:n])
			size += int64(n)
			if err == io.EOF {
				return Sum(h.Sum(nil)), size, nil
			}
			if err != nil {
				return sum, 0, err
			}
		}
	}
}

// hashAll makes the manifest of paths, and reports what cannot be read. It fails
// when ctx ends.
func hashAll(ctx context.Context, fsys fs.FS, paths []string, hash HashFunc) (Manifest, Oxum, []Problem, error) {
	if hash == nil {
		hash = NewHasher()
	}
	m := make(Manifest, 0, len(paths))
	var oxum Oxum
	var problems []Problem
	for _, path := range paths {
		sum, size, err := hash(ctx, fsys, path)
		if ctxErr := ctx.Err(); ctxErr != nil {
			return nil, Oxum{}, nil, ctxErr
		}
		if err != nil {
			problems = append(problems, Problem{Kind: Unreadable, Path: path, Detail: err.Error()})
			continue
		}
		m = append(m, Line{Path: path, Sum: sum})
		oxum.Octets += size
		oxum.Files++
	}
	slices.SortFunc(m, func(a, b Line) int { return cmp.Compare(a.Path, b.Path) })
	return m, oxum, problems, nil
}

// Build lists and hashes data/ of the case folder fsys: one pass over each file,
// constant memory for each. hash is what hashes them, [NewHasher] if it is nil. It fails when ctx ends, and with every [Problem]
// joined when anything in data/ cannot go into a manifest. What is beside data/ is
// not looked at.
func Build(ctx context.Context, fsys fs.FS, hash HashFunc) (Manifest, Oxum, error) {
	w := walker{ctx: ctx, fsys: fsys, limits: DefaultLimits()}
	err := w.folder(payloadDir, 1, &w.payload)
	if err != nil && !errors.Is(err, errStop) {
		return nil, Oxum{}, err
	}
	if err := join(w.problems); err != nil {
		return nil, Oxum{}, err
	}
	m, oxum, problems, err := hashAll(ctx, fsys, w.payload, hash)
	if err != nil {
		return nil, Oxum{}, err
	}
	if err := join(problems); err != nil {
		return nil, Oxum{}, err
	}
	return m, oxum, nil
}

// join makes one error of all problems, or nil of none.
func join(problems []Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}
