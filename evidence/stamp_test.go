package evidence_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

func TestTokenNames(t *testing.T) {
	for name, want := range map[string]int64{
		"12.tsr": 12, "12.2.tsr": 12, "12.16.tsr": 12, "12.1.tsr": -1, "12.17.tsr": -1, "12.02.tsr": -1, "012.tsr": -1, "0.tsr": -1, "-1.tsr": -1, "+1.tsr": -1, "12.note": -1, "12": -1,
		".tsr": -1, "12.tsr.tsr": -1, "12..tsr": -1, "12.2.2.tsr": -1, "99999999999999999999.tsr": -1, " 12.tsr": -1,
	} {
		if got := evidence.TokenSize(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
	for n := 1; n <= evidence.MaxTokens; n++ {
		if p := evidence.TokenPath(7, n); evidence.TokenSize(p[len(evidence.CheckpointsPath)+1:]) != 7 {
			t.Errorf("%s", p)
		}
	}
}

func stamp(size int64, der string) evidence.Stamp {
	return evidence.Stamp{Size: size, DER: []byte(der), Authority: "http://tsa.example/", Nonce: "7", Operator: "jo", Host: "host.example"}
}

// TestStamp puts tokens beside a head and into the ledger, and numbers them.
func TestStamp(t *testing.T) {
	ctx := context.Background()
	m := sample.New(t, nil)
	m.Operator(evidence.ActionNote, "x")
	head, err := m.W.Newest(ctx)
	if err != nil || head.Size != 2 {
		t.Fatalf("%+v, %v", head, err)
	}
	for _, der := range []string{"one", "two"} {
		if err := m.W.Stamp(ctx, stamp(head.Size, der)); err != nil {
			t.Fatal(err)
		}
	}
	files := m.Folder.Files()
	if string(files["data/checkpoints/2.tsr"]) != "one" || string(files["data/checkpoints/2.2.tsr"]) != "two" || head.Note != string(files["data/checkpoints/2.note"]) {
		t.Errorf("%q", files)
	}
	var fields []evidence.Pair
	records := 0
	for b, err := range evidence.Batches(ctx, m.Folder.FS()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Entries {
			if op, ok := e.Body.(*evidence.Operator); ok && op.Action == evidence.ActionStamp {
				fields, records = append(fields, op.Fields...), records+len(e.Detail.Records)
			}
		}
	}
	want := []evidence.Pair{{Name: "head", Value: "2"}, {Name: "file", Value: "2.tsr"}, {Name: "authority", Value: "http://tsa.example/"}, {Name: "nonce", Value: "7"}}
	if records != 2 || len(fields) != 8 || !slices.Equal(fields[:4], want) || fields[5].Value != "2.2.tsr" {
		t.Errorf("%d records, %v", records, fields)
	}
	again, err := m.W.Newest(ctx)
	if err != nil || again.Size != 5 {
		t.Errorf("the head over the stamps: %+v, %v", again, err)
	}
}

// TestStampFinal writes the final head's tokens before the manifest, which covers them, and asks once.
func TestStampFinal(t *testing.T) {
	ctx := context.Background()
	m := sample.New(t, nil)
	asked := 0
	o := sample.SealOptions(t)
	o.Stamp = func(_ context.Context, head *evidence.Checkpoint) [][]byte {
		asked++
		if note, err := fs.ReadFile(m.Folder.FS(), evidence.NotePath(head.Size)); err != nil || string(note) != head.Note {
			t.Errorf("the note is not there yet: %v", err)
		}
		if _, err := fs.Stat(m.Folder.FS(), "manifest-sha256.txt"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the manifest is there: %v", err)
		}
		return [][]byte{[]byte("final"), []byte("other")}
	}
	if err := m.W.Seal(ctx, o); err != nil {
		t.Fatal(err)
	}
	files := m.Folder.Files()
	if asked != 1 || string(files["data/checkpoints/3.tsr"]) != "final" || string(files["data/checkpoints/3.2.tsr"]) != "other" {
		t.Errorf("asked %d times; %q %q", asked, files["data/checkpoints/3.tsr"], files["data/checkpoints/3.2.tsr"])
	}
	if !bytes.Contains(files["manifest-sha256.txt"], []byte("  data/checkpoints/3.tsr\n")) {
		t.Errorf("%s", files["manifest-sha256.txt"])
	}
	if err := m.W.Stamp(ctx, stamp(3, "late")); !errors.Is(err, evidence.ErrSealed) {
		t.Errorf("after the seal: %v", err)
	}
}
