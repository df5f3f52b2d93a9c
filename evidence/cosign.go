package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// CosignatureSuffix ends the name of every cosignature (docs/container.md, 5.10).
const CosignatureSuffix = ".cosignature"

// CosignaturePath is the file of key's cosignature of the head over size entries.
func CosignaturePath(size int64, key trust.VKey) string {
	return fmt.Sprintf("%s/%d-%s%s", StampsPath, size, KeyHash(key), CosignatureSuffix)
}

// KeyHash is how the name of a cosignature tells its key: 32 digits.
func KeyHash(key trust.VKey) string {
	sum := sha256.Sum256([]byte(key.String()))
	return hex.EncodeToString(sum[:16])
}

// CosignatureSize tells the size of the head that a file name in [StampsPath] is a cosignature of, [None] if it is the name of no cosignature.
func CosignatureSize(name string) int64 {
	digits, rest, _ := strings.Cut(name, "-")
	hash, ok := strings.CutSuffix(rest, CosignatureSuffix)
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 || strconv.FormatInt(n, 10) != digits {
		return None
	}
	if b, err := hex.DecodeString(hash); err != nil || len(b) != 16 || hex.EncodeToString(b) != hash {
		return None
	}
	return n
}

// witnessSuffix ends the name of every file with the cosignature of a witness.
const witnessSuffix = ".witness"

// WitnessPath is the file of the cosignature, by the witness whose key has this id, on the head over size entries (docs/container.md, 5.12).
func WitnessPath(size int64, id uint32) string {
	return fmt.Sprintf("%s/%d-%08x%s", StampsPath, size, id, witnessSuffix)
}

// WitnessName tells which witness's cosignature a file name in [StampsPath] is of: the size of the head and the id of the witness's key. size is [None] if of none.
func WitnessName(name string) (size int64, id uint32) {
	digits, rest, _ := strings.Cut(name, "-")
	hex, ok := strings.CutSuffix(rest, witnessSuffix)
	size, err := strconv.ParseInt(digits, 10, 64)
	n, err2 := strconv.ParseUint(hex, 16, 32)
	if !ok || err != nil || err2 != nil || size < 1 || path.Base(WitnessPath(size, uint32(n))) != name {
		return None, 0
	}
	return size, uint32(n)
}

// Cosign signs head beside the keys of the case and returns the path of the file that it wrote. Whether the case holds what head says is for the caller to have checked.
// It fails with an error that matches [fs.ErrExist] if the key has done so before, and with [ErrPlanted] if a file stands there that only says so.
func Cosign(ctx context.Context, f *DiskFolder, head trust.Head, s trust.Signer) (string, error) {
	key, err := trust.ParseVKey(s.VerifierKey())
	if err != nil {
		return "", err
	}
	text, err := head.Text()
	if err != nil {
		return "", err
	}
	name := CosignaturePath(head.Size, key)
	if _, err := fs.Lstat(f.FS(), name); err == nil { // before anybody is asked to sign
		if err := cosignedBy(f, name, text, key); err != nil {
			return "", fmt.Errorf("file %q: %w: %w", name, ErrPlanted, err)
		}
		return "", fmt.Errorf("file %q: %w", name, fs.ErrExist)
	}
	note, err := trust.Sign(ctx, text, s)
	if err != nil {
		return "", fmt.Errorf("head over %d entries: %w", head.Size, err)
	}
	made, err := f.makeFolders(StampsPath, WorkPath)
	if err != nil {
		return "", err
	}
	if err := writeNew(f, name, note); err != nil {
		return "", err
	}
	if made[WorkPath] { // a copy that was handed over has none, and is not given one for longer than needed
		err = f.root.Remove(WorkPath)
	}
	return name, err
}

// ErrPlanted says that a file has the name of a cosignature by a key, and is none.
var ErrPlanted = errors.New("it is called a cosignature by this key and is none")

// cosignedBy requires that a file is the note of a text that key signed.
func cosignedBy(f *DiskFolder, name, text string, key trust.VKey) error {
	file, err := openRegular(f.FS(), name)
	if err != nil {
		return err
	}
	defer file.Close()
	note, err := io.ReadAll(io.LimitReader(file, MaxLine+1))
	if err != nil {
		return err
	}
	signed, _, err := trust.Verify(note, []trust.VKey{key})
	if err == nil && signed != text {
		err = errors.New("it is over another head")
	}
	return err
}

// makeFolders makes folders of the case that do not exist, and tells which.
func (d *DiskFolder) makeFolders(names ...string) (map[string]bool, error) {
	made := map[string]bool{}
	for _, name := range names {
		err := d.root.Mkdir(name, 0o700)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return made, err
		}
		made[name] = true
		if err := syncFolder(d, path.Dir(name)); err != nil {
			return made, err
		}
	}
	return made, nil
}
