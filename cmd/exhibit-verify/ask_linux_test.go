package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// terminal is a pseudo-terminal: what is written to user is typed, and program is what a program has as its standard input.
type terminal struct{ user, program *os.File }

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close(); user.Close() })
	return &terminal{user, program}
}

// echoes reports whether what is typed is shown.
func (p *terminal) echoes(t *testing.T) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(p.program.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// TestInterruptedQuestion interrupts the question for a passphrase: the program ends at once, and the terminal shows again what is typed. One that is answered does not hold
// the answer in what it says.
func TestInterruptedQuestion(t *testing.T) {
	for name, answer := range map[string]string{"interrupted": "", "answered": "not-the-passphrase\n"} {
		t.Run(name, func(t *testing.T) {
			p := newTerminal(t)
			cmd := exec.Command("exhibit-verify", "check", "../../evidence/bag/testdata/age/scrypt.age")
			var talk bytes.Buffer
			cmd.Stdin, cmd.Stderr = p.program, &talk
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for range 3000 {
				if !p.echoes(t) {
					break
				}
				time.Sleep(10 * time.Millisecond) // of another process there is nothing else to wait for
			}
			want := cli.Interrupted
			if answer == "" {
				if err := cmd.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
			} else {
				want = cli.Usage
				if _, err := p.user.WriteString(answer); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != want || time.Since(began) > time.Minute || !strings.Contains(talk.String(), "passphrase of the case: ") {
				t.Errorf("exit code %d after %s, expected %d\n%s", got, time.Since(began), want, &talk)
			}
			if !p.echoes(t) {
				t.Error("the terminal does not show what is typed")
			}
			if answer != "" && strings.Contains(talk.String(), strings.TrimSpace(answer)) {
				t.Errorf("the answer is shown: %s", &talk)
			}
		})
	}
}
