package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"golang.org/x/term"
)

// IsTerminal reports whether somebody can be asked on in.
func IsTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// AskSecret asks for a line on a terminal and does not show it. in must be one ([IsTerminal]). The end of ctx, which a signal brings about, ends the question and leaves the
// terminal as it was.
func AskSecret(ctx context.Context, in io.Reader, talk io.Writer, prompt string) ([]byte, error) {
	interrupted := Fail(Interrupted, errors.New("interrupted: no passphrase was given"), "nothing was done", "run the same command again")
	if ctx.Err() != nil {
		return nil, interrupted
	}
	fd := int(in.(*os.File).Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	fmt.Fprint(talk, EscapeLine(prompt))
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	defer fmt.Fprintln(talk)
	select {
	case l := <-read:
		if l.err != nil {
			return nil, fmt.Errorf("passphrase: %w", l.err)
		}
		return l.text, nil
	case <-ctx.Done(): // the reader stays until the process ends
		return nil, errors.Join(interrupted, term.Restore(fd, before))
	}
}

// AskNewSecret asks twice for a secret that is new, on a terminal. meaning says what a failure means. The caller overwrites the slice when it is done with it.
func AskNewSecret(ctx context.Context, in io.Reader, talk io.Writer, prompt, meaning string) ([]byte, error) {
	first, err := AskSecret(ctx, in, talk, prompt)
	if err != nil {
		return nil, err
	}
	second, err := AskSecret(ctx, in, talk, "The same again: ")
	defer clear(second)
	if err == nil && !bytes.Equal(first, second) {
		err = Fail(Usage, errors.New("the two passphrases differ"), meaning, "run the same command again")
	}
	if err != nil {
		clear(first)
		return nil, err
	}
	return first, nil
}

// askPassphrase asks for the passphrase of something that is encrypted. Without a terminal it fails and names the flag that answers.
func askPassphrase(ctx context.Context, in io.Reader, talk io.Writer, what, meaning string) (string, error) {
	if !IsTerminal(in) {
		return "", Fail(Usage, fmt.Errorf("the %s is needed, and there is no terminal to ask", what), meaning, "give --passphrase-file")
	}
	b, err := AskSecret(ctx, in, talk, what+": ")
	defer clear(b)
	var own *Error
	if errors.As(err, &own) {
		return "", err
	}
	if err == nil {
		err = CheckPassphrase(b)
	}
	if err != nil {
		return "", Fail(Usage, fmt.Errorf("%s: %w", what, err), meaning, "run the same command again, or give --passphrase-file")
	}
	return string(b), nil
}

// CheckPassphrase refuses what cannot be a passphrase.
func CheckPassphrase(b []byte) error {
	switch {
	case len(b) == 0:
		return errors.New("there is no passphrase")
	case bytes.ContainsAny(b, "\r\n\x00"):
		return errors.New("there is more than one line")
	case !utf8.Valid(b):
		return errors.New("the passphrase is no UTF-8")
	}
	return nil
}
