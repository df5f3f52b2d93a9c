package custody

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// ErrTaken says that another process added a record in the meantime.
var ErrTaken = errors.New("another record was added meanwhile")

// ErrFull says that a chain has no room for another record.
var ErrFull = fmt.Errorf("chain has %d records, which is the most", maxRecords)

// Append signs r as the record that follows chain, which must be that of the case folder dir and not be broken, and makes it durable: custody/NNNN.note appears whole
// or not at all, and never replaces a file. Sequence, ID, Previous and Key are set here; rand must be a cryptographic source. It fails with [ErrTaken], with
// [ErrFull], and where a value of r cannot stand in a record.
func Append(ctx context.Context, dir string, chain *Chain, r Record, signer trust.Signer, rand io.Reader) (*Link, error) {
	if chain.last >= maxRecords {
		return nil, ErrFull
	}
	var id [16]byte
	if _, err := io.ReadFull(rand, id[:]); err != nil {
		return nil, fmt.Errorf("id of the record: %w", err)
	}
	key, err := trust.ParseVKey(signer.VerifierKey())
	if err != nil {
		return nil, err
	}
	r.Sequence, r.ID, r.Previous, r.Key = chain.last+1, hex.EncodeToString(id[:]), chain.Last, key
	text, err := r.Text()
	if err != nil {
		return nil, err
	}
	note, err := trust.Sign(ctx, text, signer)
	if err != nil {
		return nil, err
	}
	if len(note) > maxNote {
		return nil, fmt.Errorf("record of %d bytes is longer than %d", len(note), maxNote)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := makeFolder(root); err != nil {
		return nil, err
	}
	if err := create(root, Path(r.Sequence), note, hex.EncodeToString(id[:4])); err != nil {
		return nil, err
	}
	return &Link{&r, Path(r.Sequence), sha256.Sum256(note)}, nil
}

// makeFolder makes custody/ unless it is there. A link is not followed.
func makeFolder(root *os.Root) error {
	err := root.Mkdir(Folder, 0o700)
	if err == nil {
		return syncFolder(root, ".")
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := root.Lstat(Folder)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: Folder, Err: errors.New("it is no folder")}
	}
	return err
}

// create writes a file that must not exist: whole and durable under its name, or not at all. What an interrupted call leaves is no record by its name.
func create(root *os.Root, name string, content []byte, part string) error {
	temp := name + "." + part + ".part"
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer root.Remove(temp)
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := giveName(root, temp, name); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return ErrTaken
		}
		return err
	}
	return syncFolder(root, Folder)
}

// giveName gives a file its name and replaces none. Where the file system has no links, there is a moment between the look and the renaming.
func giveName(root *os.Root, temp, name string) error {
	err := root.Link(temp, name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "rename", Path: name, Err: fs.ErrExist}
	}
	return root.Rename(temp, name)
}

// syncFolder makes the names in a folder durable, where the system can.
func syncFolder(root *os.Root, name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
