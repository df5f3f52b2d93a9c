package sample

import (
	"bytes"
	"testing"
)

// TestForgeIsFaithful takes a case apart and puts it together unchanged: the bytes must be the same.
func TestForgeIsFaithful(t *testing.T) {
	m := Small(t)
	m.Close()
	want := m.Folder.Files()
	got := m.Forge().Build(t)
	for name, b := range want {
		if !bytes.Equal(got[name], b) {
			t.Errorf("%s differs", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
}

// TestSmallIsAlwaysTheSame makes the sealed case twice.
func TestSmallIsAlwaysTheSame(t *testing.T) {
	var all []map[string][]byte
	for range 2 {
		m := Small(t)
		m.Seal()
		all = append(all, m.Folder.Files())
	}
	for name, b := range all[0] {
		if !bytes.Equal(all[1][name], b) {
			t.Errorf("%s differs", name)
		}
	}
}
