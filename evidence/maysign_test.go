package evidence_test

import (
	"math"
	"slices"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/crashfs"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

// TestMaySign: a key that an entry allows may sign behind the first head that covers the entry and that a key before it signed, and not because it signed that head itself.
func TestMaySign(t *testing.T) {
	m := sample.New(t, nil)
	first, second := m.Key.VerifierKey(), sample.Key(t, 42).VerifierKey()
	m.Append(&evidence.Draft{Body: &evidence.Key{Action: "allow", Key: second, Text: "x"}}) // entry 1
	if err := m.W.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.Operator(evidence.ActionNote, "a remark")
	m.Seal()
	may := func(files map[string][]byte, size int64) (keys []string) {
		t.Helper()
		f := crashfs.New()
		for name, b := range files {
			f.Put(name, b)
		}
		list, err := evidence.MaySign(t.Context(), f.FS(), size)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range list {
			keys = append(keys, k.String())
		}
		return keys
	}
	f := m.Forge()
	whole := m.Folder.Files()
	f.Key = sample.Key(t, 42)
	forged := f.Build(t)
	for name, c := range map[string]struct {
		files map[string][]byte
		size  int64
		want  []string
	}{
		"a head that covers the entry":       {whole, 2, []string{first}},
		"a head behind it":                   {whole, 3, []string{first, second}},
		"package.note":                       {whole, math.MaxInt64, []string{first, second}},
		"a head that it signed itself":       {forged, 2, []string{first}},
		"a head behind one it signed itself": {forged, 3, []string{first}},
		"package.note of such a case":        {forged, math.MaxInt64, []string{first}},
	} {
		if got := may(c.files, c.size); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
