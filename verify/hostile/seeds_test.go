//go:build linux

package hostile

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// leastSeeds is how many seeds each fuzz target has at least.
const leastSeeds = 3

// subjects names what must be fuzzed and the target that does it (row B10).
func subjects() map[string]string {
	return map[string]string{
		"frames":                "evidence/warc/FuzzReader",
		"WARC headers":          "evidence/warc/FuzzHeader",
		"HTTP responses":        "evidence/httpblock/FuzzResponse",
		"HTTP requests":         "evidence/httpblock/FuzzRequest",
		"batches":               "evidence/FuzzBatch",
		"entries":               "evidence/FuzzEntry",
		"notes":                 "evidence/trust/FuzzNote",
		"heads":                 "evidence/trust/FuzzHead",
		"cosignatures":          "evidence/trust/FuzzCosignatures",
		"timestamps":            "evidence/trust/rfc3161/FuzzParse",
		"custody records":       "evidence/custody/FuzzRecord",
		"productions":           "verify/FuzzProduction",
		"bbolt files":           "evidence/boltread/FuzzEdits",
		"rows of the index":     "evidence/ledger/row/FuzzDecode",
		"manifests":             "evidence/bag/FuzzManifest",
		"bag-info.txt":          "evidence/bag/FuzzBagInfo",
		"packed cases":          "evidence/bag/FuzzZip",
		"extraction, JSON":      "verify/extract/FuzzWalk",
		"filters":               "evidence/odata/FuzzParse",
		"queries":               "evidence/odata/FuzzParseQuery",
		"CSV and JSONL writers": "verify/export/FuzzWriters",
		"cells":                 "verify/export/FuzzNeutralise",
		"terminals":             "cmd/cli/FuzzEscape",
		"whole cases":           "verify/FuzzCheck",
		"pages":                 "acquire/listing/FuzzRead",
		"links":                 "acquire/FuzzLinks",
		"URLs":                  "acquire/wire/FuzzURL",
		"answers":               "acquire/wire/FuzzAnswer",
	}
}

// unseeded says what is wrong with targets and their seeds below a folder: a subject without its target, a target without its folder, or with too few or
// broken seeds in it.
func unseeded(files fs.FS, subjects map[string]string) (wrong []string, found int, err error) {
	function := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	targets := map[string]bool{}
	err = fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		b, err := fs.ReadFile(files, name)
		for _, m := range function.FindAllSubmatch(b, -1) {
			targets[path.Join(path.Dir(name), string(m[1]))] = true
		}
		return err
	})
	for subject, target := range subjects {
		if !targets[target] {
			wrong = append(wrong, fmt.Sprintf("%s: no target %s", subject, target))
			targets[target] = true // its seeds are looked for as well
		}
	}
	for target := range targets {
		dir, name := path.Split(target)
		seeds, _ := fs.ReadDir(files, path.Join(dir, "testdata/fuzz", name))
		if len(seeds) < leastSeeds {
			wrong = append(wrong, fmt.Sprintf("%s: %d seeds in its folder", target, len(seeds)))
		}
		for _, s := range seeds {
			if b, err := fs.ReadFile(files, path.Join(dir, "testdata/fuzz", name, s.Name())); err != nil || !strings.HasPrefix(string(b), "go test fuzz v1\n") {
				wrong = append(wrong, fmt.Sprintf("%s: %s is no seed", target, s.Name()))
			}
		}
	}
	return wrong, len(targets), err
}

// TestSeeds holds every fuzz target of the repository against its folder of seeds.
func TestSeeds(t *testing.T) {
	wrong, found, err := unseeded(os.DirFS("../.."), subjects())
	if err != nil || found < len(subjects()) {
		t.Fatalf("%d targets, %v", found, err)
	}
	for _, w := range wrong {
		t.Error(w)
	}
	t.Logf("%d targets", found)
}

// TestSeedsHarness takes folder, seeds and target away.
func TestSeedsHarness(t *testing.T) {
	seed := &fstest.MapFile{Data: []byte("go test fuzz v1\n[]byte(\"\")\n")}
	whole := func() fstest.MapFS {
		return fstest.MapFS{"a/x_test.go": {Data: []byte("package a\n\nfunc FuzzX(f *testing.F) {\n")},
			"a/testdata/fuzz/FuzzX/1": seed, "a/testdata/fuzz/FuzzX/2": seed, "a/testdata/fuzz/FuzzX/3": seed}
	}
	list := map[string]string{"x": "a/FuzzX"}
	if wrong, _, err := unseeded(whole(), list); err != nil || len(wrong) > 0 {
		t.Fatalf("a whole set: %q, %v", wrong, err)
	}
	for planted, take := range map[string]func(fstest.MapFS){
		"the folder is missing":   func(m fstest.MapFS) { clear(m); m["a/x_test.go"] = whole()["a/x_test.go"] },
		"a seed is missing":       func(m fstest.MapFS) { delete(m, "a/testdata/fuzz/FuzzX/2") },
		"a seed is empty":         func(m fstest.MapFS) { m["a/testdata/fuzz/FuzzX/2"] = &fstest.MapFile{} },
		"the target is missing":   func(m fstest.MapFS) { delete(m, "a/x_test.go") },
		"the folder is renamed":   func(m fstest.MapFS) { m["a/y_test.go"] = &fstest.MapFile{Data: []byte("func FuzzY(f *testing.F) {\n")} },
		"the target is renamed":   func(m fstest.MapFS) { m["a/x_test.go"] = &fstest.MapFile{Data: []byte("func FuzzY(f *testing.F) {\n")} },
		"the package was moved":   func(m fstest.MapFS) { m["b/x_test.go"] = m["a/x_test.go"]; delete(m, "a/x_test.go") },
		"a folder holds a folder": func(m fstest.MapFS) { m["a/testdata/fuzz/FuzzX/4/5"] = seed },
	} {
		m := whole()
		take(m)
		if wrong, _, err := unseeded(m, list); err != nil || len(wrong) == 0 {
			t.Errorf("planted: %s: not caught (%v)", planted, err)
		}
	}
}
