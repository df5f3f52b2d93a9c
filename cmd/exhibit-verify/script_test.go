package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"exhibit-verify": main})
}

// TestScripts runs the program as people type it, on two cases that package sample makes: "sealed", and "open", which is the same before its seal. KEY is the key that
// signed them, OTHER is another one.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("testdata", "script"),
		Setup: setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"empty":     empty,
			"exits":     exits,
			"flip":      flip,
			"printable": printable,
			"zero":      zero,
			"cut":       cut,
			"replace":   replace,
		},
	})
}

// firstBody is what the sample's first answer with status 200 brings.
const firstBody = `{"value":[{"Id":"a1","Operation":"Logon"},{"Id":"a2","Operation":"Search"}],"n":1}` + "\r\n"

func setup(e *testscript.Env) error {
	t := e.T().(testing.TB)
	open, sealed := sample.Small(t), sample.Small(t)
	open.Close()
	sealed.Seal()
	if err := os.WriteFile(filepath.Join(e.WorkDir, "first-body"), []byte(firstBody), 0o600); err != nil {
		return err
	}
	e.Setenv("KEY", sealed.Key.VerifierKey())
	e.Setenv("OTHER", sample.Key(t, 77).VerifierKey())
	for dir, m := range map[string]*sample.Maker{"open": open, "sealed": sealed} {
		for name, content := range m.Folder.Files() {
			path := filepath.Join(e.WorkDir, dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				return err
			}
		}
	}
	return errors.Join(setupPacked(e, sealed), setupMailboxes(e, t))
}

// setupPacked writes the sealed case as one file: "sealed.zip", "longer.zip" with a byte more, and "repacked.zip", which the standard library makes of the same
// files. Temporary files go to "tmp".
func setupPacked(e *testscript.Env, sealed *sample.Maker) error {
	key, err := trust.ParseVKey(sealed.Key.VerifierKey())
	if err != nil {
		return err
	}
	var packed, repacked bytes.Buffer
	if err := bag.Pack(context.Background(), &packed, sealed.Folder.FS(), []trust.VKey{key}); err != nil {
		return err
	}
	w := zip.NewWriter(&repacked)
	if err := errors.Join(w.AddFS(sealed.Folder.FS()), w.Close()); err != nil {
		return err
	}
	e.Setenv("TMPDIR", filepath.Join(e.WorkDir, "tmp"))
	e.Setenv("TMP", filepath.Join(e.WorkDir, "tmp"))
	return errors.Join(os.Mkdir(filepath.Join(e.WorkDir, "tmp"), 0o700),
		os.WriteFile(filepath.Join(e.WorkDir, "sealed.zip"), packed.Bytes(), 0o600),
		os.WriteFile(filepath.Join(e.WorkDir, "longer.zip"), append(bytes.Clone(packed.Bytes()), 0), 0o600),
		os.WriteFile(filepath.Join(e.WorkDir, "repacked.zip"), repacked.Bytes(), 0o600),
		setupEncrypted(e, packed.Bytes()))
}

// setupEncrypted writes the packed case encrypted: to an age key, to the SSH keys "ssh" and "protected" in one file, and with a passphrase. The keys are those that other
// programs made for the tests of package bag.
func setupEncrypted(e *testscript.Env, packed []byte) error {
	keys := filepath.Join("..", "..", "evidence", "bag", "testdata", "age")
	for to, from := range map[string]string{"identity": "identity.txt", "other": "other.txt", "ssh": "id_ed25519", "protected": "id_protected", "armored.age": "armored.age"} {
		b, err := os.ReadFile(filepath.Join(keys, from))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(e.WorkDir, to), b, 0o600); err != nil {
			return err
		}
	}
	var one, ssh bag.Recipients
	err := one.Add("age1tc9w5sexdkth8a78dszf3578vdnrmddajhfe9k3wa90w0yxwy5vs0rkk9q")
	for _, name := range []string{"id_ed25519.pub", "id_protected.pub"} {
		b, rerr := os.ReadFile(filepath.Join(keys, name))
		err = errors.Join(err, rerr, ssh.AddText(b))
	}
	known, perr := bag.WithPassphrase("open sesame")
	if err := errors.Join(err, perr); err != nil {
		return err
	}
	return errors.Join(encrypted(e, "key.age", packed, &one), encrypted(e, "ssh.age", packed, &ssh), encrypted(e, "passphrase.age", packed, known),
		encrypted(e, "other.age", []byte("no case"), &one))
}

func encrypted(e *testscript.Env, name string, plain []byte, to *bag.Recipients) error {
	var b bytes.Buffer
	w, err := bag.Encrypt(&b, to)
	if err != nil {
		return err
	}
	_, err = w.Write(plain)
	return errors.Join(err, w.Close(), os.WriteFile(filepath.Join(e.WorkDir, name), b.Bytes(), 0o600))
}

// empty DIR fails if there is anything in a folder.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	left, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if (len(left) == 0) == neg {
		ts.Fatalf("%s holds %d files", args[0], len(left))
	}
}

// exits CODE PROGRAM ARGS… runs a program, which must exit with CODE. stdout and stderr then match what it printed.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		if _, err := fmt.Sscanf(err.Error(), "exit status %d", &got); err != nil {
			ts.Fatalf("%s: %v", args[1], err)
		}
	}
	if got != want {
		ts.Fatalf("exit code %d, expected %d\n%s%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// flip FILE OFFSET changes one bit of a file.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	b[at] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

// cut FILE LENGTH leaves the first bytes of a file.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// replace FILE OLD NEW replaces text that is there, in which \n is a line feed.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	path, lf := ts.MkAbs(args[0]), strings.NewReplacer(`\n`, "\n")
	b, err := os.ReadFile(path)
	ts.Check(err)
	changed := bytes.Replace(b, []byte(lf.Replace(args[1])), []byte(lf.Replace(args[2])), 1)
	if bytes.Equal(b, changed) {
		ts.Fatalf("%s does not hold %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, changed, 0o600))
}

// zero FILE OFFSET LENGTH writes zeros over a part of a file, as a bad disk block reads.
func zero(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	clear(b[at:min(at+n, len(b))])
	ts.Check(os.WriteFile(path, b, 0o600))
}

// printable FILE… fails if a file holds a control or format character other than LF and TAB. With ! it must.
func printable(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		at := strings.IndexFunc(ts.ReadFile(name), func(r rune) bool {
			return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar
		})
		if (at >= 0) != neg {
			ts.Fatalf("%s: unprintable character at %d", name, at)
		}
	}
}
