package evidence

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// productionEntry is an entry made by hand.
func productionEntry(t testing.TB) *Entry {
	t.Helper()
	d := Detail{Nonce: Hash{1}, Records: []RecordRef{}}
	detail, err := writeLine(&detailLine{Detail: &d, body: &Operator{Action: ActionNote, Text: `a "remark"`, Fields: []Pair{}}})
	if err != nil {
		t.Fatal(err)
	}
	at := At(time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC))
	head, err := writeLine(&Head{Seq: 7, Kind: KindOperator, Start: at, End: at, Detail: sum(detail)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := DecodeEntry(head, detail)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestDisclosureLines: the three forms of a line, byte by byte, and back.
func TestDisclosureLines(t *testing.T) {
	e := productionEntry(t)
	leaf := hex.EncodeToString(sha256Leaf(e.HeadLine))
	for level, want := range map[int64]string{
		LevelLeaf:  `{"seq":7,"level":0,"reason":"counsel \u00a7","leaf":"` + leaf + `"}`,
		LevelHead:  `{"seq":7,"level":1,"reason":"counsel \u00a7","head":` + string(e.HeadLine) + `}`,
		LevelWhole: `{"seq":7,"level":2,"head":` + string(e.HeadLine) + `,"detail":` + string(e.DetailLine) + `}`,
	} {
		line, err := encodeDisclosure(e, level, "counsel §")
		if err != nil || string(line) != want {
			t.Errorf("level %d: %v\n%s\nwant\n%s", level, err, line, want)
		}
		d, err := decodeDisclosure([]byte(want))
		if err != nil || d.Seq != 7 || d.Level != level || d.Leaf.String() != leaf || (d.Entry != nil) != (level == LevelWhole) || (d.Head != nil) != (level > LevelLeaf) {
			t.Errorf("level %d: %+v, %v", level, d, err)
		}
	}
	for _, kind := range []string{KindCase, KindCheckpoint, KindKey, KindSeal, KindWindow, KindGap} {
		other := *e
		other.Head.Kind = kind
		if _, err := encodeDisclosure(&other, LevelLeaf, ""); err == nil {
			t.Errorf("an entry of kind %s goes down to a hash", kind)
		}
	}
	if _, err := encodeDisclosure(e, LevelHead, strings.Repeat("x", MaxReason+1)); err == nil {
		t.Error("a reason that is too long")
	}
}

// sha256Leaf is RFC 6962's leaf hash, written out.
func sha256Leaf(line []byte) []byte {
	h := sum(append([]byte{0}, line...))
	return h[:]
}

// FuzzDisclosure: what a reader takes is what a writer of the same entry would write.
func FuzzDisclosure(f *testing.F) {
	e := productionEntry(f)
	for level := int64(LevelLeaf); level <= LevelWhole; level++ {
		line, err := encodeDisclosure(e, level, "why")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		d, err := decodeDisclosure(line)
		if err != nil {
			return
		}
		again := []byte(nil)
		switch {
		case d.Level == LevelLeaf:
			quoted, err := appendText(nil, d.Reason)
			if err != nil {
				t.Fatal(err)
			}
			again = bytes.Join([][]byte{[]byte(`{"seq":`), []byte(itoa(d.Seq)), []byte(`,"level":0,"reason":`), quoted, []byte(`,"leaf":"` + d.Leaf.String() + `"}`)}, nil)
		case d.Level == LevelHead:
			quoted, err := appendText(nil, d.Reason)
			if err != nil {
				t.Fatal(err)
			}
			again = bytes.Join([][]byte{[]byte(`{"seq":`), []byte(itoa(d.Seq)), []byte(`,"level":1,"reason":`), quoted, []byte(`,"head":`), d.HeadLine(), []byte(`}`)}, nil)
		case d.Head.Kind != d.Entry.Head.Kind:
			t.Fatal("two heads")
		default:
			again = bytes.Join([][]byte{[]byte(`{"seq":`), []byte(itoa(d.Seq)), []byte(`,"level":2,"head":`), d.Entry.HeadLine, []byte(`,"detail":`), d.Entry.DetailLine, []byte(`}`)}, nil)
		}
		if !bytes.Equal(again, line) {
			t.Errorf("%q is read as %q", line, again)
		}
	})
}

func itoa(n int64) string {
	b, _ := writeLine(&Checkpoint{Size: n})
	text, _, _ := strings.Cut(strings.TrimPrefix(string(b), `{"size":`), ",")
	return text
}

// TestProduceRefuses: no production is made of entries that do not give the signed root, or of a block that is another one.
func TestProduceRefuses(t *testing.T) {
	e := productionEntry(t)
	key, err := trust.NewKey(strings.NewReader(strings.Repeat("k", 64)), "producer.example")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	_, err = Produce(context.Background(), ProductionOptions{Folder: folder, Mkdir: folder.Mkdir, Head: trust.Head{Origin: Origin(strings.Repeat("0", 32)), Size: 1},
		Case: strings.Repeat("0", 32), Signer: key, Now: time.Unix(0, 0), Software: "test", Level: func(*Entry) (int64, string) { return LevelWhole, "" },
		Entries: func(yield func(*Entry, error) bool) { yield(e, nil) }})
	if err == nil || !strings.Contains(err.Error(), "not those that the final head commits to") {
		t.Errorf("%v", err)
	}
	failure := errors.New("no disk")
	folder2, err := OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder2.Close()
	_, err = Produce(context.Background(), ProductionOptions{Folder: folder2, Mkdir: folder2.Mkdir, Head: trust.Head{Origin: Origin(strings.Repeat("0", 32)), Size: 1},
		Case: strings.Repeat("0", 32), Signer: key, Now: time.Unix(0, 0), Software: "test", Level: func(*Entry) (int64, string) { return LevelWhole, "" },
		Entries: func(yield func(*Entry, error) bool) { yield(nil, failure) }})
	if !errors.Is(err, failure) {
		t.Errorf("%v", err)
	}
}
