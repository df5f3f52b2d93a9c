package casefile

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// KeySource gives the key that signs, and the path of one that it made because there was none, else "". It is asked once the case is open, so that nobody types a
// passphrase for a case that cannot be written to.
type KeySource func(ctx context.Context) (key trust.Signer, made string, err error)

// DefaultKeyPath is the file of the key that signs when no other is named.
func DefaultKeyPath(env Env) string { return filepath.Join(env.ConfigDir, "keys", "default") }

// DefaultKey reads the key at [DefaultKeyPath], with the passphrase that unlock gives if it is encrypted. If there is none it makes one, unencrypted, with mode 0600
// in a folder of mode 0700, and returns its path in made.
func DefaultKey(env Env, unlock trust.Unlock) (key *trust.PrivateKey, made string, err error) {
	path := DefaultKeyPath(env)
	key, err = trust.UnlockKeyFile(path, unlock)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, "", err
	}
	if key, err = trust.NewKey(env.Rand, KeyName(env)); err != nil {
		return nil, "", err
	}
	err = trust.WriteKeyFile(path, key)
	if errors.Is(err, fs.ErrExist) { // another process was faster
		key, err = trust.UnlockKeyFile(path, unlock)
		return key, "", err
	}
	if err != nil {
		return nil, "", err
	}
	return key, path, nil
}

// KeyName makes a key's name of host and operator.
func KeyName(env Env) string { return trust.KeyName(env.Host + "/" + env.Operator) }
