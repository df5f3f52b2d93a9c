package acquire

import (
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
)

// TestReading: as many answers are interpreted at once as there are processors, and of those one that is large; what is read is what there is.
func TestReading(t *testing.T) {
	for _, c := range []struct {
		name         string
		size         int
		chains, want int // that come to the end of the content at once
	}{
		{"small", smallContent - 1, 100, runtime.GOMAXPROCS(0)},
		{"large", smallContent + 1000, 100, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newReading()
				came := make(chan int64, c.chains)
				end := make(chan struct{})
				for range c.chains {
					go func() {
						turn := r.take(strings.NewReader(strings.Repeat("x", c.size)))
						defer turn.done()
						n, err := io.Copy(io.Discard, turn)
						if err != nil {
							n = -1
						}
						came <- n
						<-end
					}()
				}
				synctest.Wait()
				if got := len(came); got != c.want {
					t.Errorf("%d answers are held at once, want %d", got, c.want)
				}
				close(end)
				for range c.chains {
					if n := <-came; n != int64(c.size) {
						t.Errorf("%d bytes read, want %d", n, c.size)
					}
				}
				synctest.Wait()
				if len(r.turns)+len(r.large) != 0 {
					t.Error("a turn was not given back")
				}
			})
		})
	}
}
