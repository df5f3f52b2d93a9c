package killtest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// programs builds exhibit and exhibit-verify, and returns the folder that they are in.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../../cmd/exhibit", "../../cmd/exhibit-verify").CombinedOutput()
	if err != nil {
		t.Fatalf("building the programs: %v\n%s", err, out)
	}
	return dir
}

// program is a command of the real programs, with the key of this test and a folder of its own for temporary files.
func (s *service) program(bin, name string, args ...string) (*exec.Cmd, error) {
	config := filepath.Join(s.dir, "config")
	key := filepath.Join(config, "exhibit", "keys", "default")
	if _, err := os.Stat(key); errors.Is(err, fs.ErrNotExist) {
		keys, err := signers()
		if err != nil {
			return nil, err
		}
		if err := trust.WriteKeyFile(key, keys[0].(*trust.PrivateKey)); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+config, "TMPDIR="+s.temp())
	return cmd, nil
}

// temp is where the programs put temporary files.
func (s *service) temp() string { return filepath.Join(s.dir, "temp") }

// acquireArgs ask for what options does.
func (s *service) acquireArgs(dir string) []string {
	return []string{"acquire", "outlook-activities", "--case", caseIn(dir), "--base-url", s.url, "--user", simtenant.Apostrophe, "--start", "2018-05-01T00:00:00Z",
		"--end", "2018-06-11T00:00:00Z", "--page-size", "10", "--parallel", "3", "--ca-file", filepath.Join(s.dir, "ca.pem"), "--token-file", filepath.Join(s.dir, "token")}
}

func (s *service) sealArgs(dir string) []string { return []string{"seal", caseIn(dir), "--yes"} }

// signalOf is the signal that a process died of, 0 if it did not.
func signalOf(p *os.ProcessState) syscall.Signal {
	if status, ok := p.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}
