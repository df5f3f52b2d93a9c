package casefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
)

const (
	hostName = "host"
	maxHost  = 1024
)

// HostError says that another host works on the case.
type HostError struct {
	Dir  string
	Host string // that worked on it last
	Here string // this host
}

func (e *HostError) Error() string {
	return fmt.Sprintf("case %q belongs to host %q, this is %q", e.Dir, e.Host, e.Here)
}

// checkHost returns the host that worked on the case last: as work/host says or, where that is missing because the folder was copied without it, as the case entry does.
// It fails if that is another one and takeOver does not allow it.
func checkHost(env Env, dir, first string, takeOver bool) (string, error) {
	path := filepath.Join(dir, evidence.WorkPath, hostName)
	host := first
	b, err := readSmall(path, maxHost)
	switch {
	case err == nil:
		host = strings.TrimSuffix(string(b), "\n")
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if host != env.Host && !takeOver {
		return "", &HostError{dir, host, env.Host}
	}
	if err != nil && host == env.Host {
		return host, writeHost(dir, host)
	}
	return host, nil
}

// writeHost replaces work/host: an empty file would be another host's.
func writeHost(dir, host string) error {
	return replaceSync(filepath.Join(dir, evidence.WorkPath, hostName), []byte(host+"\n"))
}

// readSmall reads a regular file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("file %q is no regular file of at most %d bytes", path, limit)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
