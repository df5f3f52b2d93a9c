package killtest

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// target is what an acquisition asks for.
type target string

const (
	mailbox target = ""      // a small mailbox, in one chain of 17 pages
	large   target = "large" // two answers that are larger than what is held in memory of a record
	many    target = "many"  // six chains of four pages, three at once
)

func (of target) chains() int {
	if of == many {
		return 6
	}
	return 1
}

func (of target) set(chain int) string { return fmt.Sprintf("%s-%d", of, chain) }

// same reports whether the records are those wanted, in order where there is one: chains at once have none among them.
func (of target) same(have, want []string) bool {
	if of == many {
		have, want = slices.Sorted(slices.Values(have)), slices.Sorted(slices.Values(want))
	}
	return slices.Equal(have, want)
}

// pages are what the service has besides mailboxes: sets of pages of one record each.
func (s *service) pages() map[string][][]byte {
	sets := map[string][][]byte{}
	random := rand.NewChaCha8([32]byte{5})
	for _, set := range []struct {
		of           target
		pages, bytes int
	}{{large, 2, warc.InlineLimit}, {many, 4, 100}} {
		for chain := range set.of.chains() {
			name := set.of.set(chain)
			for n := range set.pages {
				id := fmt.Sprintf("%s-%d", name, n)
				s.want[set.of] = append(s.want[set.of], id)
				noise := make([]byte, set.bytes)
				_, _ = random.Read(noise) // it never fails
				sets[name] = append(sets[name], fmt.Appendf(nil, `{"value":[{"id":%q,"noise":"%s"}]}`, id, base64.StdEncoding.EncodeToString(noise)))
			}
		}
	}
	return sets
}

// underWay is how many requests a run says may be sent and not recorded: while an answer of one of its short chains waits for the disk, the next one asks.
func (of target) underWay() int { return max(of.chains(), parallel) }
