package bag

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// FuzzManifest checks that what has no problem is written again byte for byte, that
// what is returned in spite of problems is sorted and can be compared, and that
// each problem names a line.
func FuzzManifest(f *testing.F) {
	for _, s := range []string{
		wantManifest, "", "\n", h + "a%0A%0D%25\n", h + "a\n" + h + "a\n", h + "b\n" + h + "a\n", h + "A\n" + h + "a\n",
		h + "../a\n", strings.ToUpper(h) + "a\n", h + "a", h + "a%41\n", `\` + h + "a\\nb\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, problems := ParseManifest("m", text)
		for _, p := range problems {
			if p.Line < 1 || p.Detail == "" || strings.ContainsFunc(p.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("problem %q", p.Error())
			}
		}
		if !slices.IsSortedFunc(m, func(a, b Line) int { return strings.Compare(a.Path, b.Path) }) {
			t.Errorf("not sorted: %v", m)
		}
		if diff := Compare(m, m); len(diff) > 0 {
			t.Errorf("differs from itself: %v", diff)
		}
		again, err := m.Text()
		if len(problems) == 0 && (err != nil || string(again) != string(text)) {
			t.Errorf("written again: %q (%v), was %q", again, err, text)
		}
		if len(problems) > 0 && err == nil && string(again) == string(text) {
			t.Errorf("reported though it is as written: %v", problems)
		}
	})
}

// FuzzBagInfo checks that a text has no problem exactly when it is what FormatInfo
// writes of its fields.
func FuzzBagInfo(f *testing.F) {
	for _, s := range []string{
		wantInfo, "", "\n", "X: y", "X: y\n  z\n", "X:y\n", "X: \n", "Payload-Oxum: 1.1\nPayload-Oxum: 1.1\n", "payload-oxum: 1.1\n",
		"Bagging-Date: 2026-02-30\n", "X: a\u2028b\n", "X: \xff\n", "X: a: b\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fields, problems := ParseInfo(text)
		again, err := FormatInfo(fields)
		if err != nil {
			t.Fatalf("fields %q cannot be written: %v", fields, err)
		}
		if (string(again) == string(text)) != (len(problems) == 0) {
			t.Errorf("%q: problems %v, written again %q", text, problems, again)
		}
		for _, p := range problems {
			if p.Detail == "" || strings.ContainsFunc(p.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("problem %q", p.Error())
			}
		}
	})
}

// FuzzZip checks that what is accepted as a packed case is, byte for byte, what is written of the files in it, and that what is not accepted is refused at
// a place in the file.
func FuzzZip(f *testing.F) {
	f.Add(packed(f, signedBag(f)))
	f.Fuzz(func(t *testing.T, b []byte) {
		z, err := OpenZip(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			var e *ZipError
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > int64(len(b)) || e.Detail == "" || strings.ContainsFunc(e.Detail, func(r rune) bool { return r < ' ' }) {
				t.Errorf("refused with %q", err)
			}
			return
		}
		if !IsZip(bytes.NewReader(b), int64(len(b))) {
			t.Error("accepted, and does not look like a packed case")
		}
		bad, err := z.BadSums(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range z.members {
			names = append(names, m.name)
			if !fs.ValidPath(m.name) || strings.ContainsAny(m.name, "\\:\x00") {
				t.Errorf("name %q", m.name)
			}
		}
		var again bytes.Buffer
		if err := writeZip(context.Background(), &again, z, names); err != nil {
			t.Fatalf("cannot be packed again: %v", err)
		}
		if bytes.Equal(again.Bytes(), b) != (len(bad) == 0) {
			t.Errorf("%d bytes, packed again %d; sums that differ: %v", len(b), again.Len(), bad)
		}
	})
}
