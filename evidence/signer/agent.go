package signer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// Agent is a key in an ssh-agent. It may be used by many goroutines.
//
// BUG: an agent on Windows listens on a named pipe, which package net does not
// open; one behind a Unix socket works there too.
type Agent struct {
	o   AgentOptions
	pub ssh.PublicKey
}

// AgentOptions say which key of which agent signs.
type AgentOptions struct {
	Socket  string        // path of the agent's socket, as SSH_AUTH_SOCK gives it
	Key     trust.VKey    // that signs
	Timeout time.Duration // for one answer of the agent, who may ask a person; above 0
}

// NewAgent finds the key in the agent. Every failure matches [ErrSigner], but for
// ctx's.
func NewAgent(ctx context.Context, o AgentOptions) (*Agent, error) {
	if o.Socket == "" {
		return nil, fmt.Errorf("%w: no ssh-agent is known: SSH_AUTH_SOCK is not set", ErrSigner)
	}
	pub, err := o.Key.SSHKey()
	if err != nil {
		return nil, err
	}
	a := &Agent{o, pub}
	err = a.ask(ctx, func(c agent.ExtendedAgent) error {
		keys, err := c.List()
		if err != nil {
			return err
		}
		for _, k := range keys {
			if bytes.Equal(k.Blob, pub.Marshal()) {
				return nil
			}
		}
		return fmt.Errorf("it holds %d keys, and %s is none of them", len(keys), ssh.FingerprintSHA256(pub))
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// VerifierKey is the key that signs.
func (a *Agent) VerifierKey() string { return a.o.Key.String() }

// Sign has the agent sign msg, which is not hashed before. Every failure matches
// [ErrSigner], but for ctx's.
func (a *Agent) Sign(ctx context.Context, msg []byte) ([]byte, error) {
	var out []byte
	err := a.ask(ctx, func(c agent.ExtendedAgent) error {
		sig, err := c.Sign(a.pub, msg)
		if err != nil {
			return err
		}
		if sig.Format != ssh.KeyAlgoED25519 || len(sig.Blob) != ed25519.SignatureSize || len(sig.Rest) > 0 {
			return fmt.Errorf("it answered with %d bytes of %q, want a plain Ed25519 signature", len(sig.Blob), sig.Format)
		}
		out = sig.Blob
		return nil
	})
	return out, err
}

// ask opens a connection for one question: an agent may be started again in the
// course of a long acquisition.
func (a *Agent) ask(ctx context.Context, question func(agent.ExtendedAgent) error) error {
	asking, cancel := context.WithTimeout(ctx, a.o.Timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(asking, "unix", a.o.Socket)
	if err == nil {
		defer conn.Close()
		defer context.AfterFunc(asking, func() { conn.Close() })()
		err = question(agent.NewClient(conn))
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(asking.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %v", a.o.Timeout)
	}
	return fmt.Errorf("%w: ssh-agent at %q: %w", ErrSigner, a.o.Socket, err)
}
