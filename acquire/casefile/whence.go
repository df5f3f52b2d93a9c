package casefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/exhibit-dfir/exhibit/evidence"
)

const (
	whenceName = "credential"
	maxWhence  = 16 << 10
)

// Whence tells where the credential of a case's last run came from, and which origin it was for: the names of files, never the credential. It is kept in work/, which is no part
// of the evidence and is not handed on.
type Whence struct {
	Origin       string `json:"origin"`
	TokenFile    string `json:"token_file,omitempty"` // absolute; or else a user and the file of the password
	BasicUser    string `json:"basic_user,omitempty"`
	PasswordFile string `json:"password_file,omitempty"`
}

// whole reports whether it names files as [Case.KeepWhence] does.
func (w *Whence) whole() bool {
	if w.Origin == "" || (w.TokenFile == "") == (w.PasswordFile == "") || (w.BasicUser == "") != (w.PasswordFile == "") {
		return false
	}
	return filepath.IsAbs(w.TokenFile + w.PasswordFile)
}

// KeepWhence keeps it for the next run on the case.
func (c *Case) KeepWhence(w Whence) error {
	if !w.whole() {
		return errors.New("a credential without an origin, or without the absolute name of a file")
	}
	b, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return replaceWork(c.dir, whenceName, append(b, '\n'))
}

// ReadWhence reads what the last run on the case in dir kept. ok is false if it kept nothing that can be used.
func ReadWhence(dir string) (w Whence, ok bool) {
	b, err := readSmall(filepath.Join(dir, evidence.WorkPath, whenceName), maxWhence)
	if err != nil {
		return w, false
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if d.Decode(&w) != nil || !w.whole() {
		return Whence{}, false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Whence{}, false
	}
	return w, true
}

// replaceWork replaces a file in work/. Its bytes are synced before its name is there. That the name is not synced costs a question after a loss of power at worst, no evidence.
func replaceWork(dir, name string, content []byte) error {
	work := filepath.Join(dir, evidence.WorkPath)
	if err := os.MkdirAll(work, 0o700); err != nil {
		return err
	}
	temp := filepath.Join(work, name+".new")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(work, name))
}
