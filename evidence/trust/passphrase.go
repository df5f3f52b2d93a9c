package trust

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ReadPassphraseFile reads a passphrase: one line of 1 to [MaxPassphrase] bytes,
// with or without its end. The file is a regular one or a pipe, such as a shell's
// <(command), and belongs to this user alone, else the error matches
// [ErrKeyExposed]. A link is followed: what counts is the file behind it. No error
// holds any part of the passphrase. The caller overwrites the slice when it is done
// with it.
func ReadPassphraseFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("passphrase file: %w", err)
	}
	defer f.Close()
	passphrase, err := readPassphrase(f)
	if err != nil {
		clear(passphrase)
		return nil, fmt.Errorf("passphrase file %q: %w", path, err)
	}
	return passphrase, nil
}

func readPassphrase(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() && info.Mode()&fs.ModeNamedPipe == 0 {
		return nil, fmt.Errorf("%w: it is %s, and neither a regular file nor a pipe", ErrKeyExposed, fileType(info))
	}
	if err := checkPrivate(info, 0o600); err != nil {
		return nil, err
	}
	b := make([]byte, MaxPassphrase+3) // never grown, so that no copy stays behind
	n, err := io.ReadFull(f, b)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return b, err
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(b[:n], []byte("\n")), []byte("\r"))
	if bytes.ContainsAny(line, "\r\n\x00") {
		return b, fmt.Errorf("%w: it does not hold one line", ErrPassphrase)
	}
	return line, checkPassphrase(line, 1)
}
