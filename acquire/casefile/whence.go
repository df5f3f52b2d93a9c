package casefile

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/exhibit-dfir/exhibit/evidence"
)

const (
	whenceFolder = "credentials" // in the configuration folder: what a case itself says must not choose the file that is sent as a credential
	maxWhence    = 16 << 10
)

// Whence tells where the credential of a case's last run came from, and which origin it was for: the names of files, never the credential. It is kept in the configuration folder,
// under the id of the case, until that is sealed.
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
	name, ok := whenceName(c.Opening.Case)
	if !ok {
		return errors.New("the case has no id")
	}
	b, err := json.Marshal(w)
	if err != nil {
		return err
	}
	return replaceSync(filepath.Join(c.env.ConfigDir, whenceFolder, name), append(b, '\n'))
}

// ForgetWhence removes what was kept for a case that acquires nothing any more. That nothing was kept is no error.
func ForgetWhence(env Env, c *evidence.Case) error {
	name, ok := whenceName(c)
	if !ok {
		return nil
	}
	var errs []error
	for _, file := range []string{name, name + newSuffix} { // the second is of a process that died
		if err := os.Remove(filepath.Join(env.ConfigDir, whenceFolder, file)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// whenceName is the name of the file for a case.
func whenceName(c *evidence.Case) (string, bool) {
	b, err := hex.DecodeString(c.Case)
	return hex.EncodeToString(b), err == nil && len(b) == 16
}

// ReadWhence reads what the last run on the case in dir kept. ok is false if it kept nothing that can be used, or there is no case.
func ReadWhence(ctx context.Context, env Env, dir string) (w Whence, ok bool) {
	v, err := openView(ctx, dir)
	if err != nil {
		return w, false
	}
	defer v.close()
	body, err := readCase(ctx, v.files)
	if err != nil {
		return w, false
	}
	name, ok := whenceName(body)
	if !ok {
		return w, false
	}
	b, err := readSmall(filepath.Join(env.ConfigDir, whenceFolder, name), maxWhence)
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
