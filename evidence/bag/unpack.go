package bag

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
)

// Unpack writes the files of a packed case below root, an empty folder that nobody else writes to, and makes them durable: the folder from which [Pack] makes the same
// file again. Names were held against docs/container.md, 11.1, when the Zip was opened, and root keeps them inside. It fails with a [*ZipError] where the bytes of a file do not
// have their sum, and when ctx ends; what it wrote by then stays.
func Unpack(ctx context.Context, z *Zip, root *os.Root) error {
	folders := []string{"."}
	err := fs.WalkDir(z, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case name == ".":
			return nil
		case d.IsDir():
			folders = append(folders, name)
			return root.Mkdir(filepath.FromSlash(name), 0o700)
		}
		return unpackFile(ctx, z, name, root)
	})
	if err != nil {
		return err
	}
	bad, err := z.BadSums(ctx)
	if err != nil {
		return err
	}
	if len(bad) > 0 {
		return bad[0]
	}
	for _, name := range folders {
		if err := syncUnpacked(root, name); err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(ctx context.Context, z *Zip, name string, root *os.Root) error {
	in, err := z.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, &withContext{ctx, in}, make([]byte, hashBuffer))
	if err == nil {
		err = out.Sync()
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("file %q: %w", path.Base(name), err)
	}
	return nil
}

// withContext ends a long read with its context.
type withContext struct {
	ctx context.Context
	r   io.Reader
}

func (w *withContext) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(b)
}

// syncUnpacked makes the names in a folder durable, where the system can.
func syncUnpacked(root *os.Root, name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
