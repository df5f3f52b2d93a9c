package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts run both programs by their names. exhibit is this test binary; exhibit-verify is built, so that it is the real one, which links nothing of
// package acquire.
func TestMain(m *testing.M) {
	testscript.Main(withVerifier{m}, map[string]func(){"exhibit": main, "exhibit-verify": runVerifier, "hold-secret": holdSecret})
}

const verifierVar = "EXHIBIT_VERIFY_PROGRAM"

type withVerifier struct{ m *testing.M }

func (w withVerifier) Run() int {
	dir, err := os.MkdirTemp("", "exhibit-verify-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "exhibit-verify.exe")
	if out, err := exec.Command("go", "build", "-o", program, "../exhibit-verify").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building exhibit-verify: %v\n%s", err, out)
		return 1
	}
	os.Setenv(verifierVar, program)
	return w.m.Run()
}

func runVerifier() {
	cmd := exec.Command(os.Getenv(verifierVar), os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	came := make(chan os.Signal, 1)
	signal.Notify(came, os.Interrupt)
	err := cmd.Start()
	if err == nil {
		go func() {
			for s := range came {
				_ = cmd.Process.Signal(s) // one that has ended needs none
			}
		}()
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}

// hostile is a text that a terminal would obey: a colour, a window title, a line written over, a bidirectional override.
const hostile = "a\x1b[31mred\x1b]0;title\a\rover\u202ebidi\u009b31m"

// params are what all scripts run with: a configuration folder of their own, and the commands of commands_test.go.
func params() testscript.Params {
	return testscript.Params{
		Cmds: commands(), Condition: condition,
		Setup: func(e *testscript.Env) error {
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, ".config"))
			e.Setenv(verifierVar, os.Getenv(verifierVar))
			e.Setenv("HIDDEN", "a\u202eb")
			e.Setenv("HOSTILE", hostile)
			e.Values[transcriptKey{}] = &strings.Builder{}
			return nil
		},
	}
}

// condition knows [stranger]: what a stranger checks a case with is here. EXHIBIT_REQUIRE_TOOLS=1 says that it must be.
func condition(name string) (bool, error) {
	if name != "stranger" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	for _, tool := range []string{"python3", "zstd", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
				return false, err
			}
			fmt.Fprintf(os.Stderr, "NOT TESTED: data/verify.py of a sealed case: %v\n", err)
			return false, nil
		}
	}
	return true, nil
}

// TestScripts runs the programs as people type them.
func TestScripts(t *testing.T) {
	p := params()
	p.Dir = filepath.Join("testdata", "script")
	testscript.Run(t, p)
}

// The session in README.md is a block of shell lines behind this line.
const sessionMark = "<!-- This session is run by the tests of cmd/exhibit. -->"

// TestReadme runs the session of README.md, line by line, as it stands there. Two things are different: the port is one that is free, and a line that ends
// with "&" is waited for until the file after --token-out is there.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "readme.txtar")
	if err := os.WriteFile(script, []byte(sessionScript(t, string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	p := params()
	p.Files = []string{script}
	testscript.Run(t, p)
}

var tokenOut = regexp.MustCompile(`--token-out (\S+)`)

// sessionScript makes a script of the session.
func sessionScript(t *testing.T, readme string) string {
	_, rest, ok := strings.Cut(readme, sessionMark+"\n```sh\n")
	session, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("README.md has no session")
	}
	script, lines := "freeport PORT\n", 0
	for line := range strings.Lines(session) {
		line = strings.ReplaceAll(strings.TrimSpace(line), "127.0.0.1:8443", "127.0.0.1:$PORT")
		switch {
		case strings.HasPrefix(line, "exhibit"):
			lines++
		case strings.HasPrefix(line, "python3"):
			line = "[stranger] exec " + line
		}
		server, background := strings.CutSuffix(line, " &")
		if !background {
			script += line + "\n"
			continue
		}
		script += "exec " + server + " &server&\nwaitfile " + tokenOut.FindStringSubmatch(server)[1] + "\n"
	}
	if lines < 12 {
		t.Fatalf("the session of README.md has %d lines that run one of the programs: is it still found?", lines)
	}
	return script + "kill -INT server\nwait server\n"
}
