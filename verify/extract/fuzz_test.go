package extract

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// checkRecords states what holds for the records of any one body: their ranges
// lie in it, increase and do not overlap, the hashes are those of the ranges,
// all texts are UTF-8, and details is one compact JSON object.
func checkRecords(body []byte, records []kept) error {
	end := int64(0)
	for i, r := range records {
		p := r.Provenance
		if p.Offset < end || p.Length <= 0 || p.Offset+p.Length > int64(len(body)) {
			return fmt.Errorf("record %d: range %d+%d after %d of %d", i, p.Offset, p.Length, end, len(body))
		}
		end = p.Offset + p.Length
		if sha256.Sum256(body[p.Offset:end]) != p.SHA256 {
			return fmt.Errorf("record %d: hash of other bytes", i)
		}
		for _, s := range []string{r.ID, r.Time, r.Type, r.User, r.ClientIP, r.Subject, string(r.Details)} {
			if !utf8.ValidString(s) {
				return fmt.Errorf("record %d: %q is not UTF-8", i, s)
			}
		}
		if err := checkDetails(r.Details); err != nil {
			return fmt.Errorf("record %d: details %q: %w", i, r.Details, err)
		}
		if err := checkWhole(body[p.Offset:end], r); err != nil {
			return fmt.Errorf("record %d: %q: details %q: %w", i, body[p.Offset:end], r.Details, err)
		}
	}
	return nil
}

// checkWhole states, for records of plain objects, that each member stands in
// details with the same text or in a field with the same value, and that
// details has nothing else. The standard library reads both.
func checkWhole(raw []byte, r kept) error {
	const other = DuplicateKey | InvalidUTF8 | LoneSurrogate | NotAnObject | TooDeep | TooLarge | TooManyMembers
	if r.Source != "http" || r.Flags&other != 0 {
		return nil
	}
	var native, details map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(raw, &native), json.Unmarshal(r.Details, &details)); err != nil {
		return err
	}
	fields := []string{
		r.ID, r.Time, r.Type, r.User, r.Mailbox, r.ClientIP, r.ClientApp, r.UserAgent, r.SessionID, r.ItemID, r.Subject, r.MessageID,
	}
	for name, value := range native {
		if text, ok := details[name]; ok {
			var compact bytes.Buffer
			if err := json.Compact(&compact, value); err != nil || !bytes.Equal(compact.Bytes(), text) {
				return fmt.Errorf("member %q is %s (%v)", name, text, err)
			}
			delete(details, name)
			continue
		}
		var field string
		if err := json.Unmarshal(value, &field); err != nil || field == "" || !slices.Contains(fields, field) {
			return fmt.Errorf("member %q is lost (%v)", name, err)
		}
	}
	if len(details) > 0 {
		return fmt.Errorf("%d members too many", len(details))
	}
	return nil
}

func checkDetails(details []byte) error {
	var compact bytes.Buffer
	if err := json.Compact(&compact, details); err != nil {
		return err
	}
	if details[0] != '{' || !bytes.Equal(compact.Bytes(), details) {
		return fmt.Errorf("not a compact object")
	}
	return nil
}

func FuzzWalk(f *testing.F) {
	seeds, err := filepath.Glob("testdata/seeds/*")
	if err != nil || len(seeds) < 10 {
		f.Fatalf("%d seeds in testdata/seeds, want at least 10 (%v)", len(seeds), err)
	}
	for _, name := range seeds {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(fixture(f, "activities.json"))
	f.Add(fixture(f, "management-api-docs/content_blob_sample.json"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, source := range Sources() {
			opt := Options{RecordLimit: 4096, TempDir: os.TempDir()}
			whole, sum := keep(t, fakePages{{source: source, body: bytes.NewReader(body)}}, opt)
			if err := checkRecords(body, whole); err != nil {
				t.Fatalf("%s: %v", source, err)
			}
			if len(whole) == 0 && sum.ProblemCount == 0 && !bytes.Contains(body, []byte("[")) {
				t.Fatalf("%s: neither record nor problem", source)
			}
			pieces, sum2 := keep(t, fakePages{{source: source, body: iotest.OneByteReader(bytes.NewReader(body))}}, opt)
			if fmt.Sprint(whole, sum) != fmt.Sprint(pieces, sum2) {
				t.Fatalf("%s: read byte by byte\n%+v %+v\nwant\n%+v %+v", source, pieces, sum2, whole, sum)
			}
			slow, sum3 := keepSlowly(t, fakePages{{source: source, body: bytes.NewReader(body)}}, opt)
			if fmt.Sprint(whole, sum) != fmt.Sprint(slow, sum3) {
				t.Fatalf("%s: read as a stream\n%+v %+v\nwant\n%+v %+v", source, slow, sum3, whole, sum)
			}
		}
	})
}

// TestCheckWhole plants lost, altered and invented members.
func TestCheckWhole(t *testing.T) {
	body := fixture(t, "management-api-docs/content_blob_sample.json")
	sound, _ := keep(t, onePage("http", string(body)), Options{})
	if err := checkRecords(body, sound); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"RecordType":9,`, ``}, {`"RecordType":9`, `"RecordType":9.0`}, {`"UserType":0`, `"UserType":0,"x":1`},
	} {
		bad := append([]kept(nil), sound...)
		bad[1].Details = bytes.Replace(bad[1].Details, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(bad[1].Details, sound[1].Details) || checkRecords(body, bad) == nil {
			t.Errorf("%s for %s: not noticed", change[1], change[0])
		}
	}
	bad := append([]kept(nil), sound...)
	bad[0].ID = "another"
	if checkRecords(body, bad) == nil {
		t.Error("another id: not noticed")
	}
}

// TestCheckRecords plants faults that FuzzWalk must not miss.
func TestCheckRecords(t *testing.T) {
	body := fixture(t, "activities.json")
	sound, _ := keep(t, onePage("outlook-activities", string(body)), Options{})
	if err := checkRecords(body, sound); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func([]kept){
		"shifted":     func(r []kept) { r[1].Provenance.Offset++ },
		"longer":      func(r []kept) { r[1].Provenance.Length++ },
		"outside":     func(r []kept) { r[3].Provenance.Offset = int64(len(body)) },
		"out of turn": func(r []kept) { r[0], r[1] = r[1], r[0] },
		"twice":       func(r []kept) { r[1] = r[0] },
		"hash":        func(r []kept) { r[2].Provenance.SHA256[31] ^= 1 },
		"not UTF-8":   func(r []kept) { r[2].Subject = "\xff" },
		"not JSON":    func(r []kept) { r[2].Details = []byte(`{"a":}`) },
		"not compact": func(r []kept) { r[2].Details = []byte(`{"a": 1}`) },
		"no object":   func(r []kept) { r[2].Details = []byte(`[]`) },
	} {
		bad := append([]kept(nil), sound...)
		plant(bad)
		if checkRecords(body, bad) == nil {
			t.Errorf("%s: not noticed", name)
		}
	}
}
