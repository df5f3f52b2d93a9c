package verify_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/custody"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// handover is a sealed case with records in custody/. They are spelt here by hand, from docs/container.md, 12.2, and not by package custody.
type handover struct {
	t     *testing.T
	files map[string][]byte
	texts []string // of the records, in order
	seeds []byte   // of the keys that sign them
}

// Keys of the parties, by the seeds of package sample.
const (
	lab   = 31
	court = 32
)

// oddID is the id of record n.
func oddID(n int) string { return fmt.Sprintf("%032x", 0xC0FFEE00+n) }

// head is what every record begins with, up to its event.
func (h *handover) head(event string) string {
	n := len(h.texts) + 1
	previous := strings.Repeat("0", 64)
	if n > 1 {
		previous = h.hash(n - 1)
	}
	return fmt.Sprintf("exhibit custody v1\n%s\nsequence: %d\nid: %s\nprevious: %s\ntime: 2026-11-22T12:%02d:00.000000Z\nzone: +01:00\nevent: %s\nexhibit: EX-1\n%s",
		evidence.Origin(sample.CaseID), n, oddID(n), previous, n, event, h.measured())
}

// measured are the lines container and size: of the tag files as they lie there.
func (h *handover) measured() string {
	size := regexp.MustCompile(`Payload-Oxum: (\d+)\.`).FindSubmatch(h.files["bag-info.txt"])
	return fmt.Sprintf("container: %x\nsize: %s\n", sha256.Sum256(h.files["tagmanifest-sha256.txt"]), size[1])
}

// hash is that of the file of record n.
func (h *handover) hash(n int) string {
	return fmt.Sprintf("%x", sha256.Sum256(h.files[custody.Path(n)]))
}

// tail is what every record ends with.
func (h *handover) tail(seed byte) string {
	return "tool: exhibit 0.1\nkey: " + sample.Key(h.t, seed).VerifierKey() + "\n"
}

// add signs a text as the next record.
func (h *handover) add(text string, seed byte) {
	h.t.Helper()
	h.texts, h.seeds = append(h.texts, text), append(h.seeds, seed)
	note, err := trust.Sign(h.t.Context(), text, sample.Key(h.t, seed))
	if err != nil {
		h.t.Fatal(err)
	}
	h.files[custody.Path(len(h.texts))] = note
}

// release, receipt and remark add a record.
func (h *handover) release() {
	h.add(h.head("transferred")+"released-by: Jo Example\nreleased-by-organisation: Example Forensics\nreceived-by: Kim Clerk\npurpose: disclosure\nmethod: courier\n"+h.tail(lab), lab)
}

func (h *handover) receipt() {
	text := h.head("received")
	answers := "answers: " + h.hash(len(h.texts)) + "\ntime: "
	h.add(strings.Replace(text, "time: ", answers, 1)+"released-by: Jo Example\nreceived-by: Kim Clerk\nreceived-by-contact: kim@court.example\ncondition: seal unbroken\n"+h.tail(court), court)
}

func (h *handover) remark(event string, seed byte) {
	h.add(h.head(event)+"by: Jo Example\n"+h.tail(seed), seed)
}

// handed makes a case that was handed over and received.
func handed(t *testing.T) *handover {
	h := &handover{t: t, files: sealed(t)}
	h.release()
	h.receipt()
	return h
}

// records makes a vector of a handed case.
func records(change func(*handover)) func(*testing.T) map[string][]byte {
	return func(t *testing.T) map[string][]byte {
		h := handed(t)
		change(h)
		return h.files
	}
}

// respelt replaces text in the last record and signs it again.
func respelt(old, new string) func(*testing.T) map[string][]byte {
	return records(func(h *handover) { h.respell(old, new) })
}

func (h *handover) respell(old, new string) {
	h.t.Helper()
	n := len(h.texts) - 1
	text, seed := h.texts[n], h.seeds[n]
	if !strings.Contains(text, old) {
		h.t.Fatalf("the record does not hold %q:\n%s", old, text)
	}
	h.texts, h.seeds = h.texts[:n], h.seeds[:n]
	h.add(strings.Replace(text, old, new, 1), seed)
}

func custodyRecipes() []recipe {
	return slices.Concat(custodyOddRecipes(), custodyChainRecipes(), custodyFormRecipes())
}

// custodyOddRecipes are chains that agree with themselves.
func custodyOddRecipes() []recipe {
	nothing := func(*handover) {}
	return []recipe{
		{name: "good-custody-handover", exit: 0, about: "a case that one party released and another received", make: records(nothing)},
		{name: "good-custody-events", exit: 0, about: "records of every other event, by those who held the case", make: records(func(h *handover) {
			for _, event := range []string{"created", "sealed", "copied", "accessed", "exported", "redacted", "stored", "destroyed"} {
				h.remark(event, court)
			}
		})},
		{name: "good-custody-unicode", exit: 0, about: "a name with characters that change how others are shown: allowed, and escaped where it is shown", make: respelt("condition: seal unbroken", "condition: se\u202eal \u00fcnbroken")},
		{name: "good-custody-rewritten", exit: 0, about: "the whole chain made again by somebody with keys of their own: nothing shows it, unless a key was pinned", make: func(t *testing.T) map[string][]byte {
			h := &handover{t: t, files: sealed(t)}
			h.add(strings.Replace(h.head("transferred"), "EX-1", "EX-2", 1)+"released-by: Jo Example\nreceived-by: Kim Clerk\n"+h.tail(77), 77)
			return h.files
		}, code: "custody-open"},
		{name: "custody-open", code: "custody-open", exit: 0, about: "a release that nobody has acknowledged; or whose receipt was dropped, which looks the same", make: records(func(h *handover) { delete(h.files, custody.Path(2)) })},
		{name: "custody-handover-alone", code: "custody-handover", exit: 0, about: "a receipt that answers no release", make: func(t *testing.T) map[string][]byte {
			h := &handover{t: t, files: sealed(t)}
			h.add(h.head("received")+"released-by: Jo Example\nreceived-by: Kim Clerk\n"+h.tail(court), court)
			return h.files
		}},
		{name: "custody-handover-other", code: "custody-handover", exit: 0, about: "a receipt by somebody else than the release names", make: respelt("received-by: Kim Clerk", "received-by: Sam Other")},
		{name: "custody-holder", code: "custody-holder", exit: 0, about: "a record by somebody who never held the case", make: records(func(h *handover) { h.remark("accessed", 77) })},
		{name: "custody-time", code: "custody-time", exit: 0, about: "a record with a time before that of the record before", make: respelt("time: 2026-11-22T12:02", "time: 2026-11-22T11:02")},
		{name: "custody-other", code: "custody-other", exit: 0, about: "a scanned receipt beside the records, and names that records nearly have", make: records(func(h *handover) {
			h.files["custody/receipt.pdf"], h.files["custody/3.note"], h.files["custody/0000.note"], h.files["custody/00003.note"] = []byte("%PDF"), []byte("x"), []byte("x"), []byte("x")
		})},
		{name: "custody-unsealed", code: "unsealed", exit: 4, about: "records in a case that is not sealed: container and size cannot be held against anything", make: func(t *testing.T) map[string][]byte {
			files := unsealed(t).Build(t)
			h := &handover{t: t, files: files}
			h.files["bag-info.txt"], h.files["tagmanifest-sha256.txt"] = []byte("Payload-Oxum: 1.1\n"), nil
			h.release()
			h.receipt()
			delete(files, "bag-info.txt")
			delete(files, "tagmanifest-sha256.txt")
			return files
		}},
	}
}

// custodyChainRecipes are chains that do not.
func custodyChainRecipes() []recipe {
	return []recipe{
		{name: "custody-missing-first", code: "custody-missing", exit: 3, about: "the first record is missing", make: records(func(h *handover) { delete(h.files, custody.Path(1)) })},
		{name: "custody-missing-middle", code: "custody-missing", exit: 3, about: "a record in the middle is missing", make: records(func(h *handover) {
			h.remark("stored", court)
			delete(h.files, custody.Path(2))
		})},
		{name: "custody-missing-renumbered", code: "custody-chain", exit: 3, about: "a record in the middle was taken out and the next one renamed", make: records(func(h *handover) {
			h.remark("stored", court)
			h.files[custody.Path(2)] = h.files[custody.Path(3)]
			delete(h.files, custody.Path(3))
		})},
		{name: "custody-altered", code: "custody-signature", exit: 3, about: "a word of a record was altered", make: records(func(h *handover) {
			h.files[custody.Path(2)] = bytes.Replace(h.files[custody.Path(2)], []byte("unbroken"), []byte("broken"), 1)
		})},
		{name: "custody-altered-resigned", code: "custody-chain", exit: 3, about: "a record was altered and signed again with its own key: the next one still names the old", make: records(func(h *handover) {
			first := strings.Replace(h.texts[0], "courier", "by hand", 1)
			note, err := trust.Sign(h.t.Context(), first, sample.Key(h.t, lab))
			if err != nil {
				h.t.Fatal(err)
			}
			h.files[custody.Path(1)] = note
		})},
		{name: "custody-signature-bit", code: "custody-signature", exit: 3, about: "one bit of a signature is altered", make: records(func(h *handover) {
			b := h.files[custody.Path(1)]
			at := len(b) - 20
			b[at] = map[bool]byte{true: 'B', false: 'A'}[b[at] == 'A']
		})},
		{name: "custody-signature-other-key", code: "custody-signature", exit: 3, about: "a record that another key signed than the one that it names", make: records(func(h *handover) {
			h.add(h.head("stored")+"by: Kim Clerk\n"+h.tail(court), 77)
		})},
		{name: "custody-fork", code: "custody-chain", exit: 3, about: "two records that follow the same one", make: records(func(h *handover) {
			h.add(strings.Replace(h.head("stored"), h.hash(2), h.hash(1), 1)+"by: Kim Clerk\n"+h.tail(court), court)
		})},
		{name: "custody-sequence", code: "custody-chain", exit: 3, about: "a record that says it is the next but one", make: respelt("sequence: 2", "sequence: 3")},
		{name: "custody-first-not-first", code: "custody-chain", exit: 3, about: "the first record says that another one was before it", make: func(t *testing.T) map[string][]byte {
			h := &handover{t: t, files: sealed(t)}
			h.add(strings.Replace(h.head("stored"), "previous: 0", "previous: 1", 1)+"by: Jo Example\n"+h.tail(lab), lab)
			return h.files
		}},
		{name: "custody-exchanged", code: "custody-chain", exit: 3, about: "two records changed places", make: records(func(h *handover) {
			one, two := custody.Path(1), custody.Path(2)
			h.files[one], h.files[two] = h.files[two], h.files[one]
		})},
		{name: "custody-twice", code: "custody-chain", exit: 3, about: "a record with the id of an earlier one", make: records(func(h *handover) {
			h.add(strings.Replace(h.head("stored"), oddID(3), oddID(1), 1)+"by: Kim Clerk\n"+h.tail(court), court)
		})},
		{name: "custody-answers-nothing", code: "custody-chain", exit: 3, about: "a receipt of a release that is not there", make: records(func(h *handover) {
			h.respell("answers: "+h.hash(1), "answers: "+strings.Repeat("1", 64))
		})},
		{name: "custody-answers-no-release", code: "custody-chain", exit: 3, about: "a receipt that answers a record which is no release", make: records(func(h *handover) {
			h.add(strings.Replace(h.head("received"), "time: ", "answers: "+h.hash(2)+"\ntime: ", 1)+"released-by: Kim Clerk\nreceived-by: Jo Example\n"+h.tail(lab), lab)
		})},
		{name: "custody-answers-twice", code: "custody-chain", exit: 3, about: "two receipts of one release", make: records(func(h *handover) {
			h.add(strings.Replace(h.head("received"), "time: ", "answers: "+h.hash(1)+"\ntime: ", 1)+"released-by: Jo Example\nreceived-by: Sam Other\n"+h.tail(77), 77)
		})},
		{name: "custody-case", code: "custody-case", exit: 3, about: "a record of another case", make: respelt(sample.CaseID, strings.Repeat("e", 32))},
		{name: "custody-container", code: "custody-container", exit: 3, about: "a record that found another container than was sealed", make: records(func(h *handover) {
			h.respell("container: "+fmt.Sprintf("%x", sha256.Sum256(h.files["tagmanifest-sha256.txt"])), "container: "+strings.Repeat("2", 64))
		})},
		{name: "custody-size", code: "custody-container", exit: 3, about: "a record that found another number of bytes than was sealed", make: respelt("size: ", "size: 1")},
		{name: "custody-payload-changed", code: "bag-changed", exit: 3, about: "a file was changed after the hand-over: the records are those of what was sealed, and stay good", make: records(func(h *handover) {
			h.files["data/README.txt"] = []byte("Another text.\n")
		})},
	}
}

func custodyFormRecipes() []recipe {
	form := func(name, about, old, new string) recipe {
		return recipe{name: "custody-form-" + name, code: "custody-form", exit: 3, about: about, make: respelt(old, new)}
	}
	long := strings.Repeat("x", 4097)
	return append([]recipe{
		form("version", "a record of another version", "custody v1", "custody v2"),
		form("unknown-line", "a line that no record has", "tool: ", "weather: fine\ntool: "),
		form("line-twice", "a line that is there twice", "tool: exhibit 0.1\n", "tool: exhibit 0.1\ntool: exhibit 0.1\n"),
		form("lines-exchanged", "two lines that changed places", "zone: +01:00\nevent: received\n", "event: received\nzone: +01:00\n"),
		form("line-missing", "no zone", "zone: +01:00\n", ""),
		form("empty-value", "a line without a value", "condition: seal unbroken", "condition: "),
		form("space-at-end", "a value with a space at its end", "seal unbroken", "seal unbroken "),
		form("control", "a value with a control character beyond ASCII", "seal unbroken", "seal\u009bunbroken"),
		form("separator", "a value with a line separator", "seal unbroken", "seal\u2028unbroken"),
		form("long-value", "a value of more than 4,096 bytes", "seal unbroken", long),
		form("event", "an event that is not known", "event: received", "event: lost"),
		form("sequence-zero", "a sequence with a zero before it", "sequence: 2", "sequence: 02"),
		form("id", "an id in upper case", oddID(2), strings.ToUpper(oddID(2))),
		form("zone", "a zone without a colon", "+01:00", "+0100"),
		form("time", "a time without a fraction", ".000000Z", "Z"),
		form("size", "a size with a sign", "size: ", "size: +"),
		form("origin", "an origin with a space in it", "exhibit-dfir.github.io", "exhibit dfir.github.io"),
		form("by-in-handover", "a hand-over with a third party", "released-by: ", "by: Sam Other\nreleased-by: "),
		form("no-release", "a hand-over without the one who releases", "released-by: Jo Example\n", ""),
		form("result", "a result in a record that is none of a check", "tool: ", "result: fine\ntool: "),
		form("key", "a key that is no verifier key", "key: ", "key: x+00000000+"),
		{name: "custody-form-answers", code: "custody-form", exit: 3, about: "a release that answers another", make: func(t *testing.T) map[string][]byte {
			h := &handover{t: t, files: sealed(t)}
			h.add(strings.Replace(h.head("transferred"), "time: ", "answers: "+strings.Repeat("3", 64)+"\ntime: ", 1)+"released-by: Jo Example\nreceived-by: Kim Clerk\n"+h.tail(lab), lab)
			return h.files
		}},
		{name: "custody-form-no-result", code: "custody-form", exit: 3, about: "a record of a check without its result", make: records(func(h *handover) { h.remark("verified", court) })},
		{name: "custody-form-two-signatures", code: "custody-form", exit: 3, about: "a record that two keys signed", make: records(func(h *handover) {
			note, err := trust.Sign(h.t.Context(), h.texts[1], sample.Key(h.t, court), sample.Key(h.t, 77))
			if err != nil {
				h.t.Fatal(err)
			}
			h.files[custody.Path(2)] = note
		})},
		{name: "custody-form-no-signature", code: "custody-form", exit: 3, about: "a record without a signature", make: records(func(h *handover) { h.files[custody.Path(2)] = []byte(h.texts[1]) })},
		{name: "custody-form-package-note", code: "custody-form", exit: 3, about: "package.note in the place of a record", make: records(func(h *handover) { h.files[custody.Path(2)] = h.files["package.note"] })},
		{name: "custody-form-empty", code: "custody-form", exit: 3, about: "a record of no bytes, as an interrupted write might leave", make: records(func(h *handover) { h.files[custody.Path(2)] = []byte{} })},
		{name: "custody-form-long", code: "custody-form", exit: 3, about: "a record of more than 65,535 bytes", make: records(func(h *handover) {
			h.files[custody.Path(2)] = append(h.files[custody.Path(2)], bytes.Repeat([]byte("\n"), 65_536)...)
		})},
	}, recipe{name: "custody-form-crlf", code: "custody-form", exit: 3, about: "a record whose lines end in CR LF", make: records(func(h *handover) {
		h.files[custody.Path(2)] = bytes.ReplaceAll(h.files[custody.Path(2)], []byte("\n"), []byte("\r\n"))
	})})
}

// TestCustodyKey: a key that was pinned for custody must have signed a record; who held the case when is told, and whose key is pinned.
func TestCustodyKey(t *testing.T) {
	h := handed(t)
	pin := func(seed byte) verify.Options {
		key, err := trust.ParseVKey(sample.Key(t, seed).VerifierKey())
		if err != nil {
			t.Fatal(err)
		}
		return verify.Options{CustodyKeys: []trust.VKey{key}}
	}
	r, _, err := verify.Check(t.Context(), mapFS(h.files), pin(court))
	if err != nil || r.Exit() != 0 || r.Custody == nil {
		t.Fatalf("exit %d, %v, %v", r.Exit(), codesOf(r), err)
	}
	held := r.Custody.Held
	if len(held) != 2 || held[0].Name != "Jo Example" || held[0].From != "2026-11-22T12:01:00.000000Z" || held[0].Until != held[0].From || held[0].Pinned ||
		held[1].Name != "Kim Clerk" || held[1].From != "2026-11-22T12:02:00.000000Z" || held[1].Until != "" || !held[1].Pinned {
		t.Errorf("held: %+v", held)
	}
	if r.Custody.Last != h.hash(2) || r.Custody.Records[1].Answers != h.hash(1) || r.Custody.Records[1].Condition != "seal unbroken" {
		t.Errorf("custody: %+v", r.Custody)
	}
	for _, files := range []map[string][]byte{h.files, sealed(t)} {
		if r, _, err = verify.Check(t.Context(), mapFS(files), pin(77)); err != nil || r.Exit() != verify.ExitUnmet {
			t.Errorf("a key that signed no record: exit %d, %v, %v", r.Exit(), codesOf(r), err)
		}
	}
}
