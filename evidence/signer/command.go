package signer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// Bounds of what a command may print, in bytes.
const (
	maxOut = 1 << 10
	maxErr = 64 << 10
)

// Command is a program that signs: it gets the bytes to sign on its standard input
// and writes the signature to its standard output, 64 bytes in base64 (RFC 4648,
// section 4, with padding: 88 characters) and, if it likes, the end of a line. It
// is run once for each signature, without arguments and without a shell. It may be
// used by many goroutines.
type Command struct {
	Path    string        // of the program
	Key     trust.VKey    // that it signs with
	Timeout time.Duration // for one signature; above 0
	Stderr  io.Writer     // gets what the command says there, up to 64 KiB each time; text of another program, to be escaped
}

// VerifierKey is the key that signs.
func (c *Command) VerifierKey() string { return c.Key.String() }

// Sign runs the command. Every failure matches [ErrSigner], but for ctx's. Whoever
// runs it hears of a signature that is not one over msg from
// [trust.Sign].
func (c *Command) Sign(ctx context.Context, msg []byte) ([]byte, error) {
	running, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(running, c.Path)
	cmd.Stdin = bytes.NewReader(msg)
	cmd.Stdout = &limited{w: &out, left: maxOut}
	cmd.Stderr = &limited{w: c.Stderr, left: maxErr, drop: true}
	cmd.WaitDelay = time.Second // a child of the command may hold its output open
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(running.Err(), context.DeadlineExceeded) && err != nil:
		err = fmt.Errorf("it was stopped after %v", c.Timeout)
	case err == nil:
		var sig []byte
		if sig, err = parseSignature(out.Bytes()); err == nil {
			return sig, nil
		}
	}
	return nil, fmt.Errorf("%w: command %q: %w", ErrSigner, c.Path, err)
}

// parseSignature reads base64 in its one spelling.
func parseSignature(out []byte) ([]byte, error) {
	line := bytes.TrimSuffix(bytes.TrimSuffix(out, []byte("\n")), []byte("\r"))
	sig, err := base64.StdEncoding.Strict().DecodeString(string(line))
	if err != nil || len(sig) != ed25519.SignatureSize || bytes.ContainsAny(line, "\r\n") {
		return nil, fmt.Errorf("it wrote %d bytes to standard output that are not the base64 of a signature of %d bytes", len(out), ed25519.SignatureSize)
	}
	return sig, nil
}

// limited passes on so many bytes. What comes then is dropped, or fails.
type limited struct {
	w    io.Writer
	left int
	drop bool
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left && !l.drop {
		return 0, errors.New("too much output")
	}
	keep := p[:min(len(p), l.left)]
	l.left -= len(keep)
	if len(keep) > 0 && l.w != nil {
		if n, err := l.w.Write(keep); err != nil {
			return n, err
		}
	}
	return len(p), nil
}
