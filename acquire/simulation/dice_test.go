package simulation

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// dice are one stream of chance. Streams of one seed and different names have nothing to do with each other, so that what one actor draws changes nothing
// for another.
type dice struct{ *rand.Rand }

func newDice(seed uint64, name string) dice {
	h := fnv.New64a()
	io.WriteString(h, name)
	return dice{rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// chance is true in percent of a hundred cases.
func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

// between is from low up to, and without, high.
func (d dice) between(low, high time.Duration) time.Duration {
	return low + time.Duration(d.Int64N(int64(high-low)))
}

// number is from low to high.
func (d dice) number(low, high int) int { return low + d.IntN(high-low+1) }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// random is a reader of a stream; it may be used by many.
type random struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func newRandom(seed uint64, name string) *random {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	copy(key[8:], name)
	return &random{r: rand.NewChaCha8(key)}
}

func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.r.Read(p)
}
