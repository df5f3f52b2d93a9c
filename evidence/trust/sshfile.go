package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// ErrPassphrase is matched by errors about the passphrase of a key file: none was
// given, or another one than the file was encrypted with.
var ErrPassphrase = errors.New("key file cannot be decrypted")

// Bounds of a passphrase, in bytes. The lower one holds for new keys alone.
const (
	MinPassphrase = 8
	MaxPassphrase = 1024
)

// An Unlock gives the passphrase of the encrypted key file at path. Whoever calls
// it overwrites the slice with zeros as soon as the key is decrypted.
type Unlock func(path string) ([]byte, error)

// sshFirstLine begins a private key of OpenSSH. ssh-keygen takes a file for one
// only if nothing stands before it.
const sshFirstLine = "-----BEGIN OPENSSH PRIVATE KEY-----"

// sshPublicSuffix is what ssh-keygen adds to a key file's name for its public half.
const sshPublicSuffix = ".pub"

// WriteLockedKeyFile writes k, encrypted with passphrase, to a new file at path,
// under the rules of [WriteKeyFile], and its public half to path.pub. It fails, and
// leaves neither, with an error that matches [fs.ErrExist] where one of the two is
// there already. The passphrase has [MinPassphrase] to [MaxPassphrase] bytes; it is
// the caller's to erase.
//
// The form is OpenSSH's own: bcrypt-pbkdf and AES-256-CTR, written by
// golang.org/x/crypto/ssh. So ssh-keygen can change the passphrase, ssh-add can
// hand the key to an agent, and no encryption of ours is to be trusted. The name
// of the key is the comment of the public half, because the comment in the private
// one is encrypted and that library does not give it out.
func WriteLockedKeyFile(path string, k *PrivateKey, passphrase []byte) error {
	if err := checkPassphrase(passphrase, MinPassphrase); err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(k.key, k.vkey.name, passphrase)
	if err != nil {
		return fmt.Errorf("key file %q: %w", path, err)
	}
	line, err := sshLine(k.vkey)
	if err != nil {
		return fmt.Errorf("key file %q: %w", path, err)
	}
	dir, base := filepath.Split(path)
	dir = filepath.Clean(dir)
	root, err := makePrivateFolder(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if _, err := root.Lstat(base + sshPublicSuffix); err == nil {
		return fmt.Errorf("key file %q: %w", path+sshPublicSuffix, fs.ErrExist)
	}
	if err := writeExclusive(root, base, string(pem.EncodeToMemory(block))); err != nil {
		return fmt.Errorf("key file %q: %w", path, err)
	}
	if err := writeExclusive(root, base+sshPublicSuffix, line); err != nil {
		return errors.Join(fmt.Errorf("key file %q: %w", path+sshPublicSuffix, err), root.Remove(base))
	}
	if err := syncFolder(dir); err != nil {
		return fmt.Errorf("key folder %q: %w", dir, err)
	}
	return nil
}

// checkPassphrase refuses a passphrase that is too short or too long.
func checkPassphrase(passphrase []byte, least int) error {
	if n := len(passphrase); n < least || n > MaxPassphrase {
		return fmt.Errorf("%w: passphrase has %d bytes, want %d to %d", ErrPassphrase, n, least, MaxPassphrase)
	}
	return nil
}

// UnlockKeyFile reads a key file as [ReadKeyFile] does and, if it is encrypted,
// asks unlock for its passphrase and erases that. It fails with unlock's error, and
// with one that matches [ErrPassphrase] if the passphrase does not fit, or unlock is
// nil and one is needed.
func UnlockKeyFile(path string, unlock Unlock) (*PrivateKey, error) {
	return withKeyFile(path, func(root *os.Root, base string, b []byte) (*PrivateKey, error) {
		if !bytes.HasPrefix(b, []byte(sshFirstLine)) {
			return parseKeyFile(b)
		}
		locked, err := parseSSHFile(root, base, b)
		if err != nil || locked.key != nil {
			return locked.key, err
		}
		if unlock == nil {
			return nil, fmt.Errorf("%w: it is encrypted, and no passphrase was given", ErrPassphrase)
		}
		passphrase, err := unlock(path)
		defer clear(passphrase)
		if err != nil {
			return nil, &unlockError{err}
		}
		return locked.unlock(b, passphrase)
	})
}

// unlockError is what an Unlock failed with: it says nothing of the file.
type unlockError struct{ err error }

func (e *unlockError) Error() string { return e.err.Error() }

// ReadKeyFileVKey reads the public half of a key file, for which no passphrase is
// needed. It fails as [ReadKeyFile] does.
func ReadKeyFileVKey(path string) (VKey, error) {
	return withKeyFile(path, func(root *os.Root, base string, b []byte) (VKey, error) {
		if bytes.HasPrefix(b, []byte(sshFirstLine)) {
			locked, err := parseSSHFile(root, base, b)
			return locked.vkey, err
		}
		k, err := parseKeyFile(b)
		if err != nil {
			return VKey{}, err
		}
		return k.vkey, nil
	})
}

// withKeyFile reads the private file at path and has use make something of it. An
// error of use is one about the content, unless it says otherwise.
func withKeyFile[T any](path string, use func(root *os.Root, base string, b []byte) (T, error)) (T, error) {
	var none T
	dir, base := filepath.Split(path)
	root, err := openPrivateFolder(filepath.Clean(dir))
	if err != nil {
		return none, err
	}
	defer root.Close()
	b, err := readPrivate(root, base)
	if err != nil {
		return none, fmt.Errorf("key file %q: %w", path, err)
	}
	defer clear(b)
	v, err := use(root, base, b)
	var asked *unlockError
	switch {
	case errors.As(err, &asked):
		return none, asked.err
	case errors.Is(err, ErrPassphrase):
		return none, fmt.Errorf("key file %q: %w", path, err)
	case err != nil:
		return none, fmt.Errorf("key file %q: %w: %w", path, ErrKeyFile, err)
	}
	return v, nil
}

// sshKey is what a private key of OpenSSH says without its passphrase.
type sshKey struct {
	vkey VKey
	key  *PrivateKey // if it is not encrypted
}

// parseSSHFile reads a private key of OpenSSH and the public half beside it, which
// must be the same key: that tells a file that was exchanged.
func parseSSHFile(root *os.Root, base string, b []byte) (sshKey, error) {
	if err := checkWhole(b); err != nil {
		return sshKey{}, err
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != "OPENSSH PRIVATE KEY" || len(block.Headers) > 0 {
		return sshKey{}, errors.New("it is cut or damaged: no whole OpenSSH private key")
	}
	defer clear(block.Bytes)
	if len(rest) > 0 {
		return sshKey{}, errors.New("something follows the key")
	}
	raw, err := ssh.ParseRawPrivateKey(b)
	var missing *ssh.PassphraseMissingError
	locked := errors.As(err, &missing)
	if err != nil && !locked {
		return sshKey{}, fmt.Errorf("it is cut or damaged: %w", err)
	}
	name, err := readSSHPublic(root, base+sshPublicSuffix)
	if err != nil {
		return sshKey{}, err
	}
	if locked {
		pub, err := ed25519Of(missing.PublicKey)
		if err != nil {
			return sshKey{}, err
		}
		if !bytes.Equal(pub, name.pub[:]) {
			return sshKey{}, fmt.Errorf("it was exchanged: %s holds the public half of another key", base+sshPublicSuffix)
		}
		return sshKey{vkey: name}, nil
	}
	key, err := fromSSH(raw, name)
	return sshKey{name, key}, err
}

// unlock decrypts the key.
func (s sshKey) unlock(b, passphrase []byte) (*PrivateKey, error) {
	if err := checkPassphrase(passphrase, 1); err != nil {
		return nil, err
	}
	raw, err := ssh.ParseRawPrivateKeyWithPassphrase(b, passphrase)
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, fmt.Errorf("%w: the passphrase is wrong, or the file is damaged", ErrPassphrase)
	}
	if err != nil {
		return nil, fmt.Errorf("it is cut or damaged: %w", err)
	}
	return fromSSH(raw, s.vkey)
}

// fromSSH makes a key of what package ssh read and requires that it is the one
// that want names. Package ssh does not hold the two halves of an Ed25519 key
// against each other.
func fromSSH(raw any, want VKey) (*PrivateKey, error) {
	private, ok := raw.(*ed25519.PrivateKey)
	if !ok || len(*private) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("it holds a key of another type (%T), want Ed25519", raw)
	}
	k, err := newPrivateKey(want.name, private.Seed())
	clear(*private)
	if err != nil {
		return nil, err
	}
	if k.vkey != want {
		return nil, errors.New("it is damaged or was exchanged: its private half is not that of its public half")
	}
	return k, nil
}

// readSSHPublic reads the public half that stands beside a private key of OpenSSH.
func readSSHPublic(root *os.Root, base string) (VKey, error) {
	info, err := root.Lstat(base)
	if errors.Is(err, fs.ErrNotExist) {
		return VKey{}, fmt.Errorf("its public half, which names the key, is missing: %s (ssh-keygen -y writes it; add the name behind it)", base)
	}
	if err != nil {
		return VKey{}, err
	}
	if !info.Mode().IsRegular() {
		return VKey{}, fmt.Errorf("its public half, %s, is %s and no regular file", base, fileType(info))
	}
	f, err := root.OpenFile(base, os.O_RDONLY|openFlags, 0)
	if err != nil {
		return VKey{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return VKey{}, err
	}
	k, err := ParseSSHKey(string(b))
	if err != nil {
		return VKey{}, fmt.Errorf("its public half, %s: %w", base, err)
	}
	return k, nil
}

// ParseSSHKey reads a public key as ssh-keygen writes it, one line of at most 4,096
// bytes: ssh-ed25519, the key in base64, and a comment, which becomes the key's
// name: what no name may hold becomes a hyphen. It requires a sound Ed25519 key, as
// [ParseVKey] does.
func ParseSSHKey(line string) (VKey, error) {
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	switch {
	case len(line) > maxKeyFile:
		return VKey{}, fmt.Errorf("malformed ssh public key: more than %d bytes", maxKeyFile)
	case strings.ContainsAny(line, "\r\n\x00"):
		return VKey{}, errors.New("malformed ssh public key: it is not one line")
	}
	key, comment, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return VKey{}, fmt.Errorf("malformed ssh public key %q", clip(line))
	}
	if len(options) > 0 {
		return VKey{}, errors.New("malformed ssh public key: something stands before its type")
	}
	pub, err := ed25519Of(key)
	if err != nil {
		return VKey{}, err
	}
	name := KeyName(comment)
	if name == "" {
		return VKey{}, errors.New("ssh public key has no comment, which names the key: add a name behind it")
	}
	return newVKey(name, pub)
}

// KeyName makes a name that [CheckName] allows of any text, "" of an empty one:
// what a name may not hold becomes a hyphen, and what is too long is cut.
func KeyName(text string) string {
	allowed := func(r rune) rune {
		if r <= ' ' || r > '~' || r == '+' {
			return '-'
		}
		return r
	}
	name := strings.Map(allowed, strings.TrimSpace(text))
	return name[:min(len(name), maxName)]
}

// ed25519Of gives the 32 bytes of an ssh public key.
func ed25519Of(key ssh.PublicKey) ([]byte, error) {
	if key == nil {
		return nil, errors.New("it has no public half")
	}
	if with, ok := key.(ssh.CryptoPublicKey); ok && key.Type() == ssh.KeyAlgoED25519 {
		if pub, ok := with.CryptoPublicKey().(ed25519.PublicKey); ok {
			return pub, nil
		}
	}
	if key.Type() == ssh.KeyAlgoSKED25519 {
		return nil, errors.New("key of type sk-ssh-ed25519 signs a text of its own around ours, which is no plain Ed25519 signature")
	}
	return nil, fmt.Errorf("key has type %q, want ssh-ed25519", clip(key.Type()))
}

// sshLine writes k as ssh-keygen does, with its name as comment.
func sshLine(k VKey) (string, error) {
	key, err := k.SSHKey()
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n") + " " + k.name + "\n", nil
}

// SSHKey returns the key as package ssh holds it, to find it in an agent.
func (k VKey) SSHKey() (ssh.PublicKey, error) {
	key, err := ssh.NewPublicKey(ed25519.PublicKey(k.pub[:]))
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", k.name, err)
	}
	return key, nil
}
