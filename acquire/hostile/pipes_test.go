package hostile

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// pipes are connections in memory, for bubbles in which time is simulated: a server whose requests are answered by talk.
type pipes struct {
	open func(net.Conn) (net.Conn, error) // the server's side of a new connection; nil for as it is
	talk func(c net.Conn, r *request) (keep bool)

	wg    sync.WaitGroup
	mu    sync.Mutex
	n     int
	conns []net.Conn
}

func newPipes(talk func(net.Conn, *request) bool) *pipes { return &pipes{talk: talk} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.mu.Lock()
	p.conns = append(p.conns, there)
	conn := len(p.conns)
	p.mu.Unlock()
	p.wg.Go(func() {
		defer there.Close()
		c := there
		if p.open != nil {
			var err error
			if c, err = p.open(c); err != nil {
				return
			}
		}
		in := bufio.NewReader(c)
		for {
			r, err := readRequest(in)
			if err != nil {
				return
			}
			p.mu.Lock()
			p.n++
			r.conn, r.n = conn, p.n
			p.mu.Unlock()
			if !p.talk(c, r) {
				if s, ok := c.(*tls.Conn); ok {
					s.CloseWrite()
				}
				return
			}
		}
	})
	return here, nil
}

// close ends all connections and waits for the server.
func (p *pipes) close() {
	p.mu.Lock()
	for _, c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func newReader(c net.Conn) *bufio.Reader { return bufio.NewReader(c) }
