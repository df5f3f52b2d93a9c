package evidence

import (
	"errors"
	"fmt"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// KeyError says that a key may not sign for a case (docs/container.md, 5.5).
type KeyError struct {
	Key     string // verifier key
	Waiting bool   // a key entry allows it, and no head by a key that was allowed before covers that entry yet
}

func (e *KeyError) Error() string {
	if e.Waiting {
		return fmt.Sprintf("key %q may not sign for this case yet: no head by a key that was allowed before covers the entry that allows it", e.Key)
	}
	return fmt.Sprintf("key %q may not sign for this case", e.Key)
}

// keyring follows which keys may sign while the heads of a case are checked in order (docs/container.md, 5.5).
type keyring struct {
	may     []trust.VKey
	waiting []waitingKey
}

// waitingKey is one whose entry no good head covers yet.
type waitingKey struct {
	key trust.VKey
	seq int64 // of its entry
}

// newKeyring has the keys of the case entry.
func newKeyring(c *Case) (keyring, error) {
	var r keyring
	for _, text := range c.Keys {
		key, err := trust.ParseVKey(text)
		if err != nil {
			return r, &DamageError{Path: SegmentPath(1), Detail: "an allowed key cannot be read", Err: err}
		}
		r.may = append(r.may, key)
	}
	return r, nil
}

// add takes note of a key entry.
func (r *keyring) add(seq int64, body *Key) error {
	key, err := trust.ParseVKey(body.Key)
	if err != nil {
		return fmt.Errorf("the key that entry %d allows cannot be read: %w", seq, err)
	}
	r.waiting = append(r.waiting, waitingKey{key, seq})
	return nil
}

// cover lets the keys sign whose entries a good head over size entries covers.
func (r *keyring) cover(size int64) {
	r.waiting = slices.DeleteFunc(r.waiting, func(w waitingKey) bool {
		if w.seq >= size {
			return false
		}
		if !slices.Contains(r.may, w.key) {
			r.may = append(r.may, w.key)
		}
		return true
	})
}

// check fails with a [*KeyError] unless every signer may sign now.
func (r *keyring) check(signers []trust.Signer) error {
	for _, s := range signers {
		is := func(k trust.VKey) bool { return k.String() == s.VerifierKey() }
		if !slices.ContainsFunc(r.may, is) {
			return &KeyError{s.VerifierKey(), slices.ContainsFunc(r.waiting, func(w waitingKey) bool { return is(w.key) })}
		}
	}
	return nil
}

// missesKey reports whether an error may come from a key whose entry stands in a segment that was not walked.
func missesKey(err error) bool {
	var unverified *trust.UnverifiedError
	var key *KeyError
	return errors.As(err, &unverified) || errors.As(err, &key)
}
