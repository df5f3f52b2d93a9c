package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

// CaseFiles is where a case is read from: a folder, or one file into which it is packed.
type CaseFiles interface {
	fs.FS
	io.Closer
}

// GiveCase says what PATH must be.
const GiveCase = "give the folder of a case, the one that holds data/, or the file that `exhibit pack` made; - reads such a file from standard input"

// OpenCase opens what path names: a folder, a packed case, encrypted or not, or one on in, if path is "-". What is read from a stream or decrypted is kept in a
// temporary file that nobody else can read, until Close. It fails with a [*bag.ZipError] where a packed case is not in the one form, and with a [*bag.AgeError]
// where an encrypted one was cut or altered.
func OpenCase(ctx context.Context, path string, in io.Reader, u *Unlock) (CaseFiles, error) {
	defer u.settle() // what ends with ctx does not wait for whoever is asked
	if path == "-" {
		return openStream(ctx, in, u)
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		folder, err := bag.OpenFolder(path)
		if err != nil {
			return nil, Fail(Usage, pathError(err), "", GiveCase)
		}
		return folder, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, Fail(Usage, pathError(err), "", GiveCase)
	}
	start := make([]byte, bag.SniffSize)
	n, err := f.ReadAt(start, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, f.Close())
	}
	if bag.Sniff(start[:n]) == bag.Plain {
		return openPacked(&packedFile{File: f}, path)
	}
	defer f.Close()
	temp, err := spool(ctx, path, func() (io.Reader, error) { return plaintext(bufio.NewReader(f), u) })
	if err != nil {
		return nil, err
	}
	return openPacked(temp, path)
}

// openStream keeps standard input, or what it decrypts to, in a temporary file, because a check needs its end first.
func openStream(ctx context.Context, in io.Reader, u *Unlock) (CaseFiles, error) {
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeCharDevice != 0 {
			return nil, Fail(Usage, errors.New("standard input is no packed case: it is a terminal or a device"), "", "redirect a file: `exhibit-verify check - < FILE`")
		}
	}
	temp, err := spool(ctx, Named("-"), func() (io.Reader, error) { return plaintext(bufio.NewReader(in), u) })
	if err != nil {
		return nil, err
	}
	return openPacked(temp, Named("-"))
}

// plaintext is in, decrypted if it begins as an encrypted file.
func plaintext(in *bufio.Reader, u *Unlock) (io.Reader, error) {
	start, err := in.Peek(bag.SniffSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch bag.Sniff(start) {
	case bag.Encrypted:
		return bag.Decrypt(in, u.identities)
	case bag.Armored:
		return nil, Fail(Usage, errors.New("it is an encrypted file in its text form (armour), which is not what `exhibit pack` writes"), "nothing was looked at",
			"turn it into the binary form with age, or ask for the file that `exhibit pack` wrote")
	}
	return in, nil
}

// Named is PATH in messages.
func Named(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

func pathError(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return errors.New(p.Path + ": " + p.Err.Error())
	}
	return err
}

// packedCase is a packed case with the file that holds it.
type packedCase struct {
	*bag.Zip
	io.Closer
}

// Packed is the case as one file. Folders have no such method.
func (c *packedCase) Packed() *bag.Zip { return c.Zip }

// openPacked opens a packed case and takes over its file.
func openPacked(f *packedFile, name string) (CaseFiles, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !bag.IsZip(f, info.Size()) {
		f.Close()
		return nil, Fail(Usage, fmt.Errorf("%s: it is no packed case: it neither begins nor ends as one", name), "", GiveCase)
	}
	z, err := bag.OpenZip(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &packedCase{z, f}, nil
}

// packedFile is an open file; temp is its name if it is to be removed.
type packedFile struct {
	*os.File
	temp string
}

func (f *packedFile) Close() error {
	err := f.File.Close()
	if f.temp != "" {
		err = errors.Join(err, os.Remove(f.temp))
	}
	return err
}

// spool keeps what a reader gives in a temporary file that nobody else can read. It is removed at once, or when it is closed where the system cannot do that.
func spool(ctx context.Context, name string, open func() (io.Reader, error)) (*packedFile, error) {
	temp, err := os.CreateTemp("", "exhibit-packed-*") // mode 0600
	if err != nil {
		return nil, spoolError(name, err)
	}
	f := &packedFile{File: temp, temp: temp.Name()}
	if os.Remove(f.temp) == nil { // not where an open file cannot be removed
		f.temp = ""
	}
	done := make(chan error, 1)
	go func() {
		in, err := open()
		if err == nil {
			_, err = io.Copy(temp, in)
		}
		done <- err
	}()
	select {
	case err = <-done:
	case <-ctx.Done(): // a read that waits does not end with ctx
		err = ctx.Err()
	}
	if err != nil {
		return nil, spoolError(name, errors.Join(err, f.Close()))
	}
	return f, nil
}

// spoolError explains why a file could not be kept, or decrypted.
func spoolError(name string, err error) error {
	var own *Error
	var who *bag.IdentityError
	var damage *bag.AgeError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &own):
		return Fail(own.Code, fmt.Errorf("%s: %w", name, own.Err), own.Meaning, own.Next)
	case errors.As(err, &who):
		return identityError(name, who)
	case errors.As(err, &damage):
		return fmt.Errorf("%s: %w", name, damage)
	}
	return Fail(Unexpected, fmt.Errorf("%s: %w", name, err), "nothing was checked",
		"what comes from standard input or is decrypted is kept in a temporary file: make room for it, or name another folder in TMPDIR")
}

// identityError explains why nothing that was given opens a file.
func identityError(name string, e *bag.IdentityError) error {
	next := "give the --identity of somebody to whom it is encrypted: a file that age-keygen wrote, or an SSH private key; if it is that already, the file was altered: compare its SHA-256 with the one that `exhibit pack` printed"
	if e.Passphrase() {
		next = "give the right passphrase with --passphrase-file; if it is that already, the file was altered: compare its SHA-256 with the one that `exhibit pack` printed"
	}
	return Fail(Usage, fmt.Errorf("%s: %w", name, e), "nothing was looked at, and nothing is said about the case", next)
}
