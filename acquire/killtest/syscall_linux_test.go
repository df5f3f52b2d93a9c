package killtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// writeCalls are the system calls that the programs change files with.
const writeCalls = "write,pwrite64,fsync,fdatasync,ftruncate,renameat,renameat2"

// traced is a command of the program that is killed at a system call.
type traced struct {
	name string
	base string
	args func(*service, string) []string
}

func tracedCommands() []traced {
	return []traced{
		{"acquire", "new", (*service).acquireArgs},
		{"resume", "killed", (*service).acquireArgs},
		{"seal", "acquired", (*service).sealArgs},
	}
}

// strace runs a command of the program under strace, which kills it where inject says. It returns the trace.
func (s *service) strace(bin, dir string, c traced, inject ...string) (trace string, died bool, err error) {
	cmd, err := s.program(bin, "exhibit", c.args(s, dir)...)
	if err != nil {
		return "", false, err
	}
	path := filepath.Join(dir, "trace")
	tool, err := exec.LookPath("strace")
	if err != nil {
		return "", false, err
	}
	args := append([]string{"strace", "-f", "-qq", "-y", "-o", path, "-e", "signal=none", "-e", "trace=" + writeCalls}, inject...)
	cmd.Path, cmd.Args = tool, append(append(args, cmd.Path), cmd.Args[1:]...)
	var talk bytes.Buffer
	cmd.Stderr = &talk
	err = cmd.Run()
	text, readErr := os.ReadFile(path)
	if cmd.ProcessState != nil && signalOf(cmd.ProcessState) == syscall.SIGKILL {
		return string(text), true, readErr
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, &talk)
	}
	return string(text), false, errors.Join(err, readErr)
}

// call is a line of a trace: a thread and a system call that it makes.
var call = regexp.MustCompile(`(?m)^([0-9]+) +([a-z0-9]+)\(`)

// calls counts how often a thread of an undisturbed command makes each system call: the most that any makes. strace counts by thread, too.
func (s *service) calls(bin string, c traced) (map[string]int, error) {
	b, err := s.base(c.base)
	if err != nil {
		return nil, err
	}
	dir, err := s.copied(b)
	if err != nil {
		return nil, err
	}
	trace, _, err := s.strace(bin, dir, c)
	if err != nil {
		return nil, err
	}
	by, most := map[string]int{}, map[string]int{}
	for _, m := range call.FindAllStringSubmatch(trace, -1) {
		by[m[1]+m[2]]++
		most[m[2]] = max(most[m[2]], by[m[1]+m[2]])
	}
	if most["fdatasync"] == 0 || most["write"] == 0 {
		return nil, fmt.Errorf("trace of %s without writes or syncs:\n%s", c.name, trace)
	}
	return most, os.RemoveAll(dir)
}

// systemDeath is one case of row F2.
type systemDeath struct {
	traced
	call string
	hit  int
}

func (d systemDeath) String() string { return fmt.Sprintf("%s, call %d of %s", d.name, d.hit, d.call) }

// dieAtCall lets the program die at a system call and judges what is left; where is the call, "" if nobody died.
func (s *service) dieAtCall(ctx context.Context, bin string, d systemDeath, planted judge) (v *judge, where string, err error) {
	b, err := s.base(d.base)
	if err != nil {
		return nil, "", err
	}
	dir, err := s.copied(b)
	if err != nil {
		return nil, "", err
	}
	v = &planted
	v.service, v.dir, v.from = s, dir, len(s.Requests())
	trace, died, err := s.strace(bin, dir, d.traced, "-e", "inject="+d.call+":signal=KILL:when="+strconv.Itoa(d.hit))
	if err != nil {
		return nil, "", err
	}
	if died {
		where = lastCall(trace, d.call)
	}
	v.all(ctx)
	return v, where, os.RemoveAll(dir)
}

// lastCall is the line of the last call of a name.
func lastCall(trace, name string) string {
	last := name
	for line := range strings.Lines(trace) {
		if strings.Contains(line, " "+name+"(") {
			last = strings.TrimSpace(line)
		}
	}
	return last
}

// TestDeathAtSystemCall is row F2: the program as it is dies at the n-th call of a thread that writes, syncs, cuts or renames.
func TestDeathAtSystemCall(t *testing.T) {
	bin := programs(t)
	if err := exec.Command("strace", "-f", "-qq", "-o", os.DevNull, "true").Run(); err != nil {
		untested(t, "deaths at system calls: strace: "+err.Error())
	}
	cases := 6
	if *full {
		cases = 200
	}
	t.Logf("%d deaths, seed %d (-kill.seed); -kill.full tries 200", cases, *seed)
	s := newService(t)
	most := map[string]map[string]int{}
	for _, c := range tracedCommands() {
		var err error
		if most[c.name], err = s.calls(bin, c); err != nil {
			t.Fatal(err)
		}
	}
	c := newCount()
	each(t, upTo(cases), func(s *service, n uint64) bool {
		random := rand.New(rand.NewPCG(*seed, n))
		for range 20 { // until somebody dies: threads do not share their work in the same way each time
			cmd := tracedCommands()[n%3]
			names := slices.Sorted(maps.Keys(most[cmd.name]))
			d := systemDeath{traced: cmd, call: names[random.IntN(len(names))]}
			d.hit = 1 + random.IntN(most[cmd.name][d.call])
			v, where, err := s.dieAtCall(t.Context(), bin, d, judge{})
			if err != nil {
				t.Errorf("case %d of seed %d, %s: %v", n, *seed, d, err)
				return true
			}
			for _, w := range v.wrong {
				t.Errorf("case %d of seed %d, %s (%s): %s", n, *seed, d, where, w)
			}
			c.add(cmd.name+" at "+d.call, false, where != "", v)
			if where != "" {
				return true
			}
		}
		t.Errorf("case %d of seed %d: nobody died", n, *seed)
		return true
	})
	c.log(t)
	t.Run("planted: progress is forgotten", func(t *testing.T) {
		caughtAfter(t, limit, func(i int) (*judge, error) {
			v, _, err := s.dieAtCall(t.Context(), bin, systemDeath{tracedCommands()[0], "fdatasync", i + 1}, judge{again: true})
			return v, err
		})
	})
}
