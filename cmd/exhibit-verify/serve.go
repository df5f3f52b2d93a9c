package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/replay"
)

// Bounds of the server.
const (
	maxConnections = 32
	handshakeTime  = 20 * time.Second
	lingerTime     = time.Second // for a client that is still sending to see why it was refused
	lingerBytes    = 1 << 20
)

// server answers on a listener.
type server struct {
	listener net.Listener
	config   *tls.Config
	archive  *replay.Archive

	mu       sync.Mutex // of talk, open, err and answered
	talk     io.Writer
	open     map[net.Conn]bool // nil once the server ends
	err      error             // that ended it
	answered endView
	slots    chan struct{}
}

func newServer(l net.Listener, cert certificate, archive *replay.Archive, talk io.Writer) *server {
	return &server{listener: l, archive: archive, talk: talk, open: map[net.Conn]bool{}, slots: make(chan struct{}, maxConnections),
		config: &tls.Config{Certificates: []tls.Certificate{cert.Certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}}
}

// run answers until ctx ends, and returns once all connections have ended. An error is one of the evidence.
func (s *server) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, s.stop)
	var all sync.WaitGroup
	for {
		s.slots <- struct{}{}
		conn, err := s.listener.Accept()
		if err != nil {
			<-s.slots
			if ctx.Err() == nil {
				s.mu.Lock()
				s.err = err
				s.mu.Unlock()
				cancel()
			}
			break
		}
		if !s.enter(conn) {
			conn.Close()
			<-s.slots
			continue
		}
		all.Go(func() {
			defer func() { <-s.slots }()
			if err := s.converse(ctx, conn); err != nil && s.fatal(ctx, err) {
				cancel()
			}
			s.leave(conn)
		})
	}
	all.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// stop ends the listening, and all connections.
func (s *server) stop() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		conn.Close()
	}
	s.open = nil
}

func (s *server) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		return false
	}
	s.open[conn] = true
	return true
}

func (s *server) leave(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
}

// fatal notes an error, and reports whether it ends the server: a case that was altered does. Everything else is one answer's affair, which is said.
func (s *server) fatal(ctx context.Context, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !errors.Is(err, verify.ErrChanged) {
		if ctx.Err() == nil {
			fmt.Fprintln(s.talk, cli.EscapeLine("an answer could not be made: "+err.Error()))
		}
		return false
	}
	if s.err == nil {
		s.err = err
	}
	return true
}

// notTLS answers a client that speaks HTTP where TLS is spoken.
const notTLS = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 35\r\nConnection: close\r\n\r\nuse https: TLS alone is spoken here"

// converse speaks with one client.
func (s *server) converse(ctx context.Context, raw net.Conn) error {
	conn := tls.Server(raw, s.config)
	if err := raw.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return nil
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) && plain.Conn != nil {
			_, _ = io.WriteString(plain.Conn, notTLS)
		}
		return nil
	}
	err := s.archive.Serve(ctx, conn, replay.ServeOptions{Now: time.Now, Done: s.tell})
	if conn.SetDeadline(time.Now().Add(lingerTime)) == nil && conn.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, conn, lingerBytes)
	}
	return err
}

func (s *server) tell(a *replay.Answer, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered.add(a.Kind, err == nil)
	tellAnswer(s.talk, a, err)
}
