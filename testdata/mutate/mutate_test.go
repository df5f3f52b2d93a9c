package main

import (
	"go/format"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/verify"
)

const sample = `package sample

import "fmt"

func (r *Report) add(f Finding) { r.Findings = append(r.Findings, f) }

func (c *checker) look() error {
	bad := func(format string) { c.r.find("code", format) }
	bad("one")
	switch {
	case c.x:
		c.r.add(Finding{Code: "two",
			Seq: 1})
	case c.y:
		c.pages.add(entry)
	}
	c.faults = append(c.faults, ofFault(f))
	c.names = append(c.names, name)
	if err := c.fault("three"); err != nil {
		return err
	}
	fmt.Println("not this")
	return c.fault("four")
}
`

// TestSites finds each form of a report and no other, by hand.
func TestSites(t *testing.T) {
	s, err := parse("p/a.go", []byte(sample), []string{"add", "bad", "find", "fault"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`bad("one")`, `c.r.add(Finding{Code: "two", Seq: 1})`, `c.faults = append(c.faults, ofFault(f))`, `c.fault("three")`, `c.fault("four")`}
	var got []string
	for _, site := range s.Sites {
		got = append(got, site.Text)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s", strings.Join(got, "\n"))
	}
	if id := s.Sites[1].ID; id != "p/a.go checker.look 2" {
		t.Errorf("the second is %q", id)
	}
	out := string(s.switchable("example.org/m", 7))
	for _, part := range []string{"package sample; import \"example.org/m/mutant\"\n", `if !mutant.Off(7) { bad("one") }`, `if err := mutant.Value(10, func() error { return c.fault("three") }); err != nil {`,
		`return mutant.Value(11, func() error { return c.fault("four") })`} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in\n%s", part, out)
		}
	}
	if _, err := format.Source([]byte(out)); err != nil {
		t.Error(err)
	}
	if strings.Count(out, "\n") != strings.Count(sample, "\n") {
		t.Error("lines moved")
	}
}

// TestEveryCodeHasASite holds the codes that a check knows against the places: one that none of them names is not tried.
func TestEveryCodeHasASite(t *testing.T) {
	elsewhere := map[string]string{
		"findings-capped":  "in the reporter itself: TestFindingsAreCapped",
		"zip-form":         "by ofZip",
		"known-head-unmet": "by unmet, of which each call is a place",
		"witness-form":     "by form, likewise",
	}
	var text strings.Builder
	for _, pkg := range []string{"verify", "evidence", "evidence/custody", "evidence/bag"} {
		sources, err := load("../..", pkg)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sources {
			for _, site := range s.Sites {
				text.WriteString(site.Text + "\n")
			}
		}
	}
	for _, c := range verify.Codes() {
		if passedOn(c.Code) || elsewhere[c.Code] != "" || strings.Contains(text.String(), `"`+c.Code+`"`) {
			continue
		}
		t.Errorf("no place names %s: is there a reporter that sites.go does not know?", c.Code)
	}
}

// passedOn reports whether a code is that of another package, which a place takes over from an error or a problem.
func passedOn(code string) bool {
	for _, prefix := range []string{"frame-", "record-", "bag-", "custody-", "window-", "path-"} {
		if strings.HasPrefix(code, prefix) {
			return true
		}
	}
	return false
}

// TestJudge notices each way in which a run can be wrong.
func TestJudge(t *testing.T) {
	vector, test, survived := fate{"vector", "head-root"}, fate{"test", "TestHeads"}, fate{"survived", ""}
	listed := map[string]survivor{"reason": {reason: "no case can"}, "test": {test: "TestHeads"}}
	for _, c := range []struct {
		id    string
		fate  fate
		wrong bool
	}{
		{"reason", survived, false}, {"reason", vector, true}, {"test", test, false}, {"test", survived, true}, {"test", vector, true}, {"new", vector, false}, {"new", survived, true},
	} {
		if got := judge(c.id, c.fate, listed) != ""; got != c.wrong {
			t.Errorf("%s, %v: wrong %v", c.id, c.fate, got)
		}
	}
}

// TestReport fails if a check that survives is not listed, and if the planted one is noticed: a run in which that can be is worth nothing.
func TestReport(t *testing.T) {
	sites := []site{{ID: "a"}, {ID: planted}}
	vector, survived := fate{"vector", "head-root"}, fate{"survived", ""}
	for _, c := range []struct {
		a, own fate
		want   string
	}{{vector, survived, ""}, {survived, survived, "a: nothing notices"}, {vector, vector, "it was planted"}} {
		err := report(sites, []int{0, 1}, []fate{c.a, c.own}, nil)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, planted %v: %v", c.a, c.own, err)
		}
	}
}

// TestChoose picks every n-th, and by id, function and file. A name that nothing has is an error: what was meant would not be tried.
func TestChoose(t *testing.T) {
	sites := []site{{ID: "a.go f 1"}, {ID: "a.go f 10"}, {ID: "a.go ff 1"}, {ID: "b.go f 1"}}
	for _, c := range []struct {
		part string
		only []string
		want []int
	}{
		{"1/1", nil, []int{0, 1, 2, 3}}, {"2/3", nil, []int{1}}, {"1/1", []string{"a.go f 1"}, []int{0}}, {"1/1", []string{"a.go f"}, []int{0, 1}},
		{"1/1", []string{"b.go", "a.go ff 1"}, []int{2, 3}}, {"1/2", []string{"a.go"}, []int{0, 2}},
	} {
		if got, err := choose(sites, c.part, c.only); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("part %s of %q: %v, %v, want %v", c.part, c.only, got, err, c.want)
		}
	}
	for _, part := range []string{"", "0/2", "3/2", "1/2x", "1"} {
		if _, err := choose(sites, part, nil); err == nil {
			t.Errorf("part %q is accepted", part)
		}
	}
	if _, err := choose(sites, "1/1", []string{"a.go f 1", "a.go g"}); err == nil {
		t.Error("a name that nothing has is accepted")
	}
}

// TestSurvivors reads the list, and refuses one that says nothing.
func TestSurvivors(t *testing.T) {
	_, sites, err := all("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readSurvivors("survivors.txt", sites); err != nil {
		t.Error(err)
	}
	known := sites[0].ID
	for _, text := range []string{known, known + ": ", known + ": why\n" + known + ": TestWhy", "verify/nowhere.go f 1: why"} {
		path := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readSurvivors(path, sites); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// TestVectors goes on behind a site at which the process ends, and believes no process of which the vectors fail as they are, or notice nothing at all, or that ends for no reason.
func TestVectors(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NOT TESTED: the program is a script, which Windows does not run")
	}
	const sites = "for s in $EXHIBIT_MUTANTS; do if [ $s = 3 ]; then echo 'goroutine 7 [running]:' >&2; exit 2; fi; echo mutant $s v$s; done; echo PASS\n"
	for _, c := range []struct {
		script string
		want   map[string]string // nil for an error
	}{
		{"echo mutant none -; echo mutant all a\n" + sites, map[string]string{"none": "-", "all": "a", "1": "v1", "3": "it panics", "4": "v4"}},
		{"echo mutant none x; echo mutant all a\n" + sites, nil},
		{"echo mutant none -; echo mutant all -\n" + sites, nil},
		{"echo goroutine >&2; exit 2\n", nil},
		{"echo mutant none -; echo mutant all a; echo mutant 1 -; exit 1\n", nil},
		{"echo mutant none -; echo mutant all a; echo mutant 4 -; echo mutant 3 -; echo mutant 1 -\n", nil},
	} {
		dir := t.TempDir()
		program := filepath.Join(dir, "program")
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+c.script), 0o700); err != nil {
			t.Fatal(err)
		}
		got, err := runner{program, dir}.vectors([]string{"1", "3", "4"})
		if (err != nil) != (c.want == nil) || err == nil && !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", c.script, got, err)
		}
	}
}
