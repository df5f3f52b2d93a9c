package stamping

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// maxLate is how many tokens a sealed case may get (docs/container.md, 5.8).
const maxLate = 1000

// Sealed asks for tokens over package.note of the sealed case at dir and puts each into stamps/, as NNNN.tsr. Nothing else of the case changes. It returns their names, also beside an error.
func (s *Stamper) Sealed(ctx context.Context, dir string) (names []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	note, err := packageNote(root)
	if err != nil {
		return nil, err
	}
	folder, err := evidence.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	for _, der := range s.Over(ctx, note) {
		name, err := addToken(root, folder, der)
		if err != nil {
			return names, err
		}
		names = append(names, name)
	}
	return names, nil
}

func packageNote(root *os.Root) ([]byte, error) {
	f, err := root.Open(evidence.PackageNotePath)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	note, err := io.ReadAll(io.LimitReader(f, trust.MaxNoteSize+1))
	if err == nil && len(note) > trust.MaxNoteSize {
		err = fmt.Errorf("%s is longer than %d bytes", evidence.PackageNotePath, trust.MaxNoteSize)
	}
	return note, err
}

// addToken writes a token under the first free name, whole or not at all.
func addToken(root *os.Root, folder *evidence.DiskFolder, der []byte) (string, error) {
	if err := root.Mkdir(evidence.StampsPath, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	for n := 1; n <= maxLate; n++ {
		name := fmt.Sprintf("%s/%04d%s", evidence.StampsPath, n, evidence.TokenSuffix)
		if _, err := root.Lstat(name); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		return name, writeNew(folder, name, der)
	}
	return "", fmt.Errorf("the case has %d late timestamps already", maxLate)
}

// writeNew writes by way of a name that no check looks at, and makes both file and name durable.
func writeNew(folder *evidence.DiskFolder, name string, b []byte) error {
	temp := path.Dir(name) + "/." + path.Base(name) + ".new"
	f, err := folder.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := folder.Rename(temp, name); err != nil {
		return err
	}
	d, err := folder.OpenFile(path.Dir(name), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
