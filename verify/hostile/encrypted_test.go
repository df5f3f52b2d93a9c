//go:build linux

package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

// identityFile is a key that age-keygen made, recipient what it opens.
const (
	identityFile = "../../evidence/bag/testdata/age/identity.txt"
	recipient    = "age1tc9w5sexdkth8a78dszf3578vdnrmddajhfe9k3wa90w0yxwy5vs0rkk9q"
)

func encrypted(t *testing.T, plain []byte) []byte {
	t.Helper()
	var to bag.Recipients
	var b bytes.Buffer
	if err := to.Add(recipient); err != nil {
		t.Fatal(err)
	}
	w, err := bag.Encrypt(&b, &to)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestArchivesEncrypted is row B5 again, with each archive in an encrypted file: it is judged as if it had come as it is.
func TestArchivesEncrypted(t *testing.T) {
	b, good := archiveBench(t)
	d := newDesk(t)
	top := filepath.Dir(d.dir)
	path := filepath.Join(top, "case.zip")
	identity, err := filepath.Abs(identityFile)
	if err != nil {
		t.Fatal(err)
	}
	try := func(a *attempt, content []byte) error {
		if err := os.WriteFile(path, encrypted(t, content), 0o600); err != nil {
			return err
		}
		o := d.run("check", "--json", "--identity", identity, path)
		return errors.Join(o.common(a.code), a.judge(o), aside(top))
	}
	if err := try(&attempt{what: "the good case"}, good); err != nil {
		t.Fatal(err)
	}
	all := slices.Concat(nameAttempts(top), fieldAttempts(), layoutAttempts())
	for i := range all {
		a := goodArchive(b)
		all[i].make(a)
		if err := try(&all[i], a.bytes()); err != nil {
			t.Errorf("%s: %v", all[i].what, err)
		}
	}
	t.Logf("%d archives", len(all))
}

// TestEncryptedAltered cuts an encrypted case and alters a byte of it, at many places: never is it checked as if it were whole. Nothing decrypted is left.
func TestEncryptedAltered(t *testing.T) {
	_, good := archiveBench(t)
	d := newDesk(t)
	path := filepath.Join(filepath.Dir(d.dir), "case.zip")
	identity, err := filepath.Abs(identityFile)
	if err != nil {
		t.Fatal(err)
	}
	whole := encrypted(t, good)
	codes := map[int]int{}
	try := func(what string, content []byte, codesAllowed ...int) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		o := d.run("check", "--json", "--identity", identity, path)
		codes[o.Code]++
		if err := o.common(codesAllowed...); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if o.Code == 3 && !strings.Contains(string(o.Stdout), `"age-form"`) {
			t.Errorf("%s: %v", what, o.fail("it does not say age-form"))
		}
	}
	step := len(whole) / 60
	if *full {
		step /= 20
	}
	for at := 0; at < len(whole); at += step {
		// In the first line it is no encrypted file any more, and in the stanza of the recipient one for somebody else.
		try(fmt.Sprintf("cut at %d", at), whole[:at], 2, 3)
		altered := bytes.Clone(whole)
		altered[at] ^= 4
		try(fmt.Sprintf("altered at %d", at), altered, 2, 3)
	}
	for at := range 240 {
		altered := bytes.Clone(whole)
		altered[at] ^= 1
		if at%8 == 0 || *full {
			try(fmt.Sprintf("altered at %d", at), altered, 2, 3)
		}
	}
	for _, n := range []int{1, 16, 65_536} {
		try(fmt.Sprintf("%d bytes behind it", n), append(bytes.Clone(whole), make([]byte, n)...), 3)
	}
	if codes[0] > 0 || codes[3] < 100 {
		t.Errorf("exit codes: %v", codes)
	}
	t.Logf("exit codes: %v", codes)
}
