package verify_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// witnessSeed is of a key that no case allows, ownSeed of the one that the sample case is signed with.
const (
	ownSeed     = 9
	witnessSeed = 77
)

func vkey(t *testing.T, k *trust.PrivateKey) trust.VKey {
	t.Helper()
	v, err := trust.ParseVKey(k.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// headText is the text of the head over size entries, 0 for the newest, and that size.
func headText(t *testing.T, files map[string][]byte, size int64) (string, int64) {
	t.Helper()
	if size == 0 {
		for name := range files {
			if n, ok := strings.CutPrefix(name, evidence.CheckpointsPath+"/"); ok {
				size = max(size, evidence.NoteSize(n))
			}
		}
	}
	text, _, err := trust.Verify(files[evidence.NotePath(size)], []trust.VKey{vkey(t, sample.Key(t, ownSeed))})
	if err != nil {
		t.Fatal(err)
	}
	return text, size
}

func signNote(t *testing.T, text string, seeds ...byte) []byte {
	t.Helper()
	var keys []trust.Signer
	for _, seed := range seeds {
		keys = append(keys, sample.Key(t, seed))
	}
	note, err := trust.Sign(t.Context(), text, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return note
}

// cosign adds a cosignature of the head over size entries, 0 for the newest, and returns its path.
func cosign(t *testing.T, files map[string][]byte, size int64, seed byte) string {
	t.Helper()
	text, size := headText(t, files, size)
	path := evidence.CosignaturePath(size, vkey(t, sample.Key(t, seed)))
	files[path] = signNote(t, text, seed)
	return path
}

// cosigned makes a sealed case with one cosignature, which change then alters.
func cosigned(seed byte, change func(t *testing.T, files map[string][]byte, path string)) func(*testing.T) map[string][]byte {
	return altered(func(t *testing.T, files map[string][]byte) {
		path := cosign(t, files, 0, seed)
		if change != nil {
			change(t, files, path)
		}
	})
}

// moved gives the cosignature another name.
func moved(name func(old string) string) func(*testing.T, map[string][]byte, string) {
	return func(_ *testing.T, files map[string][]byte, path string) {
		files[name(path)] = files[path]
		delete(files, path)
	}
}

// retold signs another text in the place of the cosignature's.
func retold(seed byte, change func(h *trust.Head)) func(*testing.T, map[string][]byte, string) {
	return func(t *testing.T, files map[string][]byte, path string) {
		text, _ := headText(t, files, 0)
		h, err := trust.ParseHead(text)
		if err != nil {
			t.Fatal(err)
		}
		change(&h)
		if text, err = h.Text(); err != nil {
			t.Fatal(err)
		}
		files[path] = signNote(t, text, seed)
	}
}

// twoKeys is a sealed case in which two keys may sign, of which the first signed.
func twoKeys(t *testing.T) map[string][]byte {
	m := sample.New(t, nil)
	m.Append(&evidence.Draft{Body: &evidence.Key{Action: "allow", Key: sample.Key(t, 42).VerifierKey(), Text: "a second examiner"}})
	m.Seal()
	return m.Folder.Files()
}

// relieved is a sealed case that a second key goes on with, alone and then beside the first, and that the second seals.
func relieved(t *testing.T) map[string][]byte {
	m := sample.New(t, nil)
	second := sample.Key(t, 42)
	m.Append(&evidence.Draft{Body: &evidence.Key{Action: "allow", Key: second.VerifierKey(), Text: "the second examiner goes on"}})
	m.Close()
	goOn := func(seed byte, seal bool, keys ...trust.Signer) {
		w, _, err := evidence.Open(t.Context(), evidence.Options{Folder: m.Folder, Signers: keys, Now: sample.Clock(), Rand: sample.Rand(seed), Software: "exhibit sample"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Append(t.Context(), &evidence.Draft{Start: sample.Clock()(), Body: &evidence.Operator{Action: evidence.ActionNote, Text: "going on", Fields: []evidence.Pair{}}})
		if err == nil && seal {
			err = w.Seal(t.Context(), sample.SealOptions(t))
		}
		if err := errors.Join(err, w.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	goOn(5, false, second)
	goOn(6, false, m.Key, second)
	goOn(7, true, second)
	return m.Folder.Files()
}

func cosignRecipes() []recipe {
	replace := func(old, with string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, with, 1) }
	}
	flip := func(_ *testing.T, files map[string][]byte, path string) { // the last byte of the signature
		b := files[path]
		at := bytes.LastIndexByte(b, ' ') + 1
		sig, err := base64.StdEncoding.DecodeString(string(b[at : len(b)-1]))
		if err != nil {
			panic(err)
		}
		sig[40] ^= 1
		files[path] = fmt.Appendf(b[:at:at], "%s\n", base64.StdEncoding.EncodeToString(sig))
	}
	return append(cosignHeadRecipes(), []recipe{
		{name: "keys-over-time", exit: 0, about: "two keys sign one case in turn and together, and the second seals it", make: relieved},
		{name: "cosigned-by-a-key-of-the-case", exit: 0, about: "a key that the case allows and that did not sign the head cosigned it", make: func(t *testing.T) map[string][]byte {
			files := twoKeys(t)
			cosign(t, files, 0, 42)
			return files
		}},
		{name: "cosigned-by-a-stranger", code: "cosignature-unchecked", exit: 0, about: "a key that nobody knows cosigned the final head", make: cosigned(witnessSeed, nil)},
		{name: "cosigned-earlier", code: "cosignature-unchecked", exit: 0, about: "a key that nobody knows cosigned a head before the final one", make: altered(func(t *testing.T, files map[string][]byte) {
			cosign(t, files, smallestHead(files), witnessSeed)
		})},
		{name: "cosigned-open", code: "cosignature-unchecked", exit: 4, about: "a case that is not sealed, with a cosignature", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			cosign(t, files, 0, witnessSeed)
			return files
		}},
		{name: "cosignature-signature", code: "cosignature-signature", exit: 3, about: "one bit of a cosignature by a key that the case allows is another", make: cosigned(ownSeed, flip)},
		{name: "cosignature-signature-of-stranger", code: "cosignature-unchecked", exit: 0, about: "one bit of a cosignature by a key that nobody knows is another: without the key nobody can tell", make: cosigned(witnessSeed, flip)},
		{name: "cosignature-name-size-zero", code: "cosignature-form", exit: 3, about: "a cosignature of the head over no entries", make: cosigned(witnessSeed, moved(func(s string) string {
			return "stamps/0-" + s[strings.Index(s, "-")+1:]
		}))},
		{name: "cosignature-name-leading-zero", code: "cosignature-form", exit: 3, about: "a cosignature whose size has a zero before it", make: cosigned(witnessSeed, moved(replace("stamps/", "stamps/0")))},
		{name: "cosignature-name-no-size", code: "cosignature-form", exit: 3, about: "a cosignature without a size in its name", make: cosigned(witnessSeed, moved(func(s string) string { return "stamps/" + s[strings.Index(s, "-")+1:] }))},
		{name: "cosignature-name-short", code: "cosignature-form", exit: 3, about: "a cosignature whose name has a digit of the hash less", make: cosigned(witnessSeed, moved(func(s string) string { return s[:strings.Index(s, ".")-1] + evidence.CosignatureSuffix }))},
		{name: "cosignature-name-capitals", code: "cosignature-form", exit: 3, about: "a cosignature whose name has the hash in capitals", make: cosigned(witnessSeed, moved(func(s string) string {
			at, end := strings.Index(s, "-"), strings.Index(s, ".")
			return s[:at] + strings.ToUpper(s[at:end]) + s[end:]
		}))},
		{name: "cosignature-name-bare", code: "cosignature-form", exit: 3, about: "a cosignature with no name but its end", make: cosigned(witnessSeed, moved(func(string) string { return "stamps/" + evidence.CosignatureSuffix }))},
		{name: "cosignature-name-of-other-key", code: "cosignature-form", exit: 3, about: "a cosignature by a key of the case under the name of another key", make: cosigned(ownSeed, func(t *testing.T, files map[string][]byte, path string) {
			moved(func(string) string {
				_, size := headText(t, files, 0)
				return evidence.CosignaturePath(size, vkey(t, sample.Key(t, witnessSeed)))
			})(t, files, path)
		})},
		{name: "cosignature-by-other-key", code: "cosignature-form", exit: 3, about: "a cosignature by a stranger under the name of a key of the case", make: cosigned(witnessSeed, func(t *testing.T, files map[string][]byte, path string) {
			moved(func(string) string {
				_, size := headText(t, files, 0)
				return evidence.CosignaturePath(size, vkey(t, sample.Key(t, ownSeed)))
			})(t, files, path)
		})},
		{name: "cosignature-two-keys", code: "cosignature-form", exit: 3, about: "a cosignature with the signature lines of two keys", make: cosigned(witnessSeed, func(t *testing.T, files map[string][]byte, path string) {
			text, _ := headText(t, files, 0)
			files[path] = signNote(t, text, witnessSeed, 78)
		})},
		{name: "cosignature-unsigned", code: "cosignature-form", exit: 3, about: "a cosignature without a signature line", make: cosigned(witnessSeed, func(t *testing.T, files map[string][]byte, path string) {
			text, _ := headText(t, files, 0)
			files[path] = []byte(text + "\n")
		})},
		{name: "cosignature-empty", code: "cosignature-form", exit: 3, about: "a cosignature that is an empty file", make: cosigned(witnessSeed, func(_ *testing.T, files map[string][]byte, path string) { files[path] = nil })},
		{name: "cosignature-trailing", code: "cosignature-form", exit: 3, about: "a cosignature with an empty line behind it", make: cosigned(witnessSeed, func(_ *testing.T, files map[string][]byte, path string) {
			files[path] = append(bytes.Clone(files[path]), '\n')
		})},
		{name: "cosignature-long", code: "cosignature-form", exit: 3, about: "a cosignature of more than 65,535 bytes", make: cosigned(witnessSeed, func(_ *testing.T, files map[string][]byte, path string) {
			files[path] = append(bytes.Clone(files[path]), bytes.Repeat([]byte{'x'}, 1<<16)...)
		})},
		{name: "cosignature-folder", code: "cosignature-form", exit: 3, about: "a folder with the name of a cosignature", make: sealed,
			extra: []tar.Header{{Name: "stamps", Typeflag: tar.TypeDir, Mode: 0o700}, {Name: "stamps/1-" + strings.Repeat("0", 32) + evidence.CosignatureSuffix, Typeflag: tar.TypeDir, Mode: 0o700}}},
		{name: "cosignature-link", code: "cosignature-form", exit: 3, about: "a link with the name of a cosignature", make: sealed,
			extra: []tar.Header{{Name: "stamps", Typeflag: tar.TypeDir, Mode: 0o700},
				{Name: "stamps/1-" + strings.Repeat("0", 32) + evidence.CosignatureSuffix, Typeflag: tar.TypeSymlink, Linkname: "../package.note"}}},
		{name: "cosignature-many", code: "cosignature-form", exit: 3, about: "more cosignatures than a case may have", make: cosigned(witnessSeed, func(t *testing.T, files map[string][]byte, path string) {
			_, size := headText(t, files, 0)
			for i := range 1024 {
				files[fmt.Sprintf("stamps/%d-%032x%s", size, i, evidence.CosignatureSuffix)] = files[path]
			}
		})},
	}...)
}

// cosignHeadRecipes are cosignatures of what is no head of the case.
func cosignHeadRecipes() []recipe {
	return []recipe{
		{name: "cosignature-head-root", code: "cosignature-head", exit: 3, about: "a stranger signed a head of the same size with another root: another history", make: cosigned(witnessSeed, retold(witnessSeed, func(h *trust.Head) { h.Root[0] ^= 1 }))},
		{name: "cosignature-head-root-known", code: "cosignature-head", exit: 3, about: "a key of the case signed a head of the same size with another root", make: cosigned(ownSeed, retold(ownSeed, func(h *trust.Head) { h.Root[0] ^= 1 }))},
		{name: "cosignature-head-origin", code: "cosignature-head", exit: 3, about: "a cosignature of a head of another case", make: cosigned(witnessSeed, retold(witnessSeed, func(h *trust.Head) { h.Origin = evidence.Origin(strings.Repeat("f", 32)) }))},
		{name: "cosignature-head-size", code: "cosignature-head", exit: 3, about: "a cosignature whose text has another size than its name", make: cosigned(witnessSeed, retold(witnessSeed, func(h *trust.Head) { h.Size++ }))},
		{name: "cosignature-head-none", code: "cosignature-head", exit: 3, about: "a cosignature over more entries than there are", make: cosigned(witnessSeed, func(t *testing.T, files map[string][]byte, path string) {
			retold(witnessSeed, func(h *trust.Head) { h.Size = 4096 })(t, files, path)
			moved(func(s string) string { return "stamps/4096" + s[strings.Index(s, "-"):] })(t, files, path)
		})},
		{name: "cosignature-of-package-note", code: "cosignature-head", exit: 3, about: "a cosignature of package.note's text instead of a head's", make: cosigned(ownSeed, func(_ *testing.T, files map[string][]byte, path string) { files[path] = files["package.note"] })},
	}
}

// smallestHead is the size of the first head.
func smallestHead(files map[string][]byte) int64 {
	var sizes []int64
	for name := range files {
		if n, ok := strings.CutPrefix(name, evidence.CheckpointsPath+"/"); ok {
			sizes = append(sizes, evidence.NoteSize(n))
		}
	}
	return slices.Min(sizes)
}

// TestPinnedCosigner pins keys that cosigned, sealed, did both or neither, and has verify.py answer the same.
func TestPinnedCosigner(t *testing.T) {
	own, witness, third := vkey(t, sample.Key(t, ownSeed)), vkey(t, sample.Key(t, witnessSeed)), vkey(t, sample.Key(t, 78))
	final, early := sealed(t), sealed(t)
	cosign(t, final, 0, witnessSeed)
	cosign(t, early, smallestHead(early), witnessSeed)
	open := unsealed(t).Build(t)
	cosign(t, open, 0, witnessSeed)
	both, forged, other := maps.Clone(final), maps.Clone(final), maps.Clone(final)
	cosign(t, both, 0, 78)
	path := evidence.CosignaturePath(headSize(t, final), witness)
	forged[path] = fmt.Appendf(nil, "%s\n— %s %s\n", first(headText(t, final, 0)), witness.Name(), base64.StdEncoding.EncodeToString(append(idBytes(witness), make([]byte, 64)...)))
	retold(witnessSeed, func(h *trust.Head) { h.Root[5] ^= 1 })(t, other, path)
	for _, c := range []struct {
		name  string
		files map[string][]byte
		keys  []trust.VKey
		exit  int
		b     verify.Holds
		says  string
	}{
		{"nobody", final, nil, 0, verify.NotChecked, "signer not checked: give --key"},
		{"the cosigner", final, []trust.VKey{witness}, 0, verify.NotChecked, "examiner.example/77 cosigned the newest head"},
		{"sealer and cosigner", final, []trust.VKey{own, witness}, 0, verify.Yes, "examiner.example/9 signed; examiner.example/77 cosigned the newest head"},
		{"the sealer", final, []trust.VKey{own}, 0, verify.Yes, "each pinned key signed"},
		{"two cosigners", both, []trust.VKey{witness, third}, 0, verify.NotChecked, "examiner.example/77, examiner.example/78 cosigned"},
		{"cosigner and somebody who is not there", final, []trust.VKey{witness, third}, 8, verify.No, "see the findings"},
		{"one who cosigned an earlier head", early, []trust.VKey{witness}, 8, verify.No, "see the findings"},
		{"the cosigner of an open case", open, []trust.VKey{witness}, 4, verify.NotChecked, "examiner.example/77 cosigned the newest head"},
		{"one in whose name somebody else cosigned", forged, []trust.VKey{witness}, 3, verify.No, "see the findings"},
		{"one who cosigned another history", other, []trust.VKey{witness}, 3, verify.No, "see the findings"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _, err := verify.Check(context.Background(), mapFS(c.files), verify.Options{Keys: c.keys})
			if err != nil {
				t.Fatal(err)
			}
			b := r.Statements[1]
			if r.Exit() != c.exit || b.Holds != c.b || !strings.Contains(b.Why, c.says) {
				t.Errorf("exit %d, (b) %s: %s; want exit %d, %s: %s\n%v", r.Exit(), b.Holds, b.Why, c.exit, c.b, c.says, r.Findings)
			}
			for _, s := range r.Cosignatures {
				if s.Pinned != slices.ContainsFunc(c.keys, func(k trust.VKey) bool { return k.String() == s.Key }) {
					t.Errorf("pinned %v: %+v", c.keys, s)
				}
			}
			strangerSays(t, c.files, c.keys, c.exit)
		})
	}
}

// strangerSays has verify.py check the same case with the same keys.
func strangerSays(t *testing.T, files map[string][]byte, keys []trust.VKey, exit int) {
	t.Helper()
	for _, tool := range []string{"python3", "zstd", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
				t.Fatal(err)
			}
			t.Log("NOT TESTED, " + tool + " is missing: that verify.py says the same of pinned cosigners")
			return
		}
	}
	dir := filepath.Join(t.TempDir(), "case")
	(&vector{files: files}).unpack(t, dir)
	args := []string{"../evidence/bag/stranger/verify.py"}
	for _, k := range keys {
		args = append(args, "--key", k.String())
	}
	out, err := exec.Command("python3", append(args, dir)...).CombinedOutput()
	if got := exitOf(err); got != exit {
		t.Errorf("verify.py ends with %d, want %d\n%s", got, exit, out)
	}
}

func headSize(t *testing.T, files map[string][]byte) int64 {
	_, size := headText(t, files, 0)
	return size
}

func first(text string, _ int64) string { return text }

// idBytes are the four bytes before a signature.
func idBytes(k trust.VKey) []byte {
	return []byte{byte(k.ID() >> 24), byte(k.ID() >> 16), byte(k.ID() >> 8), byte(k.ID())}
}

// TestSalvageForCosigner salvages for somebody who pinned a cosigner alone: what that key cosigned is given, and without its cosignature nothing.
func TestSalvageForCosigner(t *testing.T) {
	w := newWreckable(t, true)
	files := with(w.files, seg1, zeroed(w.files[seg1], 3000, 3016))
	keys := verify.Options{Keys: []trust.VKey{vkey(t, sample.Key(t, witnessSeed))}}
	got, err := w.salvaged(files, keys, verify.Salvage)
	if err != nil || len(got.given) != 0 {
		t.Errorf("without a cosignature: %d entries are given, %v", len(got.given), err)
	}
	path := cosign(t, files, 0, witnessSeed)
	if got, err = w.salvaged(files, keys, verify.Salvage); err != nil || len(got.given) < 5 {
		t.Errorf("with one: %d entries are given, %v", len(got.given), err)
	}
	retold(witnessSeed, func(h *trust.Head) { h.Root[3] ^= 1 })(t, files, path)
	if got, err = w.salvaged(files, keys, verify.Salvage); err != nil || len(got.given) != 0 {
		t.Errorf("with one over another root: %d entries are given, %v", len(got.given), err)
	}
	files[path] = signNote(t, first(headText(t, files, 0)), 78)
	if got, err = w.salvaged(files, keys, verify.Salvage); err != nil || len(got.given) != 0 {
		t.Errorf("with one by another key: %d entries are given, %v", len(got.given), err)
	}
}
