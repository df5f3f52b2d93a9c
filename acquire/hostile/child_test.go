package hostile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// lab is where the program itself runs: a folder with a case, a token, a password and the authority of the servers.
type lab struct {
	t    testing.TB
	exe  string
	dir  string
	env  []string
	said strings.Builder // everything that was printed
}

const caseName = "case"

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, exe: build(t), dir: t.TempDir()}
	for name, b := range map[string][]byte{"ca.pem": certificates(t).pem, "token": []byte(token), "password": []byte(password)} {
		l.write(name, b)
	}
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); !strings.HasSuffix(strings.ToUpper(name), "_PROXY") && name != "XDG_CONFIG_HOME" {
			l.env = append(l.env, v)
		}
	}
	l.env = append(l.env, "XDG_CONFIG_HOME="+filepath.Join(l.dir, "config"))
	if code, out := l.exhibit("case", "new", caseName, "--case-number", "1", "--exhibit", "1", "--examiner", "E"); code != 0 {
		t.Fatal(out)
	}
	return l
}

func (l *lab) write(name string, b []byte) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), b, 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// exhibit runs the program and returns its exit code and all that it printed.
func (l *lab) exhibit(args ...string) (int, string) {
	l.t.Helper()
	return l.run(exec.Command(l.exe, args...), nil)
}

// measured does the same and returns its peak memory in bytes.
func (l *lab) measured(args ...string) (code int, out string, peak int64) {
	l.t.Helper()
	if !peakIsMeasured {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			l.t.Fatal("the memory of a process is not measured on this system")
		}
		l.t.Log("NOT TESTED: peak memory; it is not measured on this system")
		code, out = l.exhibit(args...)
		return code, out, 0
	}
	self, err := os.Executable()
	if err != nil {
		l.t.Fatal(err)
	}
	file := filepath.Join(l.dir, "peak")
	code, out = l.run(exec.Command(self, append([]string{l.exe}, args...)...), []string{peakVar + "=" + file})
	b, err := os.ReadFile(file)
	if err != nil {
		l.t.Fatal(err, out)
	}
	kib, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		l.t.Fatal(err)
	}
	return code, out, kib << 10
}

func (l *lab) run(cmd *exec.Cmd, more []string) (int, string) {
	l.t.Helper()
	var out bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = l.dir, append(l.env, more...), &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatal(err)
	}
	l.said.Write(out.Bytes())
	if text := out.String(); strings.Contains(text, "panic:") || strings.Contains(text, "goroutine ") {
		l.t.Errorf("the program panicked:\n%s", text)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// acquire makes the arguments of an acquisition from the mailbox of a user at an origin, with patience for one attempt.
func acquisition(origin, user string, more ...string) []string {
	args := []string{"acquire", "outlook-activities", "--case", caseName, "--base-url", origin, "--ca-file", "ca.pem", "--user", user, "--page-size", "10",
		"--start", "2018-05-01T00:00:00Z", "--end", "2018-06-11T00:00:00Z", "--patience", "1ns"}
	return append(args, more...)
}

func withToken(args []string) []string { return append(args, "--token-file", "token") }

// records calls visit with each record of the case: its URI, its type and its whole bytes, header included. It uses no index.
func (l *lab) records(visit func(r *warc.Record)) {
	l.t.Helper()
	dec, err := warc.NewDecoder()
	if err != nil {
		l.t.Fatal(err)
	}
	defer dec.Close()
	files := os.DirFS(filepath.Join(l.dir, caseName))
	for n := int64(1); ; n++ {
		file, size, err := evidence.OpenSegment(files, n)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if err != nil {
			l.t.Fatal(err)
		}
		r := warc.NewReader(dec, file, 0, size)
		for {
			rec, err := r.Next(context.Background())
			if err == io.EOF {
				break
			}
			if err != nil {
				l.t.Fatal(err)
			}
			visit(rec)
		}
		if err := file.Close(); err != nil {
			l.t.Fatal(err)
		}
	}
}
