package verify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// retoldPages is how many pages the story of TestEveryRetelling has.
const retoldPages = 18

// retelling is the story with pages removed, told twice or exchanged.
type retelling struct {
	name  string
	pages []string
}

func retellings() (all []retelling) {
	var pages []string
	for i := range retoldPages {
		pages = append(pages, fmt.Sprintf(`{"value":[{"Id":"p%d","Operation":"MailItemsAccessed"}]}`, i))
	}
	add := func(pages []string, format string, args ...any) {
		all = append(all, retelling{fmt.Sprintf(format, args...), pages})
	}
	add(pages, "as it was")
	for i := range pages {
		add(slices.Delete(slices.Clone(pages), i, i+1), "page %d removed", i)
		add(slices.Insert(slices.Clone(pages), i, pages[i]), "page %d twice", i)
		for j := range i {
			swapped := slices.Clone(pages)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			add(swapped, "pages %d and %d exchanged", j, i)
		}
	}
	return all
}

// TestEveryRetelling is row T3: exchanges are removed, told twice and exchanged, each in every place, and the whole case is made again around them. Without the key the heads are
// those of before, and fit nothing; with another key whoever has pinned the first sees that; with the same key a check that has nothing else finds nothing, and one that has
// the last head sees another history.
func TestEveryRetelling(t *testing.T) {
	tell := func(r retelling, key byte) map[string][]byte {
		s := honest()
		s.pages, s.key = r.pages, key
		return s.tell(t)
	}
	all := retellings()
	before := tell(all[0], caseSeed)
	head, err := verify.ParseKnownHead("kept", before[newestNote(before)])
	if err != nil {
		t.Fatal(err)
	}
	kept, pinned := verify.Options{KnownHeads: []verify.KnownHead{head}}, verify.Options{Keys: []trust.VKey{vkeyOf(t, caseSeed)}}
	check := func(name string, files map[string][]byte, o verify.Options, want int) {
		t.Helper()
		r, c, err := verify.Check(t.Context(), mapFS(files), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.Exit() != want || (c == nil) != (want == verify.ExitDamaged) {
			t.Errorf("%s: exit %d, want %d: %q", name, r.Exit(), want, codesOf(r))
		}
	}
	check("as it was, its head kept", before, kept, verify.ExitVerified)
	check("as it was, its key pinned", before, pinned, verify.ExitVerified)
	tried := 0
	for _, r := range someOf(all[1:]) {
		same, other := tell(r, caseSeed), tell(r, 77)
		check(r.name+", signed again with the same key", same, verify.Options{}, verify.ExitVerified)
		check(r.name+", signed again with the same key, the last head kept", same, kept, verify.ExitDamaged)
		check(r.name+", signed with another key, the first one pinned", other, pinned, verify.ExitUnmet)
		for name, b := range before {
			if strings.HasSuffix(name, ".note") {
				same[name] = b
			}
		}
		check(r.name+", heads left", same, verify.Options{}, verify.ExitDamaged)
		tried += 3
	}
	t.Logf("%d of %d cases", tried, 3*(len(all)-1))
	if tried < 40 {
		t.Errorf("only %d cases", tried)
	}
}
