//go:build linux

package hostile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// warcCase is a record that is not in the one form that the format has. It stands in the place of a good one, in a frame that is whole.
type warcCase struct {
	name string
	edit func(header, block string) string // of a whole record
}

const end = "\r\n\r\n"

// field changes the value of a header field.
func field(name, to string) func(string, string) string {
	return func(h, b string) string {
		before, after, _ := strings.Cut(h, "\r\n"+name+": ")
		_, after, _ = strings.Cut(after, "\r\n")
		return before + "\r\n" + name + ": " + to + "\r\n" + after + b + end
	}
}

// drop takes a header field away.
func drop(name string) func(string, string) string {
	return func(h, b string) string {
		before, after, _ := strings.Cut(h, "\r\n"+name+": ")
		_, after, _ = strings.Cut(after, "\r\n")
		return before + "\r\n" + after + b + end
	}
}

// add puts lines before the empty line of the header.
func add(lines string) func(string, string) string {
	return func(h, b string) string { return strings.TrimSuffix(h, "\r\n") + lines + "\r\n" + b + end }
}

func replace(old, new string) func(string, string) string {
	return func(h, b string) string { return strings.ReplaceAll(h, old, new) + b + end }
}

// warcCases lists the cases of row B6.
func warcCases() []warcCase {
	const zeros = "0000000000000000000000000000000000000000000000000000000000000000"
	all := []warcCase{
		{"no empty line behind the header", func(h, b string) string { return strings.TrimSuffix(h, "\r\n") + b + end }},
		{"two empty lines behind the header", func(h, b string) string { return h + "\r\n" + b + end }},
		{"no end", func(h, b string) string { return h + b }},
		{"half an end", func(h, b string) string { return h + b + "\r\n" }},
		{"one and a half ends", func(h, b string) string { return h + b + end + "\r\n" }},
		{"end of LF", func(h, b string) string { return h + b + "\n\n" }},
		{"CR alone", replace("\r\n", "\r")},
		{"LF alone", replace("\r\n", "\n")},
		{"one line in LF", func(h, b string) string { return strings.Replace(h, "\r\n", "\n", 1) + b + end }},
		{"nothing", func(string, string) string { return "" }},
		{"header alone", func(h, _ string) string { return h }},
		{"block alone", func(_, b string) string { return b }},
		{"twice", func(h, b string) string { return h + b + end + h + b + end }},
		{"folded line", replace("\r\nContent-Type: ", "\r\nContent-Type:\r\n ")},
		{"space before the colon", replace("Content-Type: ", "Content-Type : ")},
		{"no space behind the colon", replace("Content-Type: ", "Content-Type:")},
		{"two spaces behind the colon", replace("Content-Type: ", "Content-Type:  ")},
		{"space at a line's end", replace("\r\nContent-Type", " \r\nContent-Type")},
		{"tab", replace("Content-Type: ", "Content-Type:\t")},
		{"names in lower case", func(h, b string) string { return strings.Replace(h, "WARC-Type", "warc-type", 1) + b + end }},
		{"empty value", field("Content-Type", "")},
		{"NUL in a value", field("Content-Type", "application/\x00")},
		{"escape in a value", field("Content-Type", "\x1b]0;x\x07")},
		{"UTF-8 in a value", field("Content-Type", "é")},
		{"0xFF in a name", add("\xff: x\r\n")},
		{"unknown field", add("X-Extra: 1\r\n")},
		{"no colon", add("nothing\r\n")},
		{"header of 128 KiB and one byte", add("X: " + strings.Repeat("a", 131_072) + "\r\n")},
		{"header of 16 MiB in one line", add("X: " + strings.Repeat("a", 16<<20) + "\r\n")},
		{"header of 16 MiB in many lines", add(strings.Repeat("X: a\r\n", 16<<20/6))},
		{"header that does not end", func(h, _ string) string { return strings.Repeat("a", 16<<20) }},
		{"a header's first line alone, 1 MiB times", func(h, _ string) string { return strings.Repeat("WARC/1.1\r\n", 1<<20) }},
		{"another id", field("WARC-Record-ID", "<urn:uuid:00000000-0000-8000-8000-000000000000>")},
		{"id without brackets", field("WARC-Record-ID", "urn:uuid:00000000-0000-8000-8000-000000000000")},
		{"another date", field("WARC-Date", "2026-11-22T10:00:59.000000Z")},
		{"date without a fraction", field("WARC-Date", "2026-11-22T10:00:00Z")},
		{"date that is none", field("WARC-Date", "2026-02-30T10:00:00.000000Z")},
		{"another URI", field("WARC-Target-URI", "https://service.example/other")},
		{"URI of 100 KiB", field("WARC-Target-URI", "https://service.example/"+strings.Repeat("a", 100_000))},
		{"segment number", add("WARC-Segment-Number: 1\r\n")},
		{"refers to another", add("WARC-Refers-To: <urn:uuid:00000000-0000-8000-8000-000000000000>\r\n")},
		{"profile of a revisit", add("WARC-Profile: http://netpreserve.org/warc/1.1/revisit/identical-payload-digest\r\n")},
		{"concurrent to nobody", add("WARC-Concurrent-To: <urn:uuid:00000000-0000-8000-8000-000000000000>\r\n")},
		{"concurrent to somebody else", field("WARC-Concurrent-To", "<urn:uuid:00000000-0000-8000-8000-000000000000>")},
		{"an address", add("WARC-IP-Address: 192.0.2.9\r\n")},
		{"a payload digest", add("WARC-Payload-Digest: sha256:" + zeros + "\r\n")},
		{"cut short, it says", add("WARC-Truncated: length\r\n")},
		{"digest of zeros", field("WARC-Block-Digest", "sha256:"+zeros)},
		{"digest in upper case", func(h, b string) string { return strings.Replace(h, "sha256:", "SHA256:", 1) + b + end }},
		{"digest in base32", field("WARC-Block-Digest", "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ")},
		{"digest by MD5", field("WARC-Block-Digest", "md5:d41d8cd98f00b204e9800998ecf8427e")},
		{"digest by nothing", field("WARC-Block-Digest", "none:")},
		{"digest without a name", field("WARC-Block-Digest", zeros)},
		{"digest cut", field("WARC-Block-Digest", "sha256:"+zeros[:40])},
		{"digest twice", add("WARC-Block-Digest: sha256:" + zeros + "\r\n")},
		{"two lengths", add("Content-Length: 5\r\n")},
	}
	for _, version := range []string{"WARC/1.0", "WARC/0.18", "WARC/1.2", "warc/1.1", "WARC/1.1 ", "HTTP/1.1", "\x1f\x8b", "\xef\xbb\xbfWARC/1.1", "WARC/11", ""} {
		all = append(all, warcCase{fmt.Sprintf("version %q", version), func(h, b string) string { return strings.Replace(h, "WARC/1.1", version, 1) + b + end }})
	}
	for _, kind := range []string{"revisit", "continuation", "conversion", "warcinfo", "metadata", "request", "response", "resource", "Response", "", "x", "response,request"} {
		all = append(all, warcCase{fmt.Sprintf("type %q", kind), func(h, b string) string {
			s := field("WARC-Type", kind)(h, b)
			if s == h+b+end { // it is of this type
				return s + "x"
			}
			return s
		}})
	}
	for _, n := range append(numbers(), "4294967296", "4294967297", "99999999999999999999999", "+5", " 5", "5 ", "0x5", "5,5", "5\r\nContent-Length: 6", "٥") {
		all = append(all, warcCase{fmt.Sprintf("length %q", n), field("Content-Length", n)})
	}
	for _, name := range []string{"WARC-Type", "WARC-Record-ID", "WARC-Date", "WARC-Target-URI", "Content-Type", "WARC-Block-Digest", "Content-Length"} {
		all = append(all, warcCase{"without " + name, drop(name)}, warcCase{name + " twice", func(h, b string) string {
			_, after, _ := strings.Cut(h, "\r\n"+name+": ")
			value, _, _ := strings.Cut(after, "\r\n")
			return add(name+": "+value+"\r\n")(h, b)
		}}, warcCase{name + " last", func(h, b string) string {
			_, after, _ := strings.Cut(h, "\r\n"+name+": ")
			value, _, _ := strings.Cut(after, "\r\n")
			without := strings.TrimSuffix(drop(name)(h, b), b+end)
			return add(name+": "+value+"\r\n")(without, b)
		}})
	}
	return all
}

// warcTry puts a record in the place of a response, of a certificate chain, of a warcinfo or of a batch.
func warcTry(t *testing.T, second bool) func(d *desk, i int) error {
	enc, err := warc.NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	all, good := warcCases(), unsealed(t)
	inPlaceOf := []string{"HTTP/1.1 200 OK", "BEGIN CERTIFICATE", "WARC File Format", `"kind":"exchange"`}
	return func(d *desk, i int) error {
		c, text := all[i%len(all)], inPlaceOf[i/len(all)%4]
		f := apart(good)
		rec := find(f, text)
		whole := wholeRecord(rec, enc)
		edited := c.edit(whole[:len(whole)-len(end)-len(rec.Block)], rec.Block)
		if edited == whole { // this record has it that way
			return nil
		}
		rec.Raw = packed([]byte(edited), zstd.SpeedFastest)
		if err := bundle(f.Build(t)).write(d.dir); err != nil {
			return err
		}
		r, o, err := d.check(nil, 3)
		switch {
		case err != nil:
			return fmt.Errorf("%s, in the place of %q: %w", c.name, text, err)
		case o.Peak > maxFrameMemory:
			return o.fail("%s: more than %d MiB", c.name, maxFrameMemory>>20)
		case !r.located():
			return o.fail("%s: no finding names a segment and an offset", c.name)
		case second:
			if err := d.python(t).run(d.dir).common(3); err != nil {
				return fmt.Errorf("%s, in the place of %q: %w", c.name, text, err)
			}
		}
		return nil
	}
}

func find(f *sample.Forged, text string) *sample.Record {
	for _, r := range f.Records() {
		if strings.Contains(r.Block, text) {
			return r
		}
	}
	panic("no record holds " + text)
}

// located reports whether damage is found at an offset of a segment.
func (r *report) located() bool {
	for _, f := range r.Findings {
		if f.Class == "damage" && strings.HasSuffix(f.Path, ".warc.zst") && f.Offset >= 0 {
			return true
		}
	}
	return false
}

// TestRecords puts records that break the rules of WARC, or of the format's narrower form of it, into whole frames (row B6).
func TestRecords(t *testing.T) {
	all := 4 * len(warcCases())
	n := part(all, 40)
	try := warcTry(t, false)
	sweep(t, n, func(d *desk, i int) error { return try(d, i*all/n) })
}

// TestRecordsInPython lets verify.py look at some of them.
func TestRecordsInPython(t *testing.T) {
	newDesk(t).python(t)
	all := 4 * len(warcCases())
	n := part(all/4, 8)
	try := warcTry(t, true)
	sweep(t, n, func(d *desk, i int) error { return try(d, i*all/n+i%4) })
}
