// Mutate switches the checks of verify off, one at a time, and runs the vectors: each check that is off must turn at least one red.
//
//	go run ./testdata/mutate                 all of them
//	go run ./testdata/mutate -part 3/20      the 3rd of every 20
//	go run ./testdata/mutate -only ID …      those with such an id, or of such a file or function: "verify/check.go checker.holes 1"
//	go run ./testdata/mutate -list           where they are; nothing is run
//
// A check is a place that reports a finding: a call or an append, which go/ast finds (sites.go). Each gets a switch around it, all in one test program that an
// overlay makes, so that no file is touched, nothing is compiled twice, and what does not compile is noticed at once. The program holds the vectors, which it reads once, against itself with no switch
// on, with all, and with one after the other (inside/mutants_test.go). What no vector notices must be in survivors.txt: with the test that does, which is run then, in a process of its own, or with
// a reason why nothing can. It exits with 1 if anything else survives, if something in that list does not, and if a check that it plants itself, and that no vector covers, is not among the survivors.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// limit is how long the vectors, or a test, may take with one check off: that may make another one loop.
const limit = 2 * time.Minute

func main() {
	list := flag.Bool("list", false, "list the places and run nothing")
	part := flag.String("part", "1/1", "the k-th of every n places, as k/n")
	var only []string
	flag.Func("only", "the places with this `id`, or of this file or function of a file; may be given again", func(id string) error { only = append(only, id); return nil })
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*list, *part, only); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(list bool, part string, only []string) error {
	root, module, err := module()
	if err != nil {
		return err
	}
	sources, sites, err := all(root)
	if err != nil {
		return err
	}
	listed, err := readSurvivors(filepath.Join(root, "testdata/mutate/survivors.txt"), sites)
	if err != nil {
		return err
	}
	wanted, err := choose(sites, part, only)
	if err != nil {
		return err
	}
	if list {
		for _, i := range wanted {
			fmt.Printf("%d\t%s\tline %d\t%s\n", i, sites[i].ID, sites[i].Line, sites[i].Text)
		}
		return nil
	}
	own := slices.IndexFunc(sites, func(s site) bool { return s.ID == planted })
	if own < 0 {
		return errors.New("nothing was planted: has the function gone that it is put into?")
	}
	wanted = append(wanted, own)
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := build(root, module, dir, sources)
	if err != nil {
		return err
	}
	r := runner{program: program, dir: filepath.Join(root, "verify")}
	fates, err := r.fates(sites, wanted, listed)
	if err != nil {
		return err
	}
	return report(sites, wanted, fates, listed)
}

// choose lists the numbers of the sites to try: the k-th of every n, of those that an id in only names or all if there is none.
func choose(sites []site, part string, only []string) (wanted []int, err error) {
	var k, n int
	if _, err := fmt.Sscanf(part, "%d/%d", &k, &n); err != nil || k < 1 || n < k || part != fmt.Sprintf("%d/%d", k, n) {
		return nil, fmt.Errorf("part %q: it is k/n, k from 1 to n", part)
	}
	named := map[string]bool{}
	for i, s := range sites {
		among := len(only) == 0
		for _, id := range only {
			if s.ID == id || strings.HasPrefix(s.ID, id+" ") {
				named[id], among = true, true
			}
		}
		if among && i%n == k-1 && s.ID != planted {
			wanted = append(wanted, i)
		}
	}
	for _, id := range only {
		if !named[id] {
			return nil, fmt.Errorf("no place is called %q; -list names them", id)
		}
	}
	return wanted, nil
}

// module finds the root and the name of the module that the working folder is in.
func module() (root, name string, err error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}\n{{.Path}}").Output()
	if err != nil {
		return "", "", fmt.Errorf("go list: %w", err)
	}
	root, name, _ = strings.Cut(strings.TrimSpace(string(out)), "\n")
	return root, name, nil
}

// all lists the sites of all packages. The number of a site is its index.
func all(root string) ([]source, []site, error) {
	var sources []source
	var sites []site
	for _, pkg := range []string{"verify", "evidence", "evidence/custody", "evidence/bag"} {
		of, err := load(root, pkg)
		if err != nil {
			return nil, nil, err
		}
		if len(of) == 0 {
			return nil, nil, fmt.Errorf("package %s reports nothing: are its reporters called otherwise now?", pkg)
		}
		for _, s := range of {
			sites = append(sites, s.Sites...)
		}
		sources = append(sources, of...)
	}
	return sources, sites, nil
}

// build makes the test program of verify with a switch around each site.
func build(root, module, dir string, sources []source) (program string, err error) {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	put := func(path string, text []byte) error {
		at := filepath.Join(dir, fmt.Sprintf("%d.go", len(overlay.Replace)))
		overlay.Replace[filepath.Join(root, filepath.FromSlash(path))] = at
		return os.WriteFile(at, text, 0o600)
	}
	overlay.Replace[filepath.Join(root, "verify/mutants_test.go")] = filepath.Join(root, "testdata/mutate/inside/mutants_test.go")
	err = put("mutant/mutant.go", []byte(switches))
	first := 0
	for _, s := range sources {
		err = errors.Join(err, put(s.Path, s.switchable(module, first)))
		first += len(s.Sites)
	}
	text, jsonErr := json.Marshal(overlay)
	at := filepath.Join(dir, "overlay.json")
	if err = errors.Join(err, jsonErr, os.WriteFile(at, text, 0o600)); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "verify.test")
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-overlay", at, "-o", program, "./verify")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("a switch does not compile: %w\n%s", err, out)
	}
	return program, nil
}
