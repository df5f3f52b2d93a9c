package trust

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxKeyFile bounds a key file, in bytes.
const maxKeyFile = 4096

var (
	// ErrKeyFile is matched by errors about what a key file holds.
	ErrKeyFile = errors.New("unusable key file")
	// ErrKeyExposed is matched by errors about who can read or replace a key
	// file: its mode, owner or type, or those of its folder.
	ErrKeyExposed = errors.New("file is not private")
)

// WriteKeyFile writes k to a new file with mode 0600 and syncs it. The folder is
// made with mode 0700 if it does not exist; one that others may enter, or a link,
// is refused with an error that matches [ErrKeyExposed]. Whatever is at path stays
// as it is, and the error matches [fs.ErrExist].
//
// The file is a comment line with the verifier key and a line
// PRIVATE+KEY+NAME+ID+BASE64. On systems without Unix modes the folder's own
// access rules protect it.
func WriteKeyFile(path string, k *PrivateKey) error {
	dir, base := filepath.Split(path)
	dir = filepath.Clean(dir)
	root, err := makePrivateFolder(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	text := "# exhibit signing key: keep it secret. Verifier key: " + k.VerifierKey() + "\n" + k.encode() + "\n"
	if err := writeExclusive(root, base, text); err != nil {
		return fmt.Errorf("key file %q: %w", path, err)
	}
	if err := syncFolder(dir); err != nil {
		return fmt.Errorf("key folder %q: %w", dir, err)
	}
	return nil
}

// makePrivateFolder opens a folder that belongs to this user alone, and makes it
// if it does not exist.
func makePrivateFolder(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("key folder: %w", err)
	}
	return openPrivateFolder(dir)
}

// writeExclusive writes text to a new file with mode 0600 and makes it durable. It
// leaves no part of one.
func writeExclusive(root *os.Root, base, text string) error {
	f, err := root.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := writeSynced(f, text); err != nil {
		return errors.Join(err, root.Remove(base))
	}
	return nil
}

// writeSynced writes text to f, makes it durable and closes it.
func writeSynced(f *os.File, text string) error {
	_, err := io.WriteString(f, text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ReadKeyFile reads a key that [WriteKeyFile] wrote, or one that has other lines
// starting with "#" before it; or a private key of OpenSSH that is not encrypted,
// beside its public half in path.pub. It refuses with [ErrKeyExposed] a file that
// is not a regular one, that others may read or write, or that another user owns,
// and the same of its folder; with [ErrPassphrase] one that is encrypted; with
// [ErrKeyFile] one whose content is not one whole private key. No error holds any
// part of the private key.
func ReadKeyFile(path string) (*PrivateKey, error) { return UnlockKeyFile(path, nil) }

// openPrivateFolder opens a folder that is no link and belongs to this user alone.
func openPrivateFolder(dir string) (*os.Root, error) {
	before, err := os.Lstat(dir)
	if err != nil {
		return nil, fmt.Errorf("key folder: %w", err)
	}
	if !before.IsDir() {
		return nil, fmt.Errorf("key folder %q: %w: it is %s and no folder", dir, ErrKeyExposed, fileType(before))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("key folder: %w", err)
	}
	info, err := root.Stat(".")
	if err == nil && !os.SameFile(before, info) {
		err = fmt.Errorf("%w: it was replaced while it was opened", ErrKeyExposed)
	}
	if err == nil {
		err = checkPrivate(info, 0o700)
	}
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("key folder %q: %w", dir, err)
	}
	return root, nil
}

// readPrivate reads a regular file of at most maxKeyFile bytes that belongs to this
// user alone. It never opens anything else, and what it read is what it checked.
func readPrivate(root *os.Root, base string) ([]byte, error) {
	before, err := root.Lstat(base)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: it is %s and no regular file", ErrKeyExposed, fileType(before))
	}
	f, err := root.OpenFile(base, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !os.SameFile(before, info) {
		return nil, fmt.Errorf("%w: it was replaced while it was opened", ErrKeyExposed)
	}
	if err := checkPrivate(info, 0o600); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxKeyFile {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrKeyFile, maxKeyFile)
	}
	return b, nil
}

// fileType names what is not a regular file.
func fileType(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	default:
		return "a special file"
	}
}

// checkWhole refuses what is empty, wiped or cut.
func checkWhole(b []byte) error {
	switch {
	case len(b) == 0:
		return errors.New("it is empty")
	case bytes.IndexByte(b, 0) >= 0:
		return errors.New("it holds zero bytes: it was wiped or damaged")
	case b[len(b)-1] != '\n':
		return errors.New("it is cut: no newline at its end")
	}
	return nil
}

// parseKeyFile reads the content of a key file.
func parseKeyFile(b []byte) (*PrivateKey, error) {
	if err := checkWhole(b); err != nil {
		return nil, err
	}
	var k *PrivateKey
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case k != nil:
			return nil, errors.New("something follows the key")
		case strings.HasPrefix(line, "#"):
			continue
		}
		var err error
		if k, err = parsePrivateKey(line); err != nil {
			return nil, err
		}
	}
	if k == nil {
		return nil, errors.New("it is cut: no key after the comment")
	}
	return k, nil
}
