package historic

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// inNeither is what Python finds of the pages in neither the file nor the list, the last line last.
func inNeither(t *testing.T, pages []string, csv, losses string) []string {
	t.Helper()
	var in strings.Builder
	for _, p := range pages {
		fmt.Fprintf(&in, "%d\n%s", len(p), p)
	}
	dir := t.TempDir()
	var names []string
	for name, text := range map[string]string{"1": in.String(), "2": csv, "3": losses} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"1", "2", "3"} {
		names = append(names, filepath.Join(dir, name))
	}
	out := tool(t, "", "python3", append([]string{"testdata/whole.py"}, names...)...)
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// TestWhole: each activity can be had back from the file and the list of what it leaves out, whatever it holds and whether it has a row: Python does it.
func TestWhole(t *testing.T) {
	m := &maker{Rand: rand.New(rand.NewPCG(2018, 8)), then: newPrintable(), now: pythonPrintable(t), wild: true}
	pages := append(m.pages(4, 250), page(`"text"`, `{"Id":"o"}`, `[{"q":1,"q":2.50}]`, "null", "-0"))
	for _, f := range Formats() {
		csv, losses := written(t, f, pages, nil)
		if got := inNeither(t, pages, csv, losses); len(got) != 1 || got[0] != "1005 of 1005" {
			t.Errorf("%s: %d lines, the last one is %s, the first %.3000s", f.Name, len(got), got[len(got)-1], got[0])
		}
		for _, why := range []string{"", WhyNotAnObject, WhyProperties, WhySurrogate} {
			if !strings.Contains(losses, fmt.Sprintf(`,"why":%q,`, why)) {
				t.Errorf("%s: no record for %q", f.Name, why)
			}
		}
		for name, spoil := range map[string][2]string{
			"nothing is missing":          {`"missing":\["[^\]]*\]`, `"missing":[]`},
			"no member is listed":         {`"members":\{.*\},"missing"`, `"members":{},"missing"`},
			"a number is in another form": {`2\.50`, `2.5`},
		} {
			spoiled := regexp.MustCompile(spoil[0]).ReplaceAllString(losses, spoil[1])
			if got := inNeither(t, pages, csv, spoiled); len(got) < 2 {
				t.Errorf("%s: planted fault is not noticed: %s", f.Name, name)
			}
		}
	}
}
