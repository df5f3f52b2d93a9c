package extract

import (
	"strings"
	"testing"
)

// TestNative: asked for, a record has the bytes that its hash is of, whichever way its page is read; not asked for, it has none.
func TestNative(t *testing.T) {
	const odd = `[1, {"a":"` + "\xff" + `"} ,"x",{"id":"1","id":"\ud800"}]`
	for _, name := range []string{"activities.json", odd} {
		source, body := "http", name
		if name == "activities.json" {
			source, body = "outlook-activities", string(fixture(t, name))
		}
		quick, _ := keep(t, onePage(source, body), Options{Native: true})
		slow, _ := keepSlowly(t, onePage(source, body), Options{Native: true})
		if len(quick) != 4 || len(slow) != 4 {
			t.Fatalf("%d and %d records", len(quick), len(slow))
		}
		for i := range quick {
			for _, r := range []kept{quick[i], slow[i]} {
				if sha(string(r.Native)) != r.Provenance.SHA256 || int64(len(r.Native)) != r.Provenance.Length {
					t.Errorf("record %d has %q", i, r.Native)
				}
			}
		}
		if plain, _ := keep(t, onePage(source, body), Options{}); plain[0].Native != nil || string(plain[1].Details) != string(quick[1].Details) {
			t.Errorf("not asked for: %q, details %s and %s", plain[0].Native, plain[1].Details, quick[1].Details)
		}
	}
	if large, _ := keep(t, onePage("http", `[{"id":"12345678"}]`), Options{Native: true, RecordLimit: 8}); len(large) != 1 || large[0].Native != nil {
		t.Errorf("a record beyond the limit: %+v", large)
	}
}

// TestMailboxInCapitals: an id comes again for the same mailbox, in whatever letters that was asked for; for another mailbox it does not.
func TestMailboxInCapitals(t *testing.T) {
	var from fakePages
	for _, user := range []string{"kim@example.com", "Kim@Example.com", "k\u0130m@example.com", "kam@example.com"} {
		from = append(from, fakePage{source: "outlook-activities", user: user, body: strings.NewReader(`{"value":[{"Id":"a","TimeStamp":"2018-06-01T00:00:00Z"}]}`)})
	}
	got, _ := keep(t, from, Options{})
	for i, want := range []string{"", "duplicate_id", "", ""} {
		if len(got) != 4 || got[i].Words != want {
			t.Errorf("record %d of %d has the flags %q", i, len(got), got[i].Words)
		}
	}
}
