//go:build linux

// Stopwatch runs a program once, holds its result against what it must be, and adds a row to a table of measurements.
//
//	stopwatch -csv FILE -measure WORD -setting TEXT -round N -variant WORD -n N [-bytes N] [-target X] [-env K=V]… [-seconds FIELD] [conditions] -- PROGRAM [ARGUMENT]…
//
// Conditions: -exit CODE (0 if not given), -expect REGEXP on what it prints, -lines N on standard output, -reads BYTES that it must have got by read calls
// at least. A run that breaks one is no measurement: stopwatch says why, adds no row and exits 1. So a program that is fast because it does
// not do its work makes no figure.
//
// Wall time is from before the start to the end; processor time is that of the program and all that it waited for. Memory is the largest resident size of
// one process among them: the kernel's figure, which has stopwatch's own few MiB as the least and counts pages of mapped files, which the kernel can take
// back. Beside it stands the largest size without those, looked at every 10 ms.
package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// header names the columns of the table.
var header = [...]string{"measure", "setting", "round", "variant", "n", "bytes", "seconds", "user", "system", "rss_kib", "anonymous_kib", "target"}

type conditions struct {
	exit   int
	expect []*regexp.Regexp
	lines  int64
	reads  int64
}

type options struct {
	csv, measure, setting, variant, stdout string
	seconds                                string // the field of what it prints that has its wall time; "" if stopwatch takes it
	round, n, bytes                        int64
	target                                 float64
	env                                    []string
	must                                   conditions
}

// taken is what one run took.
type taken struct {
	wall, user, system time.Duration
	rss, anonymous     int64 // KiB
	exit               int
	reads              int64
	printed            []byte // standard error, and standard output if that went nowhere else
	lines              int64
}

func main() {
	log.SetFlags(0)
	o := &options{}
	o.flags()
	flag.Parse()
	if flag.NArg() == 0 || o.csv == "" || o.measure == "" || o.variant == "" {
		flag.Usage()
		os.Exit(2)
	}
	t, err := run(o, flag.Args())
	if err == nil {
		err = o.must.check(t)
	}
	if err == nil && o.seconds != "" {
		t.wall, err = said(t.printed, o.seconds)
	}
	if err != nil {
		log.Fatalf("stopwatch: NOT MEASURED: %s %s, %s: %v\n%s", o.measure, o.setting, o.variant, err, last(t))
	}
	if err := o.add(t); err != nil {
		log.Fatalf("stopwatch: %v", err)
	}
}

func (o *options) flags() {
	flag.StringVar(&o.csv, "csv", "", "table that the row is added to")
	flag.StringVar(&o.measure, "measure", "", "what is measured")
	flag.StringVar(&o.setting, "setting", "", "with what")
	flag.StringVar(&o.variant, "variant", "", "which program; of those of one measure and setting the first in the table is ours")
	flag.Int64Var(&o.round, "round", 1, "round")
	flag.Int64Var(&o.n, "n", 1, "units of work done")
	flag.Int64Var(&o.bytes, "bytes", 0, "bytes worked on")
	flag.Float64Var(&o.target, "target", 0, "least ratio of ours to the other")
	flag.StringVar(&o.stdout, "stdout", "", "new file for standard output, which is removed again")
	flag.StringVar(&o.seconds, "seconds", "", "field of the JSON that it prints which says how long took what is measured, in place of the time of the whole process")
	flag.IntVar(&o.must.exit, "exit", 0, "exit code that it must have")
	flag.Int64Var(&o.must.lines, "lines", -1, "lines that it must write to -stdout")
	flag.Int64Var(&o.must.reads, "reads", 0, "bytes that it must read at least")
	flag.Func("env", "K=V to set", func(s string) error { o.env = append(o.env, s); return nil })
	flag.Func("expect", "regexp that must match what it prints, ^ and $ at lines (repeatable)", func(s string) error {
		re, err := regexp.Compile("(?m)" + s)
		o.must.expect = append(o.must.expect, re)
		return err
	})
}

// run runs the program and takes its time.
func run(o *options, args []string) (t *taken, err error) {
	t = &taken{}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), o.env...)
	var printed bytes.Buffer
	out, err := os.CreateTemp("", "stopwatch")
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, out.Close(), os.Remove(out.Name())) }()
	cmd.Stdout, cmd.Stderr = out, out // a file, so that nothing of ours runs meanwhile
	if o.stdout != "" {
		f, err := os.OpenFile(o.stdout, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return t, err
		}
		defer func() { _ = errors.Join(f.Close(), os.Remove(o.stdout)) }()
		cmd.Stdout = f
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return t, err
	}
	looked := make(chan int64)
	stop := make(chan struct{})
	go look(cmd.Process.Pid, stop, looked)
	err = untilDead(cmd.Process.Pid)
	t.wall = time.Since(began)
	close(stop)
	t.anonymous = <-looked
	if err != nil {
		return t, err
	}
	if t.reads, err = bytesRead(cmd.Process.Pid); err != nil {
		return t, err
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return t, err
	}
	t.account(cmd.ProcessState)
	if _, err := io.Copy(&printed, io.NewSectionReader(out, 0, 1<<20)); err != nil {
		return t, err
	}
	t.printed = printed.Bytes()
	if o.stdout != "" {
		t.lines, err = countLines(o.stdout)
	}
	return t, err
}

// untilDead waits for the end of a child and leaves it to be waited for.
func untilDead(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// look sends the largest anonymous memory, in KiB, that a process or a child of its has until stop is closed.
func look(pid int, stop <-chan struct{}, looked chan<- int64) {
	most := int64(0)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		most = max(most, anonymous(strconv.Itoa(pid)))
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // none, or it has just ended
		for child := range strings.FieldsSeq(string(children)) {
			most = max(most, anonymous(child))
		}
		select {
		case <-stop:
			looked <- most
			return
		case <-tick.C:
		}
	}
}

// anonymous is the anonymous memory of a process in KiB, 0 if it has ended.
func anonymous(pid string) int64 {
	b, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(b), "\nRssAnon:")
	value, _, _ := strings.Cut(after, "kB")
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// bytesRead is how many bytes a dead child and those that it waited for got by read calls.
func bytesRead(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if n, ok := strings.CutPrefix(line, "rchar: "); ok {
			return strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		}
	}
	return -1, nil
}

func (t *taken) account(s *os.ProcessState) {
	t.exit, t.user, t.system = s.ExitCode(), s.UserTime(), s.SystemTime()
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		t.rss = u.Maxrss
	}
}

func countLines(name string) (n int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buf := make([]byte, 1<<20)
	for {
		k, err := f.Read(buf)
		n += int64(bytes.Count(buf[:k], []byte{'\n'}))
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// check holds a run against its conditions.
func (c *conditions) check(t *taken) error {
	if t.exit != c.exit {
		return fmt.Errorf("it exited with %d, not %d", t.exit, c.exit)
	}
	for _, re := range c.expect {
		if !re.Match(t.printed) {
			return fmt.Errorf("nothing that it printed matches %q", re)
		}
	}
	if c.lines >= 0 && t.lines != c.lines {
		return fmt.Errorf("it wrote %d lines, not %d", t.lines, c.lines)
	}
	if t.reads < 0 && c.reads > 0 {
		return errors.New("this kernel does not tell how many bytes it read")
	}
	if t.reads < c.reads {
		return fmt.Errorf("it read %d bytes and cannot have read the %d that it was to work on", t.reads, c.reads)
	}
	return nil
}

// said is the time that a program says in a field of its JSON.
func said(printed []byte, field string) (time.Duration, error) {
	m := regexp.MustCompile(`"` + regexp.QuoteMeta(field) + `":([0-9.]+)`).FindSubmatch(printed)
	if m == nil {
		return 0, fmt.Errorf("it does not say %q", field)
	}
	return time.ParseDuration(string(m[1]) + "s")
}

// last is the end of what was printed.
func last(t *taken) string {
	lines := strings.Split(strings.TrimRight(string(t.printed), "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}

// add adds a row.
func (o *options) add(t *taken) (err error) {
	f, err := os.OpenFile(o.csv, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	if info.Size() == 0 {
		if err := w.Write(header[:]); err != nil {
			return err
		}
	}
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	seconds := func(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 4, 64) }
	if err := w.Write([]string{o.measure, o.setting, whole(o.round), o.variant, whole(o.n), whole(o.bytes), seconds(t.wall), seconds(t.user), seconds(t.system),
		whole(t.rss), whole(t.anonymous), strconv.FormatFloat(o.target, 'f', -1, 64)}); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}
