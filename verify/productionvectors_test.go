package verify_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

const (
	jsonl     = evidence.ProductionPath
	finalNote = "data/checkpoints/16.note" // of the small case
)

// produced makes a production of the small case and changes it; its manifests and package.note are left as they were.
func produced(hold levels, change func(*testing.T, map[string][]byte)) func(*testing.T) map[string][]byte {
	return func(t *testing.T) map[string][]byte {
		files := withheldOf(t, sample.Small(t), hold)
		change(t, files)
		return files
	}
}

// reproduced is produced by somebody who has the producer's key: manifests and package.note agree again.
func reproduced(change func(*testing.T, map[string][]byte)) func(*testing.T) map[string][]byte {
	return produced(smallHold(), func(t *testing.T, files map[string][]byte) {
		change(t, files)
		signProduction(t, files, sample.Key(t, producerSeed))
	})
}

// signProduction makes manifests and package.note again, over the head that was signed.
func signProduction(t *testing.T, files map[string][]byte, keys ...trust.Signer) {
	t.Helper()
	signAgain(t, files, files["package.note"], keys...)
}

// signProductionOver does so for files whose package.note may be damaged, by what another one states.
func signProductionOver(t *testing.T, files map[string][]byte, note []byte) {
	t.Helper()
	signAgain(t, files, note, sample.Key(t, producerSeed))
}

func signAgain(t *testing.T, files map[string][]byte, note []byte, keys ...trust.Signer) {
	t.Helper()
	text, _, _ := strings.Cut(string(note), "\n\n")
	lines := strings.Split(text, "\n")
	bagAgain(t, files)
	lines[4] = fmt.Sprintf("%x", sha256.Sum256(files["tagmanifest-sha256.txt"]))
	var err error
	if files["package.note"], err = trust.Sign(t.Context(), strings.Join(lines, "\n")+"\n", keys...); err != nil {
		t.Fatal(err)
	}
}

// bagAgain makes manifests and Payload-Oxum again.
func bagAgain(t *testing.T, files map[string][]byte) {
	t.Helper()
	var lines []string
	octets, n := 0, 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(name, "data/") {
			lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(files[name]), name))
			octets, n = octets+len(files[name]), n+1
		}
	}
	files["manifest-sha256.txt"] = []byte(strings.Join(lines, ""))
	info, _, _ := strings.Cut(string(files["bag-info.txt"]), "Payload-Oxum")
	files["bag-info.txt"] = fmt.Appendf(nil, "%sPayload-Oxum: %d.%d\n", info, octets, n)
	lines = nil
	for _, name := range []string{"bag-info.txt", "bagit.txt", "manifest-sha256.txt"} {
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(files[name]), name))
	}
	files["tagmanifest-sha256.txt"] = []byte(strings.Join(lines, ""))
}

// lineOf replaces text in the line of an entry; seq -1 is the first line.
func lineOf(seq int, old, new string) func(*testing.T) map[string][]byte {
	return reproduced(func(t *testing.T, files map[string][]byte) { replaceIn(t, files, seq, old, new) })
}

func replaceIn(t *testing.T, files map[string][]byte, seq int, old, new string) {
	t.Helper()
	lines := strings.SplitAfter(string(files[jsonl]), "\n")
	if !strings.Contains(lines[seq+1], old) {
		t.Fatalf("no %q in %q", old, lines[seq+1])
	}
	lines[seq+1] = strings.Replace(lines[seq+1], old, new, 1)
	files[jsonl] = []byte(strings.Join(lines, ""))
}

// jsonlLines changes the lines of production.jsonl, each with its LF, the first one among them.
func jsonlLines(change func(lines []string) []string) func(*testing.T) map[string][]byte {
	return reproduced(func(_ *testing.T, files map[string][]byte) {
		lines := strings.SplitAfter(string(files[jsonl]), "\n")
		files[jsonl] = []byte(strings.Join(change(lines[:len(lines)-1]), ""))
	})
}

// segmentRecords changes the records of the production's only segment.
func segmentRecords(change func(t *testing.T, records []*sample.Record) []*sample.Record) func(*testing.T) map[string][]byte {
	return reproduced(func(t *testing.T, files map[string][]byte) {
		files[seg1] = framed(t, change(t, unframed(t, files[seg1])))
	})
}

func unframed(t *testing.T, segment []byte) (records []*sample.Record) {
	t.Helper()
	dec, err := warc.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	r := warc.NewReader(dec, bytes.NewReader(segment), 0, int64(len(segment)))
	for {
		rec, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return records
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, &sample.Record{Header: rec.Header, Block: string(rec.Block())})
	}
}

func framed(t *testing.T, records []*sample.Record) (segment []byte) {
	t.Helper()
	enc, err := warc.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		out, err := enc.Encode(r.Header, []byte(r.Block))
		if err != nil {
			t.Fatal(err)
		}
		segment = append(segment, out.Frame...)
	}
	return segment
}

// falsified changes lines as somebody does who has all keys: leaves, both heads, the checkpoint entry and package.note are made to agree again.
func falsified(hold levels, change func(lines []string)) func(*testing.T) map[string][]byte {
	return produced(hold, func(t *testing.T, files map[string][]byte) {
		lines := strings.SplitAfter(string(files[jsonl]), "\n")
		lines = lines[:len(lines)-1]
		change(lines)
		var tree evidence.Tree
		for i, line := range lines[1:] {
			if int64(i) == tree.Size() && files[evidence.NotePath(tree.Size())] != nil {
				files[evidence.NotePath(tree.Size())] = signHead(t, tree)
			}
			if size := regexp.MustCompile(`"body":\{"size":(\d+),"note"`).FindStringSubmatch(line); size != nil {
				text, err := json.Marshal(string(files["data/checkpoints/"+size[1]+".note"]))
				if err != nil {
					t.Fatal(err)
				}
				quoted := strings.ReplaceAll(string(text), "\u2014", `\u2014`)
				line = regexp.MustCompile(`"note":".*"\}\}\}\n$`).ReplaceAllLiteralString(line, `"note":`+quoted+"}}}\n")
			}
			if at := strings.Index(line, `,"detail":{`); at >= 0 {
				sum := sha256.Sum256([]byte(line[at+10 : len(line)-2]))
				line = regexp.MustCompile(`"detail":"[0-9a-f]{64}"`).ReplaceAllLiteralString(line, `"detail":"`+hex.EncodeToString(sum[:])+`"`)
			}
			lines[i+1] = line
			tree.Add(leafOf(t, line))
		}
		files[jsonl] = []byte(strings.Join(lines, ""))
		files[finalNote] = signHead(t, tree)
		head, _, _ := strings.Cut(string(files[finalNote]), "\n\n")
		files["package.note"] = []byte("exhibit production v1\n" + head + "\n0\n\n")
		signProduction(t, files, sample.Key(t, producerSeed))
	})
}

// leafOf is the leaf of a line of production.jsonl.
func leafOf(t *testing.T, line string) (leaf evidence.Hash) {
	t.Helper()
	if _, text, ok := strings.Cut(line, `"leaf":"`); ok {
		if err := leaf.UnmarshalText([]byte(text[:64])); err != nil {
			t.Fatal(err)
		}
		return leaf
	}
	_, head, _ := strings.Cut(line, `"head":`)
	end := regexp.MustCompile(`"detail":"[0-9a-f]{64}"\}`).FindStringIndex(head)
	return evidence.LeafHash([]byte(head[:end[1]]))
}

func signHead(t *testing.T, tree evidence.Tree) []byte {
	t.Helper()
	text, err := trust.Head{Origin: evidence.Origin(sample.CaseID), Size: tree.Size(), Root: tree.Root()}.Text()
	if err != nil {
		t.Fatal(err)
	}
	note, err := trust.Sign(t.Context(), text, sample.Key(t, 9))
	if err != nil {
		t.Fatal(err)
	}
	return note
}

// inLine replaces text in the line of an entry, for falsified.
func inLine(seq int, old, new string) func([]string) {
	return func(lines []string) {
		if !strings.Contains(lines[seq+1], old) {
			panic(fmt.Sprintf("no %q in %q", old, lines[seq+1]))
		}
		lines[seq+1] = strings.Replace(lines[seq+1], old, new, 1)
	}
}

func same(*testing.T, map[string][]byte) {}

func productionRecipes() []recipe {
	return slices.Concat(goodProductions(), productionLines(), productionRecords(), productionHeads(), productionRules())
}

func goodProductions() []recipe {
	everything := levels{1: 0, 2: 0, 3: 1, 4: 0, 5: 0, 6: 0, 7: 1, 8: 1, 10: 0, 11: 1, 12: 0, 13: 0}
	return []recipe{
		{name: "production", code: "withheld", exit: 0, about: "a production with nothing wrong: two entries by head line, one by its hash", make: produced(smallHold(), same)},
		{name: "production-nothing-withheld", exit: 0, about: "a production that withholds nothing", make: produced(levels{}, same)},
		{name: "production-everything-withheld", code: "withheld", exit: 0, about: "a production that withholds all that may be: it holds no record and no segment", make: produced(everything, same)},
		{name: "production-attempt-withheld", code: "withheld", exit: 0, about: "retry_of names an entry of which the head line alone is there", make: produced(levels{4: 1}, same)},
		{name: "production-attempt-hidden", code: "withheld", exit: 0, about: "retry_of names an entry of which a hash alone is there", make: produced(levels{4: 0}, same)},
		{name: "production-connection-hidden", code: "withheld", exit: 0, about: "exchanges name a connection of which a hash alone is there", make: produced(levels{2: 0}, same)},
		{name: "production-window-withheld", code: "withheld", exit: 0, about: "how a window ended is withheld", make: produced(levels{7: 1}, same)},
		{name: "production-window-opening-withheld", code: "withheld", exit: 0, about: "what a window asked for is withheld where it was opened, and said where it ended", make: produced(levels{3: 1}, same)},
		{name: "production-segments", code: "withheld", exit: 0, about: "a production of several segments", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Seal()
			return produce(t, m, smallHold(), 1)
		}},
		{name: "production-window-partial", code: "window-partial", exit: 4, about: "a production of a case with a partial window", make: partialProduction},
		{name: "production-stamps", code: "withheld", exit: 0, about: "files in custody/, stamps/ and work/ are covered by no manifest", make: produced(smallHold(), func(_ *testing.T, f map[string][]byte) {
			f["custody/receipt.txt"], f["stamps/1.txt"], f["work/lock"] = []byte("x"), []byte("x"), []byte("x")
		})},
		{name: "production-custody-record", code: "custody-form", exit: 3, about: "custody records beside a production are held to their form", make: produced(smallHold(), func(_ *testing.T, f map[string][]byte) {
			f["custody/0001.note"] = []byte("x")
		})},
		{name: "production-late-token", code: "token-form", exit: 3, about: "a timestamp beside a production must be one of its package.note", make: produced(smallHold(), func(_ *testing.T, f map[string][]byte) {
			f["stamps/0001.tsr"] = []byte("x")
		})},
	}
}

func partialProduction(t *testing.T) map[string][]byte {
	none := int64(evidence.None)
	m := sample.New(t, nil)
	m.Window(1, evidence.Window{State: evidence.Opened, User: "adele@contoso.example"})
	last := m.Exchange(sample.Answer{Window: 1, Page: 1, Parent: none, RetryOf: none, Status: 200, Head: "HTTP/1.1 200 OK\r\nContent-Length: 12", Body: `{"value":[]}`})
	m.Window(1, evidence.Window{State: evidence.Partial, Reason: "throttled", User: "adele@contoso.example", Requests: 1, Pages: 1, Last: last})
	return withheldOf(t, m, levels{last: 1})
}

func productionLines() []recipe {
	return []recipe{
		{name: "production-leaf", code: "head-root", exit: 3, about: "a leaf hash was altered", make: reproduced(func(t *testing.T, f map[string][]byte) {
			at := bytes.Index(f[jsonl], []byte(`"leaf":"`)) + 8
			f[jsonl][at] = "10"[f[jsonl][at]&1]
		})},
		{name: "production-head", code: "head-root", exit: 3, about: "a status was altered in a head line", make: lineOf(4, `"status":429`, `"status":404`)},
		{name: "production-head-time", code: "head-root", exit: 3, about: "a time was altered in a head line", make: lineOf(5, `"start":"2026-11-22T10:00:00.0`, `"start":"2026-11-22T10:00:00.1`)},
		{name: "production-detail", code: "production-form", exit: 3, about: "a detail line was altered", make: lineOf(12, "a remark with", "another remark")},
		{name: "production-detail-forged", code: "head-root", exit: 3, about: "a detail line was altered and the head line made to name it", make: reproduced(func(t *testing.T, f map[string][]byte) {
			replaceIn(t, f, 12, "a remark with", "another remark")
			line := strings.SplitAfter(string(f[jsonl]), "\n")[13]
			at := strings.Index(line, `,"detail":{`)
			old := regexp.MustCompile(`"detail":"[0-9a-f]{64}"`).FindString(line)
			replaceIn(t, f, 12, old, fmt.Sprintf(`"detail":"%x"`, sha256.Sum256([]byte(line[at+10:len(line)-2]))))
		})},
		{name: "production-nonce", code: "production-form", exit: 3, about: "the nonce of a detail line is withheld, and its hash shown", make: reproduced(func(t *testing.T, f map[string][]byte) {
			f[jsonl] = regexp.MustCompile(`"nonce":"[0-9a-f]{64}"`).ReplaceAll(f[jsonl], []byte(`"nonce":"`+strings.Repeat("0", 64)+`"`))
		})},
		{name: "production-level-0", code: "production-form", exit: 3, about: "a head line in a line that says it is a hash alone", make: lineOf(4, `"level":1`, `"level":0`)},
		{name: "production-level-1", code: "production-form", exit: 3, about: "both lines in a line that says it is a head line", make: lineOf(12, `"level":2`, `"level":1`)},
		{name: "production-level-2", code: "production-form", exit: 3, about: "a head line in a line that says it is both", make: lineOf(4, `"level":1`, `"level":2`)},
		{name: "production-level-3", code: "production-form", exit: 3, about: "a level that there is not", make: lineOf(12, `"level":2`, `"level":3`)},
		{name: "production-reason-disclosed", code: "production-form", exit: 3, about: "a reason for withholding what is disclosed", make: lineOf(12, `"level":2,`, `"level":2,"reason":"",`)},
		{name: "production-reason-missing", code: "production-form", exit: 3, about: "no reason where one stands, if an empty one", make: lineOf(4, `"reason":"privileged",`, ``)},
		{name: "production-reason-escape", code: "production-form", exit: 3, about: "a second spelling of a reason", make: lineOf(4, `privileged`, `privile\u0067ed`)},
		{name: "production-reason-surrogate", code: "production-form", exit: 3, about: "half a character in a reason", make: lineOf(4, `privileged`, `\ud800`)},
		{name: "production-reason-long", code: "production-form", exit: 3, about: "a reason of more than 1,000 bytes", make: lineOf(4, `privileged`, strings.Repeat("x", 1001))},
		{name: "production-space", code: "production-form", exit: 3, about: "a space between members", make: lineOf(4, `,"level"`, `, "level"`)},
		{name: "production-unknown-key", code: "production-form", exit: 3, about: "a member more", make: lineOf(4, `"level":1,`, `"level":1,"x":1,`)},
		{name: "production-after-object", code: "production-form", exit: 3, about: "bytes behind the object of a line", make: lineOf(13, "}\n", "} \n")},
		{name: "production-crlf", code: "production-form", exit: 3, about: "a line that ends in CR LF", make: lineOf(13, "}\n", "}\r\n")},
		{name: "production-no-lf", code: "production-form", exit: 3, about: "the last line does not end", make: reproduced(func(_ *testing.T, f map[string][]byte) { f[jsonl] = f[jsonl][:len(f[jsonl])-1] })},
		{name: "production-empty", code: "production-form", exit: 3, about: "production.jsonl is empty", make: reproduced(func(_ *testing.T, f map[string][]byte) { f[jsonl] = nil })},
		{name: "production-long-line", code: "production-form", exit: 3, about: "a line that is longer than any may be", make: lineOf(4, `privileged`, strings.Repeat("x", 300_000))},
		{name: "production-line-missing", code: "production-order", exit: 3, about: "the line of an entry is missing", make: jsonlLines(func(l []string) []string { return slices.Delete(l, 5, 6) })},
		{name: "production-line-twice", code: "production-order", exit: 3, about: "the line of an entry stands twice", make: jsonlLines(func(l []string) []string { return slices.Insert(l, 5, l[5]) })},
		{name: "production-lines-exchanged", code: "production-order", exit: 3, about: "two lines changed places", make: jsonlLines(func(l []string) []string { l[5], l[6] = l[6], l[5]; return l })},
		{name: "production-cut", code: "production-order", exit: 3, about: "the last lines are missing, the seal among them", make: jsonlLines(func(l []string) []string { return l[:len(l)-2] })},
		{name: "production-more", code: "production-order", exit: 3, about: "a line behind the seal", make: jsonlLines(func(l []string) []string {
			return append(l, fmt.Sprintf(`{"seq":16,"level":0,"reason":"","leaf":"%s"}`, strings.Repeat("0", 64))+"\n")
		})},
		{name: "production-seq-huge", code: "production-order", exit: 3, about: "a line of an entry far beyond", make: reproduced(func(t *testing.T, f map[string][]byte) {
			replaceIn(t, f, -1, `"size":16`, `"size":9007199254740991`)
			replaceIn(t, f, 13, `"seq":13`, `"seq":9007199254740990`)
		})},
		{name: "production-first-format", code: "production-form", exit: 3, about: "a production of another format", make: lineOf(-1, "exhibit-production/1", "exhibit-production/2")},
		{name: "production-first-size", code: "production-order", exit: 3, about: "a production that says there are more entries", make: lineOf(-1, `"size":16`, `"size":17`)},
		{name: "production-first-case", code: "head-form", exit: 3, about: "a production that calls itself one of another case", make: lineOf(-1, sample.CaseID, strings.Repeat("f", 32))},
		{name: "production-first-producer", code: "production-form", exit: 3, about: "a producer that is no verifier key", make: lineOf(-1, `"producer":"`, `"producer":"x`)},
		{name: "production-first-size-0", code: "production-form", exit: 3, about: "a production of no entries", make: lineOf(-1, `"size":16`, `"size":0`)},
		{name: "production-first-case-id", code: "production-form", exit: 3, about: "a case id in upper case", make: lineOf(-1, sample.CaseID, strings.ToUpper(sample.CaseID))},
		{name: "production-first-software", code: "production-form", exit: 3, about: "a tool whose name is too long for a warcinfo", make: lineOf(-1, "exhibit sample", strings.Repeat("x", 201))},
		{name: "production-first-software-space", code: "production-form", exit: 3, about: "a tool whose name ends in a space", make: lineOf(-1, "exhibit sample", "exhibit sample ")},
		{name: "production-first-missing", code: "production-form", exit: 3, about: "the first line is missing", make: jsonlLines(func(l []string) []string { return l[1:] })},
		{name: "production-case-withheld", code: "production-level", exit: 3, about: "the case entry is withheld but for its head line", make: withheldLine(0, 1)},
		{name: "production-case-hidden", code: "production-level", exit: 3, about: "of the case entry a hash alone is there", make: withheldLine(0, 0)},
		{name: "production-seal-withheld", code: "production-level", exit: 3, about: "the seal entry is withheld but for its head line", make: withheldLine(15, 1)},
		{name: "production-seal-hidden", code: "seal-rule", exit: 3, about: "of the seal entry a hash alone is there", make: withheldLine(15, 0)},
		{name: "production-checkpoint-withheld", code: "production-level", exit: 3, about: "a checkpoint entry is withheld but for its head line", make: withheldLine(14, 1)},
		{name: "production-window-hidden", code: "seal-rule", exit: 3, about: "of a window entry a hash alone is there", make: withheldLine(11, 0)},
	}
}

// withheldLine withholds an entry that no writer would.
func withheldLine(seq int, level int) func(*testing.T) map[string][]byte {
	return reproduced(func(t *testing.T, f map[string][]byte) {
		lines := strings.SplitAfter(string(f[jsonl]), "\n")
		line := lines[seq+1]
		_, head, _ := strings.Cut(line, `"head":`)
		end := regexp.MustCompile(`"detail":"[0-9a-f]{64}"\}`).FindStringIndex(head)
		rest := fmt.Sprintf(`"head":%s`, head[:end[1]])
		if level == 0 {
			rest = fmt.Sprintf(`"leaf":"%s"`, leafOf(t, line))
		}
		lines[seq+1] = fmt.Sprintf(`{"seq":%d,"level":%d,"reason":"",%s}`, seq, level, rest) + "\n"
		f[jsonl] = []byte(strings.Join(lines, ""))
	})
}

func productionRecords() []recipe {
	none := func(t *testing.T, text string, records []*sample.Record) int {
		i := slices.IndexFunc(records, func(r *sample.Record) bool { return strings.Contains(r.Block, text) })
		if i < 0 {
			t.Fatalf("no record holds %q", text)
		}
		return i
	}
	return []recipe{
		{name: "production-record", code: "record-mismatch", exit: 3, about: "a response was altered and compressed again", make: segmentRecords(func(t *testing.T, r []*sample.Record) []*sample.Record {
			r[none(t, `"Id":"a3"`, r)].Replace(t, `"Id":"a3"`, `"Id":"b3"`)
			return r
		})},
		{name: "production-record-date", code: "record-mismatch", exit: 3, about: "the date in a record's header was altered", make: segmentRecords(func(t *testing.T, r []*sample.Record) []*sample.Record {
			r[none(t, `"Id":"a3"`, r)].Header.Date = "2020-01-01T00:00:00.000000Z"
			return r
		})},
		{name: "production-records-exchanged", code: "record-mismatch", exit: 3, about: "two records changed places", make: segmentRecords(func(t *testing.T, r []*sample.Record) []*sample.Record {
			n := none(t, `"Id":"a3"`, r)
			r[n], r[n-1] = r[n-1], r[n]
			return r
		})},
		{name: "production-record-missing", code: "record-mismatch", exit: 3, about: "a record of a disclosed entry is missing", make: segmentRecords(func(t *testing.T, r []*sample.Record) []*sample.Record {
			n := none(t, `"Id":"a3"`, r)
			return slices.Delete(r, n, n+1)
		})},
		{name: "production-record-unclaimed", code: "record-unclaimed", exit: 3, about: "a record that no line claims", make: segmentRecords(func(t *testing.T, r []*sample.Record) []*sample.Record {
			more := *r[2]
			return append(r, &more)
		})},
		{name: "production-record-left", code: "record-unclaimed", exit: 3, about: "the records of an entry that is withheld were left in the segment", make: produced(levels{}, func(t *testing.T, f map[string][]byte) {
			lines := strings.SplitAfter(string(f[jsonl]), "\n")
			f[jsonl] = []byte(strings.Join(lines, ""))
			leaf := leafOf(t, lines[6])
			lines[6] = fmt.Sprintf(`{"seq":5,"level":0,"reason":"","leaf":"%s"}`, leaf) + "\n"
			f[jsonl] = []byte(strings.Join(lines, ""))
			signProduction(t, f, sample.Key(t, producerSeed))
		})},
		{name: "production-batch-left", code: "record-unclaimed", exit: 3, about: "a batch of the case stands in the segment", make: reproduced(func(t *testing.T, f map[string][]byte) {
			m := sample.Small(t)
			m.Close()
			for _, r := range m.Forge().Records() {
				if r.Batch() {
					f[seg1] = append(f[seg1], framed(t, []*sample.Record{r})...)
					return
				}
			}
		})},
		{name: "production-warcinfo", code: "warcinfo", exit: 3, about: "a warcinfo that the first line does not make", make: segmentRecords(func(t *testing.T, r []*sample.Record) []*sample.Record {
			r[0].Replace(t, "exhibit sample", "another tool")
			return r
		})},
		{name: "production-warcinfo-id", code: "warcinfo", exit: 3, about: "a warcinfo with another record id", make: segmentRecords(func(t *testing.T, r []*sample.Record) []*sample.Record {
			h := &r[0].Header
			h.ID = h.ID[:len(h.ID)-1] + string(h.ID[len(h.ID)-1]^1)
			return r
		})},
		{name: "production-warcinfo-missing", code: "warcinfo", exit: 3, about: "a segment without a warcinfo", make: segmentRecords(func(_ *testing.T, r []*sample.Record) []*sample.Record { return r[1:] })},
		{name: "production-segment-bare", code: "warcinfo", exit: 3, about: "a second segment that begins like the first and holds nothing", make: reproduced(func(t *testing.T, f map[string][]byte) {
			f[seg2] = framed(t, unframed(t, f[seg1])[:1])
		})},
		{name: "production-segment-empty", code: "warcinfo", exit: 3, about: "a second segment without a byte", make: reproduced(func(_ *testing.T, f map[string][]byte) { f[seg2] = []byte{} })},
		{name: "production-segment-missing", code: "record-mismatch", exit: 3, about: "a segment is missing", make: func(t *testing.T) map[string][]byte {
			m := sample.Small(t)
			m.Seal()
			f := produce(t, m, smallHold(), 1)
			delete(f, seg2)
			signProduction(t, f, sample.Key(t, producerSeed))
			return f
		}},
		{name: "production-frame-cut", code: "frame-cut", exit: 3, about: "the segment was cut", make: reproduced(func(_ *testing.T, f map[string][]byte) { f[seg1] = f[seg1][:len(f[seg1])-9] })},
		{name: "production-frame-skippable", code: "frame-skippable", exit: 3, about: "a skippable frame behind the last record", make: reproduced(func(_ *testing.T, f map[string][]byte) {
			f[seg1] = append(bytes.Clone(f[seg1]), skippable("hidden")...)
		})},
		{name: "production-recompressed", code: "bag-changed", exit: 3, about: "the segment was compressed again", make: produced(smallHold(), func(t *testing.T, f map[string][]byte) {
			r := unframed(t, f[seg1])
			f[seg1] = append(framed(t, r[:1]), zstdFrames(t, r[1:])...)
		})},
	}
}

// zstdFrames compresses records with another encoder, so that the frames differ.
func zstdFrames(t *testing.T, records []*sample.Record) (out []byte) {
	t.Helper()
	for _, r := range records {
		h, err := r.Header.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := warc.EncodeTo(&b, r.Header, strings.NewReader(r.Block), int64(len(r.Block))); err != nil || len(h) == 0 {
			t.Fatal(err)
		}
		out = append(out, b.Bytes()...)
	}
	return out
}

func productionHeads() []recipe {
	other := func(t *testing.T, id string, seed byte) []byte {
		text, err := trust.Head{Origin: evidence.Origin(id), Size: 16, Root: sha256.Sum256([]byte("other"))}.Text()
		if err != nil {
			t.Fatal(err)
		}
		note, err := trust.Sign(t.Context(), text, sample.Key(t, seed))
		if err != nil {
			t.Fatal(err)
		}
		return note
	}
	return []recipe{
		{name: "production-head-other-case", code: "head-form", exit: 3, about: "the head is that of another case", make: reproduced(func(t *testing.T, f map[string][]byte) {
			f[finalNote] = other(t, strings.Repeat("f", 32), 9)
		})},
		{name: "production-head-other-root", code: "head-root", exit: 3, about: "a head of the case with another root", make: reproduced(func(t *testing.T, f map[string][]byte) {
			f[finalNote] = other(t, sample.CaseID, 9)
		})},
		{name: "production-head-stranger", code: "head-signature", exit: 3, about: "the head is signed by a key that the case does not allow", make: reproduced(func(t *testing.T, f map[string][]byte) {
			text, _, _ := strings.Cut(string(f[finalNote]), "\n\n")
			note, err := trust.Sign(t.Context(), text+"\n", sample.Key(t, producerSeed))
			if err != nil {
				t.Fatal(err)
			}
			f[finalNote] = note
		})},
		{name: "production-head-missing", code: "head-missing", exit: 3, about: "the final head is missing", make: reproduced(func(_ *testing.T, f map[string][]byte) { delete(f, finalNote) })},
		{name: "production-head-earlier-missing", code: "head-missing", exit: 3, about: "a head of which a checkpoint entry tells is missing", make: reproduced(func(_ *testing.T, f map[string][]byte) { delete(f, "data/checkpoints/14.note") })},
		{name: "production-note-missing", code: "bag-missing", exit: 3, about: "package.note is missing: a production is made whole", make: produced(smallHold(), func(_ *testing.T, f map[string][]byte) { delete(f, "package.note") })},
		{name: "production-note-package", code: "package-note", exit: 3, about: "package.note states that this is a whole case", make: produced(smallHold(), func(t *testing.T, f map[string][]byte) {
			f["package.note"] = bytes.Replace(f["package.note"], []byte("exhibit production v1"), []byte("exhibit package v1"), 1)
			signProduction(t, f, sample.Key(t, producerSeed))
		})},
		{name: "production-note-case-key", code: "package-note", exit: 3, about: "package.note is signed by the key of the case, which is not the producer's", make: produced(smallHold(), func(t *testing.T, f map[string][]byte) {
			signProduction(t, f, sample.Key(t, 9))
		})},
		{name: "production-note-two", code: "package-note", exit: 3, about: "package.note has a signature more than the producer's", make: produced(smallHold(), func(t *testing.T, f map[string][]byte) {
			signProduction(t, f, sample.Key(t, producerSeed), sample.Key(t, 9))
		})},
		{name: "production-note-size", code: "package-note", exit: 3, about: "package.note states another size", make: produced(smallHold(), func(t *testing.T, f map[string][]byte) {
			f["package.note"] = bytes.Replace(f["package.note"], []byte("\n16\n"), []byte("\n15\n"), 1)
			signProduction(t, f, sample.Key(t, producerSeed))
		})},
		{name: "production-note-tagmanifest", code: "package-note", exit: 3, about: "bag-info.txt was altered and the manifests made again, but not package.note", make: produced(smallHold(), func(t *testing.T, f map[string][]byte) {
			f["bag-info.txt"] = append([]byte("Contact-Name: x\n"), f["bag-info.txt"]...)
			bagAgain(t, f)
		})},
		{name: "production-note-origin", code: "package-note", exit: 3, about: "package.note states another case", make: produced(smallHold(), func(t *testing.T, f map[string][]byte) {
			f["package.note"] = bytes.Replace(f["package.note"], []byte(sample.CaseID), []byte(strings.Repeat("f", 32)), 1)
			signProduction(t, f, sample.Key(t, producerSeed))
		})},
		{name: "production-ledger", code: "path-unexpected", exit: 3, about: "ledger.db of the case was left in a production", make: reproduced(func(_ *testing.T, f map[string][]byte) { f["data/ledger.db"] = []byte("x") })},
		{name: "production-file-extra", code: "bag-extra", exit: 3, about: "a file more in data/", make: produced(smallHold(), func(_ *testing.T, f map[string][]byte) { f["data/more.txt"] = []byte("x") })},
		{name: "production-file-changed", code: "bag-changed", exit: 3, about: "verify.py was altered", make: produced(smallHold(), func(_ *testing.T, f map[string][]byte) { f["data/verify.py"] = []byte("# Another one.\n") })},
		{name: "production-verify-missing", code: "bag-missing", exit: 3, about: "verify.py is missing", make: reproduced(func(_ *testing.T, f map[string][]byte) { delete(f, "data/verify.py") })},
		{name: "production-index-missing", code: "record-unclaimed", exit: 3, about: "production.jsonl is missing: what is left is no case", make: produced(smallHold(), func(_ *testing.T, f map[string][]byte) { delete(f, jsonl) })},
		{name: "production-in-case", code: "path-unexpected", exit: 3, about: "a production.jsonl in a sealed case", make: resealed(func(t *testing.T, f map[string][]byte) {
			f[jsonl] = withheldOf(t, sample.Small(t), smallHold())[jsonl]
		})},
	}
}

// productionRules are productions of a case that breaks a rule across entries, made by somebody who has all keys.
func productionRules() []recipe {
	return []recipe{
		{name: "production-falsified", code: "withheld", exit: 0, about: "a production whose heads were made again, with nothing wrong", make: falsified(smallHold(), func([]string) {})},
		{name: "production-rule-requests", code: "entry-rule", exit: 3, about: "a window ends after more requests than there can be", make: falsified(smallHold(), inLine(7, `"requests":3`, `"requests":4`))},
		{name: "production-rule-requests-less", code: "entry-rule", exit: 3, about: "a window ends after fewer requests than there are", make: falsified(smallHold(), inLine(7, `"requests":3`, `"requests":2`))},
		{name: "production-rule-pages", code: "entry-rule", exit: 3, about: "a window ends with more pages than can have been brought", make: falsified(smallHold(), inLine(7, `"pages":2`, `"pages":3`))},
		{name: "production-requests-hidden", code: "withheld", exit: 0, about: "a window ends after more requests than are to be seen: one of them may be hidden", make: falsified(levels{4: 0}, inLine(7, `"requests":3`, `"requests":3`))},
		{name: "production-rule-retry", code: "entry-rule", exit: 3, about: "retry_of names the connection, of which the head line is there", make: falsified(levels{2: 1}, inLine(5, `"retry_of":4`, `"retry_of":2`))},
		{name: "production-rule-retry-other", code: "entry-rule", exit: 3, about: "retry_of names an exchange that is withheld, and a later attempt at the chain is disclosed", make: falsified(levels{4: 1}, inLine(6, `"retry_of":-1`, `"retry_of":4`))},
		{name: "production-rule-parent", code: "entry-rule", exit: 3, about: "parent names a later entry", make: falsified(levels{13: 0}, inLine(6, `"parent":5`, `"parent":13`))},
		{name: "production-rule-window", code: "entry-rule", exit: 3, about: "a head line is of a window that was not opened", make: falsified(smallHold(), inLine(4, `"window":1`, `"window":7`))},
		{name: "production-rule-window-connection", code: "entry-rule", exit: 3, about: "the head line of a connection is of a window that was not opened", make: falsified(levels{2: 1}, inLine(2, `"window":0`, `"window":7`))},
		{name: "production-rule-window-0", code: "entry-rule", exit: 3, about: "the head line of a window entry without a window", make: falsified(levels{7: 1}, inLine(7, `"window":1`, `"window":0`))},
		{name: "production-rule-method", code: "production-form", exit: 3, about: "the head line of a window entry has a method", make: falsified(levels{7: 1}, inLine(7, `"method":""`, `"method":"GET"`))},
		{name: "production-rule-seal-count", code: "seal-rule", exit: 3, about: "the seal counts fewer exchanges than are to be seen", make: falsified(smallHold(), func(l []string) {
			inLine(15, `"kind":"exchange","count":4`, `"kind":"exchange","count":3`)(l)
			inLine(15, `"kind":"operator","count":3`, `"kind":"operator","count":4`)(l)
		})},
		{name: "production-rule-seal-window", code: "seal-rule", exit: 3, about: "the seal counts more windows than are there", make: falsified(smallHold(), func(l []string) {
			inLine(15, `"kind":"window","count":4`, `"kind":"window","count":5`)(l)
			inLine(15, `"kind":"operator","count":3`, `"kind":"operator","count":2`)(l)
		})},
		{name: "production-rule-seal-order", code: "seal-rule", exit: 3, about: "the seal's counts are not in order", make: falsified(smallHold(), func(l []string) {
			inLine(15, `{"kind":"case","count":1},{"kind":"checkpoint","count":2}`, `{"kind":"checkpoint","count":2},{"kind":"case","count":1}`)(l)
		})},
		{name: "production-rule-seal-segment", code: "seal-rule", exit: 3, about: "the seal names no segment", make: falsified(smallHold(), func(l []string) {
			l[16] = regexp.MustCompile(`"segment":\d+`).ReplaceAllString(l[16], `"segment":0`)
		})},
		{name: "production-rule-seal-kind", code: "seal-rule", exit: 3, about: "the seal does not count a kind of which there are entries", make: falsified(smallHold(), func(l []string) {
			inLine(15, `{"kind":"connection","count":1},`, ``)(l)
			inLine(15, `"kind":"operator","count":3`, `"kind":"operator","count":4`)(l)
		})},
		{name: "production-rule-seq", code: "production-form", exit: 3, about: "the head line of another entry in a line", make: falsified(smallHold(), inLine(4, `"head":{"seq":4`, `"head":{"seq":9`))},
		{name: "production-rule-seq-disclosed", code: "production-form", exit: 3, about: "both lines of another entry in a line", make: falsified(smallHold(), inLine(12, `"head":{"seq":12`, `"head":{"seq":9`))},
		{name: "production-rule-last", code: "entry-rule", exit: 3, about: "last names an entry that is no exchange, of which the head line is there", make: falsified(levels{2: 1}, inLine(7, `"last":6`, `"last":2`))},
		{name: "production-rule-after-seal", code: "seal-rule", exit: 3, about: "an entry behind the seal, of which a hash alone is there", make: behindSeal},
		{name: "production-rule-acquisition", code: "entry-rule", exit: 3, about: "a window is closed as another acquisition than it was opened", make: falsified(smallHold(), inLine(7, `"value":"2"`, `"value":"3"`))},
	}
}

// behindSeal adds an entry behind the seal and signs a head over it.
func behindSeal(t *testing.T) map[string][]byte {
	files := withheldOf(t, sample.Small(t), smallHold())
	replaceIn(t, files, -1, `"size":16`, `"size":17`)
	files[jsonl] = fmt.Appendf(files[jsonl], `{"seq":16,"level":0,"reason":"","leaf":"%s"}`+"\n", strings.Repeat("0", 64))
	var tree evidence.Tree
	lines := strings.Split(string(files[jsonl]), "\n")
	for _, line := range lines[1 : len(lines)-1] {
		tree.Add(leafOf(t, line))
	}
	delete(files, finalNote)
	files["data/checkpoints/17.note"] = signHead(t, tree)
	head, _, _ := strings.Cut(string(files["data/checkpoints/17.note"]), "\n\n")
	files["package.note"] = []byte("exhibit production v1\n" + head + "\n0\n\n")
	signProduction(t, files, sample.Key(t, producerSeed))
	return files
}

// TestProductionSalvage: of a production nothing is salvaged.
func TestProductionSalvage(t *testing.T) {
	s, err := verify.Salvage(t.Context(), mapFS(reproduced(same)(t)), verify.Options{})
	if err != nil || s.Proven != 0 {
		t.Errorf("%v, %v", s, err)
	}
}
