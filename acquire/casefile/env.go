package casefile

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// Env is what the package takes from its surroundings. [System] fills one in.
type Env struct {
	Now       func() time.Time
	Rand      io.Reader       // cryptographic
	Host      string          // name of this host
	Operator  string          // account that runs the tool
	ConfigDir string          // where keys/default lies
	Command   []string        // the command line, free of secrets; may be empty
	Tool      []evidence.Pair // name, version, hash of the executable, modules
	Machine   []evidence.Pair // operating system, time zone
}

// System describes this process: clock, randomness, host, account, configuration folder ($XDG_CONFIG_HOME/exhibit or the system's counterpart) and the tool,
// whose executable is hashed. Version is the tool's own.
func System(version string) (Env, error) {
	e := Env{Now: time.Now, Rand: rand.Reader}
	var err error
	if e.Host, err = os.Hostname(); err != nil {
		return e, fmt.Errorf("name of this host: %w", err)
	}
	if u, err := user.Current(); err == nil {
		e.Operator = u.Username
	}
	config := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) { // the XDG base directory specification says to ignore a relative one
		if config, err = os.UserConfigDir(); err != nil {
			return e, fmt.Errorf("configuration folder: %w", err)
		}
	}
	e.ConfigDir = filepath.Join(config, "exhibit")
	if e.Tool, err = tool(version); err != nil {
		return e, err
	}
	zone, offset := time.Now().Zone()
	e.Machine = []evidence.Pair{
		{Name: "os", Value: runtime.GOOS + "/" + runtime.GOARCH},
		{Name: "time-zone", Value: fmt.Sprintf("%s %+d s", zone, offset)},
	}
	return e, nil
}

// tool describes this executable.
func tool(version string) ([]evidence.Pair, error) {
	pairs := []evidence.Pair{{Name: "name", Value: "exhibit"}, {Name: "version", Value: version}}
	path, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("executable: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("executable: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return nil, fmt.Errorf("executable: %w", err)
	}
	pairs = append(pairs, evidence.Pair{Name: "executable-sha256", Value: hex.EncodeToString(sum.Sum(nil))},
		evidence.Pair{Name: "go", Value: runtime.Version()})
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return pairs, nil
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
			pairs = append(pairs, evidence.Pair{Name: s.Key, Value: s.Value})
		}
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		pairs = append(pairs, evidence.Pair{Name: "module", Value: m.Path + " " + m.Version + " " + m.Sum})
	}
	return pairs, nil
}

// software is how warcinfo records name the tool: name and version.
func (e *Env) software() string {
	s := ""
	for _, p := range e.Tool {
		if p.Name == "name" || p.Name == "version" {
			s += p.Value + " "
		}
	}
	return strings.TrimSpace(s)
}
