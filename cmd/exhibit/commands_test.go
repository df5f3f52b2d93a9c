package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// transcriptKey is where a script's transcript is kept: everything that commands run by exits and interrupt have printed.
type transcriptKey struct{}

func transcript(ts *testscript.TestScript) *strings.Builder {
	return ts.Value(transcriptKey{}).(*strings.Builder)
}

// commands are what scripts can do beyond testscript's own commands.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits":      exits,
		"interrupt":  interrupt,
		"freeport":   freePort,
		"waitfile":   waitFile,
		"printable":  printable,
		"secretless": secretless,
		"flip":       flip,
		"vkey": func(ts *testscript.TestScript, _ bool, args []string) {
			ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
		},
		"waitlog": waitLog,
		"smaller": smaller,
		"tree":    listFolder,
		"modes":   modes,
		"glob":    glob,

		"samerecords": sameRecords,
	}
}

// exits CODE PROGRAM ARGS… runs a program, which must exit with CODE. stdout and stderr then match what it printed.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		if _, err := fmt.Sscanf(err.Error(), "exit status %d", &got); err != nil {
			ts.Fatalf("%s: %v", args[1], err)
		}
	}
	fmt.Fprintf(transcript(ts), "%s%s", ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	if got != want {
		ts.Fatalf("exit code %d, expected %d\n%s%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// interrupt PATTERN CODE FILE PROGRAM ARGS… runs a program and sends it an interrupt once it has printed PATTERN to stderr. It must end within a minute, with CODE.
// What it printed to stderr is then in FILE.
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	path, err := exec.LookPath(args[3])
	ts.Check(err)
	cmd := exec.Command(path, args[4:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+ts.Getenv("XDG_CONFIG_HOME"))
	var sent time.Time
	talk := &watcher{pattern: args[0], seen: func() {
		sent = time.Now()
		ts.Check(cmd.Process.Signal(os.Interrupt))
	}}
	cmd.Stderr, cmd.Stdout = talk, transcript(ts)
	err = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != want || sent.IsZero() || time.Since(sent) > time.Minute {
		ts.Fatalf("exit code %d (%v), expected %d; interrupt sent at %s\n%s", got, err, want, sent, talk.all.String())
	}
	transcript(ts).WriteString(talk.all.String())
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), talk.all.Bytes(), 0o600))
}

// watcher calls seen once when the pattern has been written.
type watcher struct {
	all     bytes.Buffer
	pattern string
	seen    func()
	called  bool
}

func (w *watcher) Write(p []byte) (int, error) {
	w.all.Write(p)
	if !w.called && bytes.Contains(w.all.Bytes(), []byte(w.pattern)) {
		w.called = true
		w.seen()
	}
	return len(p), nil
}

// freeport VAR sets VAR to a TCP port that is free on 127.0.0.1 and below those that the system gives to whoever asks for any: another test might get it before it is used.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	for {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
		ts.Check(l.Close())
		ts.Setenv(args[0], port)
		return
	}
}

// waitfile FILE waits until another process has written FILE.
func waitFile(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	for range 3000 {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond) // of another process there is nothing else to wait for
	}
	ts.Fatalf("file %s did not come", args[0])
}

// waitlog DIR TEXT waits until the operator log of the case in DIR holds TEXT.
func waitLog(ts *testscript.TestScript, _ bool, args []string) {
	for range 3000 {
		if err := ts.Exec("exhibit", "log", args[0]); err == nil && strings.Contains(ts.ReadFile("stdout"), args[1]) {
			return
		}
		time.Sleep(10 * time.Millisecond) // as in waitFile
	}
	ts.Fatalf("the log of %s never held %q", args[0], args[1])
}

// printable FILE… fails if a file holds anything that a terminal would act on or not show: the matrix's row H4. With ! it must.
func printable(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		bad := unprintable(ts.ReadFile(name))
		if (bad != "") != neg {
			ts.Fatalf("%s: unprintable %q", name, bad)
		}
	}
}

// unprintable returns the first thing in a text that must not reach a terminal.
func unprintable(s string) string {
	for i, r := range s {
		_, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return s[max(0, i-20):min(len(s), i+20)]
		}
	}
	return ""
}

// smaller DIR BYTES fails unless the files in DIR together have fewer than so many bytes.
func smaller(ts *testscript.TestScript, _ bool, args []string) {
	most, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	size := int64(0)
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		size += info.Size()
		return err
	}))
	if size == 0 || size >= most {
		ts.Fatalf("%s has %d bytes", args[0], size)
	}
}

// flip FILE OFFSET changes one bit of a file. A negative offset counts from the end.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

// listFolder DIR FILE writes to FILE what is in a folder: names, modes, times and contents.
func listFolder(ts *testscript.TestScript, _ bool, args []string) {
	var list strings.Builder
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s %s %s", path, info.Mode(), info.ModTime())
		if info.Mode().IsRegular() {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&list, " %x", sha256.Sum256(b))
		}
		list.WriteByte('\n')
		return nil
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(list.String()), 0o600))
}

// modes MODE FILE… requires the permissions of files, where the system has them.
func modes(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] && runtime.GOOS != "windows" {
			ts.Fatalf("%s has mode %s", name, got)
		}
	}
}

// glob PATTERN requires a file of such a name.
func glob(ts *testscript.TestScript, neg bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if (len(found) > 0) == neg {
		ts.Fatalf("%s: %q", args[0], found)
	}
}

// sameRecords FILE FILE fails unless two files of records say the same, in whatever order, but for where each record comes from.
func sameRecords(ts *testscript.TestScript, neg bool, args []string) {
	var sets [2][]string
	for i, name := range args {
		for line := range strings.Lines(ts.ReadFile(name)) {
			var record map[string]json.RawMessage
			ts.Check(json.Unmarshal([]byte(line), &record))
			delete(record, "provenance")
			b, err := json.Marshal(record)
			ts.Check(err)
			sets[i] = append(sets[i], string(b))
		}
		slices.Sort(sets[i])
	}
	if len(sets[0]) == 0 || slices.Equal(sets[0], sets[1]) == neg {
		ts.Fatalf("%s has %d records, %s has %d", args[0], len(sets[0]), args[1], len(sets[1]))
	}
}
