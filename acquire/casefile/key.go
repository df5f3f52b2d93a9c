package casefile

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// DefaultKey reads the key at keys/default in the configuration folder. If there is none it makes one, unencrypted, with mode 0600 in a folder
// of mode 0700, and returns its path in made.
func DefaultKey(env Env) (key *trust.PrivateKey, made string, err error) {
	path := filepath.Join(env.ConfigDir, "keys", "default")
	key, err = trust.ReadKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, "", err
	}
	if key, err = trust.NewKey(env.Rand, keyName(env)); err != nil {
		return nil, "", err
	}
	err = trust.WriteKeyFile(path, key)
	if errors.Is(err, fs.ErrExist) { // another process was faster
		key, err = trust.ReadKeyFile(path)
		return key, "", err
	}
	if err != nil {
		return nil, "", err
	}
	return key, path, nil
}

// keyName makes a key's name of host and operator, in the characters that [trust.CheckName] allows.
func keyName(env Env) string {
	allowed := func(r rune) rune {
		if r <= ' ' || r >= 0x7F || r == '+' {
			return '-'
		}
		return r
	}
	name := strings.Map(allowed, env.Host+"/"+env.Operator)
	return name[:min(len(name), 255)]
}
