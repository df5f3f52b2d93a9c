package verify_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

// named is what docs/threat-model.md and docs/seeds.md must be able to name: tests, and the text of the programs.
type named struct {
	tests   map[string]bool
	program string // Go source of verify, acquire and both commands, without tests
}

// readNamed reads the source.
func readNamed(t *testing.T) named {
	t.Helper()
	n := named{tests: map[string]bool{}}
	var program strings.Builder
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		b, err := os.ReadFile(path)
		switch slash := filepath.ToSlash(path); {
		case strings.HasSuffix(path, "_test.go"):
			for _, m := range declared.FindAllSubmatch(b, -1) {
				n.tests[string(m[1])] = true
			}
		case strings.HasPrefix(slash, "../verify/"), strings.HasPrefix(slash, "../acquire/"), strings.HasPrefix(slash, "../cmd/"):
			program.Write(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	n.program = program.String()
	return n
}

var threatNames = regexp.MustCompile("`(\\[[a-z-]+\\]|Test\\w+|[a-z0-9-]+\\.(?:vector|txtar)|--[a-z-]+)(?: [A-Z]+)?`")

// untrue says what a page says that is not so.
func (n named) untrue(page string, caveats []string) (problems []string) {
	for _, m := range threatNames.FindAllStringSubmatch(page, -1) {
		if !n.there(m[1]) {
			problems = append(problems, m[1]+" is not there")
		}
	}
	quoted := map[string]bool{}
	for line := range strings.Lines(page) {
		if quote, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "> "); ok {
			if quoted[quote] = true; !strings.Contains(n.program, quote) {
				problems = append(problems, "no program says: "+quote)
			}
		}
	}
	for _, c := range caveats {
		if !quoted[c] {
			problems = append(problems, "the page does not quote: "+c)
		}
	}
	return problems
}

// there reports whether a test, vector, script, finding or flag exists.
func (n named) there(name string) bool {
	found := func(patterns ...string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			_, err := os.Stat(filepath.Join("..", filepath.FromSlash(p), name))
			return err == nil
		})
	}
	switch {
	case strings.HasPrefix(name, "Test"):
		return n.tests[name]
	case strings.HasSuffix(name, ".vector"):
		return found("testdata/vectors", "testdata/history")
	case strings.HasSuffix(name, ".txtar"):
		return found("cmd/exhibit/testdata/script", "cmd/exhibit-verify/testdata/script")
	case strings.HasPrefix(name, "["):
		return slices.ContainsFunc(verify.Codes(), func(c verify.Code) bool { return "["+c.Code+"]" == name })
	}
	return strings.Contains(n.program, `"`+strings.TrimPrefix(name, "--")+`"`)
}

// TestThreatModel: what docs/threat-model.md names is there, what it quotes is said, and it quotes every caveat of a verdict.
func TestThreatModel(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := sample.Small(t)
	m.Seal()
	r, _, err := verify.Check(context.Background(), m.Folder.FS(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, page := readNamed(t), string(b)
	if names := len(threatNames.FindAllString(page, -1)); names < 150 || len(r.Caveats) < 5 {
		t.Fatalf("%d names and %d caveats: are they still found?", names, len(r.Caveats))
	}
	for _, problem := range n.untrue(page, r.Caveats) {
		t.Error(problem)
	}
	if v, err := filepath.Glob("../testdata/vectors/*.vector"); err != nil || len(v) < 300 {
		t.Errorf("%d vectors, %v", len(v), err)
	}
	for name, lie := range map[string]string{
		"a test": "`TestNobodyWrote`", "a vector": "`no-such.vector`", "a script": "`no-such.txtar`", "a finding": "`[no-such]`", "a flag": "`--no-such`", "a quotation": "\n> that nothing was cut off\u00a0after the newest head\n",
	} {
		if len(n.untrue(page+lie, r.Caveats)) == 0 {
			t.Errorf("%s that does not exist is not noticed", name)
		}
	}
	if len(n.untrue(strings.Replace(page, r.Caveats[0], "", 1), r.Caveats)) == 0 {
		t.Error("a caveat that is not quoted is not noticed")
	}
}

// TestSeedsDoc: what docs/seeds.md names is there.
func TestSeedsDoc(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "seeds.md"))
	if err != nil {
		t.Fatal(err)
	}
	n, page := readNamed(t), string(b)
	if names := len(threatNames.FindAllString(page, -1)); names < 60 {
		t.Fatalf("%d names: are they still found?", names)
	}
	for _, problem := range n.untrue(page, nil) {
		t.Error(problem)
	}
	if problems := n.untrue(page+"`TestNobodyWrote`", nil); len(problems) != 1 {
		t.Errorf("a test that nobody wrote: %q", problems)
	}
}
