package casefile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// registered makes a case that is in the installation log, and closes it.
func registered(t *testing.T, env casefile.Env, dir string) (id string, err error) {
	t.Helper()
	c, err := casefile.New(context.Background(), env, dir, casefile.NewOptions{Register: true,
		Fields: []evidence.Pair{{Name: "case-number", Value: "1"}, {Name: "exhibit", Value: "E"}, {Name: "examiner", Value: "Jo"}}})
	if err != nil {
		return "", err
	}
	return c.ID(), c.Close(context.Background())
}

// statements are those of a case about its installation.
func statements(t *testing.T, dir string) (all []*evidence.InstallationStatement) {
	t.Helper()
	for b, err := range evidence.Batches(t.Context(), os.DirFS(dir)) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Entries {
			var fields []evidence.Pair
			switch b := e.Body.(type) {
			case *evidence.Case:
				fields = evidence.InstallationFields(b.Tool)
			case *evidence.Operator:
				fields = b.Fields
			}
			if fields == nil {
				continue
			}
			s, err := evidence.ParseInstallationStatement(fields)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
	}
	return all
}

// TestInstallationLog opens cases one after the other: each is a leaf, each states where it stands, and every head extends the one before.
func TestInstallationLog(t *testing.T) {
	tmp := t.TempDir()
	env := environment(tmp)
	if _, err := casefile.ReadInstallation(env.ConfigDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
	var before *trust.Head
	for i := range 6 {
		dir := filepath.Join(tmp, fmt.Sprint("case", i))
		id, err := registered(t, env, dir)
		if err != nil {
			t.Fatal(err)
		}
		n, err := casefile.ReadInstallation(env.ConfigDir)
		if err != nil || n.Size != int64(i+1) || n.Leaves[i].Case != id {
			t.Fatalf("%+v %v", n, err)
		}
		key, err := casefileKey(env)
		if err != nil {
			t.Fatal(err)
		}
		text, _, err := trust.Verify(n.Note, []trust.VKey{key})
		if err != nil {
			t.Fatal(err)
		}
		head, err := trust.ParseHead(text)
		if err != nil || head.Origin != n.Origin || !evidence.IsInstallationOrigin(head.Origin) {
			t.Fatalf("%+v %v", head, err)
		}
		all := statements(t, dir)
		if len(all) != 1 || all[0].Leaf.Case != id || all[0].Note != string(n.Note) {
			t.Fatalf("%+v", all)
		}
		if err := evidence.CheckInclusion(evidence.LeafHash([]byte(all[0].Leaf.String())), int64(i), head.Size, head.Root, all[0].Proof); err != nil {
			t.Error(err)
		}
		if before != nil {
			raw, err := n.Proofs(t.Context(), before.Size)
			var path []evidence.Hash
			for _, h := range raw {
				path = append(path, h)
			}
			if err := errors.Join(err, evidence.CheckConsistency(before.Size, before.Root, head.Size, head.Root, path)); err != nil {
				t.Error(err)
			}
		}
		before = &head
	}
	// By the time of its seal, the first case tells of the others.
	c, err := casefile.Open(t.Context(), env, filepath.Join(tmp, "case0"), casefile.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StateInstallation(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if all := statements(t, filepath.Join(tmp, "case0")); len(all) != 2 || all[1].Leaf.Seq != 0 || !strings.Contains(all[1].Note, "\n6\n") {
		t.Errorf("%+v", all)
	}
	log := filepath.Join(env.ConfigDir, "installation", "log")
	if err := os.WriteFile(log, []byte("not a log\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.StateInstallation(t.Context()); err != nil { // nor does a broken log keep anybody from sealing
		t.Errorf("a broken log: %v", err)
	}
}

// TestInstallationOfSeveralKeys: where another case's key signed the newest head of the log, a case states that head under a key of its own.
func TestInstallationOfSeveralKeys(t *testing.T) {
	tmp := t.TempDir()
	env := environment(tmp)
	dir := filepath.Join(tmp, "case0")
	if _, err := registered(t, env, dir); err != nil {
		t.Fatal(err)
	}
	key, err := trust.NewKey(env.Rand, "other.example/key")
	if err != nil {
		t.Fatal(err)
	}
	other, err := casefile.New(t.Context(), env, filepath.Join(tmp, "case1"), casefile.NewOptions{Fields: fields(), Register: true, Signers: []trust.Signer{key}})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context())
	c, err := casefile.Open(t.Context(), env, dir, casefile.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := c.StateInstallation(t.Context()); err != nil {
		t.Fatal(err)
	}
	own, err := casefileKey(env)
	all := statements(t, dir)
	if err != nil || len(all) != 2 {
		t.Fatalf("%v %+v", err, all)
	}
	text, _, err := trust.Verify([]byte(all[1].Note), []trust.VKey{own})
	if head, _ := trust.ParseHead(text); err != nil || head.Size != 2 {
		t.Errorf("%q: %v", all[1].Note, err)
	}
}

func casefileKey(env casefile.Env) (trust.VKey, error) {
	key, _, err := casefile.DefaultKey(env, nil)
	if err != nil {
		return trust.VKey{}, err
	}
	return trust.ParseVKey(key.VerifierKey())
}

// TestInstallationDamaged: a log that is not what its head commits to gets no case; one whose last write was interrupted goes on.
func TestInstallationDamaged(t *testing.T) {
	log := func(env casefile.Env) string { return filepath.Join(env.ConfigDir, "installation", "log") }
	change := func(f func(string) string) func(*testing.T, casefile.Env) {
		return func(t *testing.T, env casefile.Env) {
			b, err := os.ReadFile(log(env))
			if err == nil {
				err = os.WriteFile(log(env), []byte(f(string(b))), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		do      func(*testing.T, casefile.Env)
		damaged bool
	}{
		"nothing":                    {func(*testing.T, casefile.Env) {}, false},
		"half a line at the end":     {change(func(s string) string { return s + "3 00" }), false},
		"a leaf without a head":      {change(func(s string) string { return s + "3 " + strings.Repeat("a", 32) + " 2026-11-22T10:00:00.000000Z\n" }), false},
		"the last case is gone":      {change(func(s string) string { return s[:strings.LastIndex(s[:len(s)-1], "\n")+1] }), true},
		"the last LF is gone":        {change(func(s string) string { return s[:len(s)-1] }), true},
		"all are gone":               {change(func(string) string { return "" }), true},
		"another case in the middle": {change(func(s string) string { i := strings.Index(s, "\n1 ") + 3; return s[:i] + "00000000" + s[i+8:] }), true},
		"a second spelling":          {change(func(s string) string { return strings.Replace(s, "\n1 ", "\n01 ", 1) }), true},
		"the id is gone": {func(t *testing.T, env casefile.Env) {
			if err := os.Remove(filepath.Join(env.ConfigDir, "installation", "id")); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			tmp := t.TempDir()
			env := environment(tmp)
			for i := range 3 {
				if _, err := registered(t, env, filepath.Join(tmp, fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
			}
			c.do(t, env)
			before, _ := os.ReadFile(log(env))
			_, err := registered(t, env, filepath.Join(tmp, "next"))
			if errors.Is(err, casefile.ErrInstallation) != c.damaged || !c.damaged && err != nil {
				t.Errorf("%v", err)
			}
			after, _ := os.ReadFile(log(env))
			if c.damaged && string(after) != string(before) {
				t.Error("the damaged log was changed")
			}
			if n, err := casefile.ReadInstallation(env.ConfigDir); !c.damaged && (err != nil || n.Size != int64(len(n.Leaves))) {
				t.Errorf("%+v %v", n, err)
			}
		})
	}
}

// TestInstallationTogether opens cases at the same time: each gets a leaf of its own.
func TestInstallationTogether(t *testing.T) {
	tmp := t.TempDir()
	env := environment(tmp)
	if _, err := registered(t, env, filepath.Join(tmp, "first")); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			if _, err := registered(t, env, filepath.Join(tmp, fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n, err := casefile.ReadInstallation(env.ConfigDir); err != nil || n.Size != 5 {
		t.Errorf("%+v %v", n, err)
	}
}
