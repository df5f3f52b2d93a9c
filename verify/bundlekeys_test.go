package verify_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// TestOnlyPinnedKeysCount has cases in which keys are not what they seem: made whole by somebody whose key has the examiner's name, with the examiner's key allowed and
// not used, or with a signature in its name. Only a key that the user pinned says who signed, whatever the case says of keys.
func TestOnlyPinnedKeysCount(t *testing.T) {
	own := sample.Key(t, ownSeed)
	evil, err := trust.NewKey(sample.Rand(43), vkey(t, own).Name())
	if err != nil {
		t.Fatal(err)
	}
	made := func(allow ...trust.VKey) map[string][]byte {
		m := sample.New(t, func(o *evidence.Options) { o.Signers = []trust.Signer{evil} })
		for _, k := range allow {
			m.Append(&evidence.Draft{Body: &evidence.Key{Action: "allow", Key: k.String(), Text: "the examiner's"}})
		}
		m.Seal()
		return m.Folder.Files()
	}
	inName := func(files map[string][]byte, note string) map[string][]byte {
		k := vkey(t, own)
		files[note] = fmt.Appendf(files[note], "— %s %s\n", k.Name(), base64.StdEncoding.EncodeToString(append(idBytes(k), make([]byte, 64)...)))
		return files
	}
	for _, c := range []struct {
		name  string
		files map[string][]byte
		keys  []trust.VKey
		exit  int
		b     verify.Holds
		says  string
	}{
		{"made by another, nothing pinned", made(), nil, 0, verify.NotChecked, "a key found in the bundle proves nothing"},
		{"made by another with the examiner's name", made(), []trust.VKey{vkey(t, own)}, 8, verify.No, "see the findings"},
		{"made by another, who is pinned", made(), []trust.VKey{vkey(t, evil)}, 0, verify.Yes, "each pinned key signed"},
		{"the examiner's key is allowed and signed nothing", made(vkey(t, own)), []trust.VKey{vkey(t, own)}, 8, verify.No, "see the findings"},
		{"a signature in the name of the examiner's key", inName(made(), "package.note"), []trust.VKey{vkey(t, own)}, 3, verify.No, "see the findings"},
		{"the same, and the key is allowed", inName(made(vkey(t, own)), "package.note"), []trust.VKey{vkey(t, own)}, 3, verify.No, "see the findings"},
		{"the same, nothing pinned", inName(made(vkey(t, own)), "package.note"), nil, 3, verify.NotChecked, "a key found in the bundle proves nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _, err := verify.Check(context.Background(), mapFS(c.files), verify.Options{Keys: c.keys})
			if err != nil {
				t.Fatal(err)
			}
			if b := r.Statements[1]; r.Exit() != c.exit || b.Holds != c.b || !strings.Contains(b.Why, c.says) {
				t.Errorf("exit %d, (b) %s: %s; want exit %d, %s: %s\n%v", r.Exit(), b.Holds, b.Why, c.exit, c.b, c.says, r.Findings)
			}
			strangerSays(t, c.files, c.keys, c.exit)
		})
	}
}
