package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// runner runs the program.
type runner struct{ program, dir string }

// nobody is what stands for the vector where none noticed.
const nobody = "-"

// command runs tests of the program, with a site off.
func (r runner) command(ctx context.Context, tests string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, r.program, "-test.run", tests, "-test.timeout", "0")
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), env...)
	return cmd
}

// vectors says for each site which vector notices that it is off. A site at which the process ends is noticed, and another process goes on behind it. Each process shows
// first that all vectors pass as they are, and that they notice a verifier that reports nothing.
func (r runner) vectors(sites []string) (map[string]string, error) {
	noticed := map[string]string{}
	for len(sites) > 0 {
		n, err := r.some(sites, noticed)
		if err == nil && (noticed["none"] != nobody || noticed["all"] == nobody) {
			err = fmt.Errorf("with nothing off %q notices, with everything %q", noticed["none"], noticed["all"])
		}
		if err != nil {
			return nil, err
		}
		sites = sites[n:]
	}
	return noticed, nil
}

// some is vectors, up to the first site at which the process ends. It says how many sites that were.
func (r runner) some(sites []string, noticed map[string]string) (n int, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd := r.command(ctx, "^TestMutants$", "EXHIBIT_MUTANTS="+strings.Join(sites, " "))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	watch := time.AfterFunc(limit, cancel)
	defer watch.Stop()
	expected := slices.Concat([]string{"none", "all"}, sites)
	for lines := bufio.NewScanner(out); lines.Scan() && n < len(expected); {
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "mutant" && f[1] == expected[n] {
			watch.Reset(limit)
			noticed[expected[n]] = f[2]
			n++
		}
	}
	err = cmd.Wait()
	switch {
	case n == len(expected):
		return len(sites), nil
	case n >= 2 && ctx.Err() != nil:
		noticed[expected[n]] = "it does not end"
	case n >= 2 && bytes.Contains(errs.Bytes(), []byte("goroutine ")):
		noticed[expected[n]] = "it panics"
	default:
		return 0, fmt.Errorf("the vectors ended at %s: %v\n%s", expected[n], err, errs.Bytes())
	}
	return n - 1, nil
}

// test runs one test with a site off, and reports whether it notices.
func (r runner) test(off, name string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	out, err := r.command(ctx, "^"+name+"$", "EXHIBIT_MUTANT="+off).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil && bytes.Contains(out, []byte("no tests to run")):
		return false, fmt.Errorf("no test is called %s", name)
	case err != nil && ctx.Err() == nil && !errors.As(err, &exit):
		return false, err
	}
	return err != nil, nil
}

// fate is who noticed that a site was off.
type fate struct{ kind, by string }

// fates switches the wanted sites off, one at a time, on all processors.
func (r runner) fates(sites []site, wanted []int, listed map[string]survivor) ([]fate, error) {
	out, errs := make([]fate, len(wanted)), make([]error, len(wanted))
	n := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for k := range n {
		group.Go(func() {
			var mine []string
			for i := k; i < len(wanted); i += n {
				mine = append(mine, strconv.Itoa(wanted[i]))
			}
			noticed, err := r.vectors(mine)
			for i := k; i < len(wanted); i += n {
				if err != nil {
					errs[i] = err
					return
				}
				if out[i] = (fate{"vector", noticed[strconv.Itoa(wanted[i])]}); out[i].by == nobody {
					out[i], errs[i] = r.elsewhere(wanted[i], listed[sites[wanted[i]].ID])
				}
			}
		})
	}
	group.Wait()
	return out, errors.Join(errs...)
}

// elsewhere asks the test that is listed for a site that no vector notices.
func (r runner) elsewhere(n int, s survivor) (fate, error) {
	if s.test == "" {
		return fate{"survived", ""}, nil
	}
	before, err := r.test("none", s.test)
	if err == nil && before {
		err = fmt.Errorf("%s fails with nothing off", s.test)
	}
	if err != nil {
		return fate{}, err
	}
	noticed, err := r.test(strconv.Itoa(n), s.test)
	if !noticed {
		return fate{"survived", ""}, err
	}
	return fate{"test", s.test}, err
}

// report prints what became of the wanted sites, and fails where one is not as it should be.
func report(sites []site, wanted []int, fates []fate, listed map[string]survivor) error {
	by, wrong := map[string]int{}, []string{}
	for i, n := range wanted {
		s, f := sites[n], fates[i]
		if s.ID == planted {
			if judge(s.ID, f, listed) == "" {
				wrong = append(wrong, s.ID+": it was planted, no vector covers it, and it is not reported")
			}
			continue
		}
		by[f.kind]++
		fmt.Printf("%s\t%s\t%s\t%s\n", f.kind, s.ID, f.by, s.Text)
		if problem := judge(s.ID, f, listed); problem != "" {
			wrong = append(wrong, problem)
		}
	}
	fmt.Printf("%d of %d places: a vector noticed %d, another test %d; %d survived\n", by["vector"]+by["test"]+by["survived"], len(sites)-1, by["vector"], by["test"], by["survived"])
	if len(wrong) > 0 {
		return errors.New(strings.Join(slices.Compact(wrong), "\n"))
	}
	return nil
}
