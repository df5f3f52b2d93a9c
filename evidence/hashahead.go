package evidence

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

// hashAhead hashes segments for the manifest while other work goes on. What it has not come to, and what was appended meanwhile, is hashed when it is asked for:
// segments only grow.
type hashAhead struct {
	cancel context.CancelFunc
	done   chan struct{}
	sums   map[string]*partial // by path; belongs to the goroutine until done
	other  bag.HashFunc        // hashes all else
}

// partial is the hash of the first bytes of a file.
type partial struct {
	hash hash.Hash
	size int64
}

// hashAhead starts with what the segments hold now.
func (w *Writer) hashAhead(ctx context.Context) *hashAhead {
	ctx, cancel := context.WithCancel(ctx)
	h := &hashAhead{cancel: cancel, done: make(chan struct{}), sums: map[string]*partial{}, other: bag.NewHasher()}
	files, segments, end := w.opts.Folder.FS(), w.ledger.segment, w.ledger.offset
	go func() {
		defer close(h.done)
		for n := int64(1); n <= segments; n++ {
			size := int64(-1)
			if n == segments {
				size = end
			}
			p := &partial{hash: sha256.New()}
			if p.more(ctx, files, SegmentPath(n), size) != nil {
				return // who asks for it will see what is wrong
			}
			h.sums[SegmentPath(n)] = p
		}
	}()
	return h
}

// more hashes the file from where the hash stands, up to so many bytes of it; all of it if end is negative.
func (p *partial) more(ctx context.Context, files fs.FS, path string, end int64) error {
	f, err := files.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	src, ok := f.(io.ReaderAt)
	if !ok {
		return fmt.Errorf("%s: cannot be read at an offset", path)
	}
	buf := make([]byte, 256<<10)
	for end < 0 || p.size < end {
		if err := ctx.Err(); err != nil {
			return err
		}
		want := buf
		if end >= 0 {
			want = buf[:min(int64(len(buf)), end-p.size)]
		}
		n, err := src.ReadAt(want, p.size)
		p.hash.Write(want[:n])
		p.size += int64(n)
		switch {
		case errors.Is(err, io.EOF) && end < 0:
			return nil
		case err != nil:
			return err
		}
	}
	return nil
}

// file is a [bag.HashFunc].
func (h *hashAhead) file(ctx context.Context, files fs.FS, path string) (sum bag.Sum, size int64, err error) {
	<-h.done
	p := h.sums[path]
	if p == nil {
		return h.other(ctx, files, path)
	}
	if err := p.more(ctx, files, path, -1); err != nil {
		return sum, 0, err
	}
	return bag.Sum(p.hash.Sum(nil)), p.size, nil
}

// stop ends it. What was hashed stays.
func (h *hashAhead) stop() {
	h.cancel()
	<-h.done
}
