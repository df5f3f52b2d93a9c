package verify_test

import (
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// earlier is the id of the case that vectors supplement.
const earlier = "0f0e0d0c0b0a09080706050403020100"

func earlierHead(t *testing.T) string {
	return string(sample.SignHead(t, sample.Key(t, 55), earlier, 14, evidence.Hash{7}))
}

// supplementing adds pairs to the case entry of an unsealed case. Notes are spelt as docs/container.md, 1.2, says.
func supplementing(notes func(*testing.T) []string) func(*testing.T) map[string][]byte {
	return forged(func(t *testing.T, f *sample.Forged) {
		const last = `{"name":"examiner","value":"Jo Example"}`
		more := last
		for _, note := range notes(t) {
			more += `,{"name":"supplements","value":"` + strings.NewReplacer("\n", `\n`, "\u2014", `\u2014`).Replace(note) + `"}`
		}
		batchWith(t, f, `"batch":1,`).Replace(t, last, more)
	})
}

func supplementsRecipes() []recipe {
	one := func(note func(*testing.T) string) func(*testing.T) map[string][]byte {
		return supplementing(func(t *testing.T) []string { return []string{note(t)} })
	}
	signed := func(text string) func(*testing.T) string {
		return func(t *testing.T) string {
			note, err := trust.Sign(t.Context(), text, sample.Key(t, 55))
			if err != nil {
				t.Fatal(err)
			}
			return string(note)
		}
	}
	const root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
	return []recipe{
		{name: "good-supplements", code: "unsealed", exit: 4, about: "a case that states the final head of an earlier one, unsealed", make: one(earlierHead)},
		{name: "supplements-twice", code: "entry-rule", exit: 3, about: "a case that supplements two others", make: supplementing(func(t *testing.T) []string { return []string{earlierHead(t), earlierHead(t)} })},
		{name: "supplements-itself", code: "entry-rule", exit: 3, about: "a case that supplements itself", make: one(signed("exhibit-dfir.github.io/case/" + sample.CaseID + "\n14\n" + root))},
		{name: "supplements-no-note", code: "entry-rule", exit: 3, about: "a case that supplements what is no note", make: one(func(*testing.T) string { return "the earlier case" })},
		{name: "supplements-other-log", code: "entry-rule", exit: 3, about: "a case that supplements the head of another log", make: one(signed("example.com/log\n14\n" + root))},
		{name: "supplements-empty", code: "entry-rule", exit: 3, about: "a case that supplements one without entries", make: one(signed("exhibit-dfir.github.io/case/" + earlier + "\n0\n" + root))},
		{name: "supplements-extension", code: "entry-rule", exit: 3, about: "a case that supplements a head with a line more", make: one(signed("exhibit-dfir.github.io/case/" + earlier + "\n14\n" + root + "more\n"))},
	}
}

// TestSupplements: the report says which case is pinned, and that its signature is not proven.
func TestSupplements(t *testing.T) {
	files := supplementing(func(t *testing.T) []string { return []string{earlierHead(t)} })(t)
	r, _, err := verify.Check(t.Context(), mapFS(files), verify.Options{})
	if err != nil || r.Supplements == nil {
		t.Fatalf("%v, %v", codesOf(r), err)
	}
	s := r.Supplements
	if s.Case != earlier || s.Entries != 14 || s.Root != "07"+strings.Repeat("0", 62) || len(s.Names) != 1 || s.Names[0] != "examiner.example/55" || !strings.Contains(s.Words(), "with that case alone") {
		t.Errorf("%+v", s)
	}
}
