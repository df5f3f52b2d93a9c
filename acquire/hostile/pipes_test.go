package hostile

import (
	"bufio"
	"context"
	"net"
	"sync"
)

// pipes are connections in memory, for bubbles in which time is simulated: a server whose n-th request, over all connections, is answered by talk.
type pipes struct {
	open func(net.Conn) (net.Conn, error) // the server's side of a new connection; nil for as it is
	talk func(c net.Conn, n int) (keep bool)

	wg    sync.WaitGroup
	mu    sync.Mutex
	n     int
	conns []net.Conn
}

func newPipes(talk func(net.Conn, int) bool) *pipes { return &pipes{talk: talk} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.mu.Lock()
	p.conns = append(p.conns, there)
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
			if _, err := readRequest(in); err != nil {
				return
			}
			p.mu.Lock()
			p.n++
			n := p.n
			p.mu.Unlock()
			if !p.talk(c, n) {
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
