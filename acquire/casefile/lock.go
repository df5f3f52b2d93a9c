package casefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/exhibit-dfir/exhibit/evidence"
)

const maxLock = 64 << 10

// Holder is who has a case open.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// LockedError says that another process has the case open.
type LockedError struct {
	Dir    string
	Holder Holder // as that process wrote it; zero if it had not yet
}

func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("case %q is in use by another process", e.Dir)
	}
	return fmt.Sprintf("case %q is in use by process %d on %q since %s: %s", e.Dir, e.Holder.PID, e.Holder.Host,
		e.Holder.Since.UTC().Format(time.RFC3339), e.Holder.Command)
}

// errHeld is what tryLock gives where another process holds the lock.
var errHeld = errors.New("lock is held")

// lock is work/lock, locked. The operating system frees it when the process ends, however that happens.
type lock struct{ file *os.File }

func acquireLock(env Env, dir string) (*lock, error) {
	work := filepath.Join(dir, evidence.WorkPath)
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(work, "lock")
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("lock %q is no regular file", path)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := tryLock(file); err != nil {
		defer file.Close()
		if errors.Is(err, errHeld) {
			return nil, &LockedError{dir, readHolder(file)}
		}
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	l := &lock{file}
	if err := l.write(env); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %q: %w", path, err), l.release())
	}
	return l, nil
}

func (l *lock) write(env Env) error {
	b, err := json.Marshal(Holder{os.Getpid(), env.Host, strings.Join(env.Command, " "), env.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.WriteAt(b[:min(len(b), maxLock)], 0)
	return err
}

// readHolder reads what the holder wrote; what cannot be read is nobody.
func readHolder(file *os.File) Holder {
	b := make([]byte, maxLock)
	n, _ := file.ReadAt(b, 0) // the end of the file is an error here and none to us
	var h Holder
	if json.Unmarshal(b[:n], &h) != nil {
		return Holder{}
	}
	return h
}

func (l *lock) release() error {
	return errors.Join(l.file.Truncate(0), unlock(l.file), l.file.Close())
}
