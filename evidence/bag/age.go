package bag

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// This file holds the outermost layer that a packed case may have: encryption to recipients or with a passphrase (docs/container.md, 11.7), in the
// format age-encryption.org/v1.

const (
	ageMagic   = "age-encryption.org/v1\n"
	armorMagic = "-----BEGIN AGE ENCRYPTED FILE-----"

	// maxAgeHeader bounds the header of an encrypted file in bytes: some thousand recipients.
	maxAgeHeader = 1 << 20
	// workFactor is the binary logarithm of scrypt's N: 256 MiB of memory and about a second. More is refused.
	workFactor = 18
	// maxKeyText bounds files of identities and recipients, in bytes.
	maxKeyText = 1 << 20
)

// Encryption is what the first bytes of a file say about it.
type Encryption int

// What a file may be.
const (
	Plain     Encryption = iota // not an age file
	Encrypted                   // an age file
	Armored                     // an age file in its text form, which is not read
)

// SniffSize is how many bytes [Sniff] needs to see of a file.
const SniffSize = len(armorMagic)

// Sniff tells what a file is by its first bytes.
func Sniff(start []byte) Encryption {
	switch {
	case bytes.HasPrefix(start, []byte(ageMagic)):
		return Encrypted
	case bytes.HasPrefix(start, []byte(armorMagic)):
		return Armored
	}
	return Plain
}

// An AgeError says why an encrypted file is not one that can be decrypted as a whole: it was cut, altered, or not made as [Encrypt] makes it.
type AgeError struct{ Detail string }

func (e *AgeError) Error() string { return "damaged encrypted file: " + e.Detail }

// An IdentityError says that none of the identities opens an encrypted file: they are not those of its recipients, or its header was altered.
type IdentityError struct {
	Types []string // of what it is encrypted to: "X25519", "ssh-ed25519", "ssh-rsa", "scrypt" (a passphrase), …
}

func (e *IdentityError) Error() string {
	return fmt.Sprintf("no identity that was given opens it; it is encrypted to %s", strings.Join(e.names(), ", "))
}

// Passphrase reports whether the file is encrypted with a passphrase.
func (e *IdentityError) Passphrase() bool { return slices.Contains(e.Types, "scrypt") }

// names are the known types in words, each once; what else a file names is counted.
func (e *IdentityError) names() []string {
	words := map[string]string{"X25519": "an age key", "mlkem768x25519": "a post-quantum age key", "ssh-ed25519": "an SSH key (ssh-ed25519)", "ssh-rsa": "an SSH key (ssh-rsa)", "scrypt": "a passphrase"}
	var names []string
	for _, t := range e.Types {
		name, ok := words[t]
		if !ok {
			name = "a kind of key that is not known"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Recipients are who can decrypt what [Encrypt] writes. The zero value is nobody.
type Recipients struct{ list []age.Recipient }

// Add adds one recipient: age1… as age-keygen prints it, or an SSH public key, a line ssh-ed25519 … or ssh-rsa ….
func (r *Recipients) Add(line string) error {
	if strings.HasPrefix(line, "ssh-") {
		one, err := agessh.ParseRecipient(line)
		if err != nil {
			return errors.New("it is no SSH public key of type ssh-ed25519 or ssh-rsa, the latter of 2048 bits at least")
		}
		r.list = append(r.list, one)
		return nil
	}
	more, err := age.ParseRecipients(strings.NewReader(line))
	if err != nil || strings.ContainsAny(line, "\r\n") { // what was given may be a private key: nothing of it is repeated
		return errors.New("it is no recipient: neither age1… nor an SSH public key")
	}
	r.list = append(r.list, more...)
	return nil
}

// AddText adds the recipients of a file: one on each line; empty lines and those that begin with # say nothing. There must be one.
func (r *Recipients) AddText(text []byte) error {
	if len(text) > maxKeyText {
		return fmt.Errorf("it has more than %d bytes", maxKeyText)
	}
	before := len(r.list)
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := r.Add(line); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if len(r.list) == before {
		return errors.New("it names no recipient")
	}
	return nil
}

// Len is the number of recipients.
func (r *Recipients) Len() int { return len(r.list) }

// WithPassphrase returns the recipient who knows a passphrase, which must not be empty. No other can stand beside it.
func WithPassphrase(passphrase string) (*Recipients, error) {
	one, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	one.SetWorkFactor(workFactor)
	return &Recipients{[]age.Recipient{one}}, nil
}

// Encrypt returns what encrypts to every one of the recipients, of which there must be one, and writes to w. The last bytes are written by Close, which leaves
// w open. Key and nonce are fresh random bytes of the system: the same case gives another file each time.
func Encrypt(w io.Writer, to *Recipients) (io.WriteCloser, error) {
	if len(to.list) == 0 {
		return nil, errors.New("encryption to nobody")
	}
	return age.Encrypt(w, to.list...)
}

// Identities are private keys and passphrases with which [Decrypt] tries to open a file. The zero value is none.
type Identities struct{ list []age.Identity }

// Len is how many there are.
func (i *Identities) Len() int { return len(i.list) }

// AddText adds the identities of a file: lines AGE-SECRET-KEY-…, as age-keygen writes them, or one SSH private key. ask is called for the passphrase of an SSH key
// that has one; its error is returned as it is. No error holds anything of a key.
func (i *Identities) AddText(text []byte, ask func() (string, error)) error {
	if len(text) > maxKeyText {
		return fmt.Errorf("it has more than %d bytes", maxKeyText)
	}
	if !bytes.HasPrefix(text, []byte("-----BEGIN")) {
		if Sniff(text) == Encrypted {
			return errors.New("it is itself encrypted: decrypt it with age first")
		}
		list, err := age.ParseIdentities(bytes.NewReader(text))
		if err != nil {
			return errors.New("it holds no identity: neither lines AGE-SECRET-KEY-… nor an SSH private key")
		}
		i.list = append(i.list, list...)
		return nil
	}
	if Sniff(text) == Armored {
		return errors.New("it is itself encrypted: decrypt it with age first")
	}
	key, err := ssh.ParseRawPrivateKey(text)
	var missing *ssh.PassphraseMissingError
	if errors.As(err, &missing) {
		passphrase, askErr := ask()
		if askErr != nil {
			return askErr
		}
		key, err = ssh.ParseRawPrivateKeyWithPassphrase(text, []byte(passphrase))
		if err != nil {
			return errors.New("the passphrase does not open the SSH private key")
		}
	}
	if err != nil {
		return errors.New("it is no SSH private key that can be read")
	}
	one, err := sshIdentity(key)
	if err != nil {
		return err
	}
	i.list = append(i.list, one)
	return nil
}

func sshIdentity(key any) (age.Identity, error) {
	switch k := key.(type) {
	case *ed25519.PrivateKey:
		return agessh.NewEd25519Identity(*k)
	case ed25519.PrivateKey:
		return agessh.NewEd25519Identity(k)
	case *rsa.PrivateKey:
		return agessh.NewRSAIdentity(k)
	}
	return nil, errors.New("it is an SSH private key of another type than ssh-ed25519 and ssh-rsa")
}

// AddPassphrase adds a passphrase. ask gives it and is called only for a file that is encrypted with one; its error is returned by [Decrypt] as it is.
func (i *Identities) AddPassphrase(ask func() (string, error)) {
	i.list = append(i.list, passphraseIdentity{ask})
}

// passphraseIdentity asks for the passphrase when a file needs one.
type passphraseIdentity struct{ ask func() (string, error) }

// askError is what could not be asked.
type askError struct{ err error }

func (e *askError) Error() string { return e.err.Error() }

// Unwrap implements [age.Identity].
func (p passphraseIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if !slices.ContainsFunc(stanzas, func(s *age.Stanza) bool { return s.Type == "scrypt" }) {
		return nil, age.ErrIncorrectIdentity
	}
	passphrase, err := p.ask()
	if err != nil {
		return nil, &askError{err}
	}
	one, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, &askError{err}
	}
	one.SetMaxWorkFactor(workFactor)
	return one.Unwrap(stanzas)
}

// Decrypt returns the plaintext of an encrypted file. What was read before an error is authentic and not all of it: nothing must be made of it before the reader
// returned [io.EOF]. Decrypt and the reader fail with an [*AgeError]; with an [*IdentityError]; and with src's own error. A header is at most 1 MiB long.
func Decrypt(src io.Reader, who *Identities) (io.Reader, error) {
	in := &ageSource{r: src, left: maxAgeHeader}
	list := who.list
	if len(list) == 0 {
		list = []age.Identity{nobody{}}
	}
	plain, err := age.Decrypt(in, list...)
	if err != nil {
		return nil, in.explain(err)
	}
	in.left = math.MaxInt64
	return &agePlain{plain, in}, nil
}

// nobody opens nothing, so that a file tells what it is encrypted to.
type nobody struct{}

func (nobody) Unwrap([]*age.Stanza) ([]byte, error) { return nil, age.ErrIncorrectIdentity }

// ageSource is what a file is read from, with the error that reading it gave.
type ageSource struct {
	r    io.Reader
	left int64
	err  error
}

func (s *ageSource) Read(b []byte) (int, error) {
	if s.left <= 0 {
		return 0, fmt.Errorf("its header has more than %d bytes", maxAgeHeader)
	}
	n, err := s.r.Read(b[:min(int64(len(b)), s.left)])
	s.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// explain tells a file that is damaged from one that is not for these identities, and from one that cannot be read.
func (s *ageSource) explain(err error) error {
	var match *age.NoIdentityMatchError
	var ask *askError
	switch {
	case s.err != nil:
		return s.err
	case errors.As(err, &ask):
		return ask.err
	case errors.As(err, &match):
		return &IdentityError{match.StanzaTypes}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &AgeError{"it is cut off"}
	case strings.Contains(err.Error(), "payload chunk"):
		return &AgeError{"a part of it is cut off or altered"}
	}
	return &AgeError{err.Error()}
}

// agePlain is the plaintext.
type agePlain struct {
	io.Reader
	in *ageSource
}

func (p *agePlain) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if err != nil && err != io.EOF {
		err = p.in.explain(err)
	}
	return n, err
}
