package trust

import (
	"crypto/sha256"
	"strings"
	"testing"
)

// headText is the example of C2SP tlog-checkpoint.
const headText = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

// abcHex is SHA-256("abc"), FIPS 180-2, B.1.
const abcHex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

func TestHead(t *testing.T) {
	h, err := ParseHead(headText)
	if err != nil {
		t.Fatal(err)
	}
	if h.Origin != "example.com/behind-the-sofa" || h.Size != 20852163 || h.Root[0] != 0x0a || h.Root[31] != 0x62 {
		t.Errorf("got %+v", h)
	}
	if text, err := h.Text(); err != nil || text != headText {
		t.Errorf("text %q (%v)", text, err)
	}
	for _, h := range []Head{
		{Origin: "", Size: 1}, {Origin: "two words", Size: 1}, {Origin: "a\nb", Size: 1},
		{Origin: strings.Repeat("o", 256), Size: 1}, {Origin: "o", Size: -1},
	} {
		if text, err := h.Text(); err == nil {
			t.Errorf("%+v: wrote %q", h, text)
		}
	}
}

const root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="

func TestParseHeadRefuses(t *testing.T) {
	for what, text := range map[string]string{
		"empty":               "",
		"newline":             "\n",
		"no last newline":     strings.TrimSuffix(headText, "\n"),
		"extension line":      headText + "ext\n",
		"empty line after":    headText + "\n",
		"two lines":           "o\n1\n",
		"empty origin":        "\n1\n" + root + "\n",
		"space in origin":     "o o\n1\n" + root + "\n",
		"plus in origin":      "o+o\n1\n" + root + "\n",
		"carriage return":     "o\r\n1\r\n" + root + "\r\n",
		"leading zero":        "o\n01\n" + root + "\n",
		"two zeros":           "o\n00\n" + root + "\n",
		"negative":            "o\n-1\n" + root + "\n",
		"minus zero":          "o\n-0\n" + root + "\n",
		"plus sign":           "o\n+1\n" + root + "\n",
		"underscore":          "o\n1_0\n" + root + "\n",
		"hexadecimal":         "o\n0x1\n" + root + "\n",
		"space before size":   "o\n 1\n" + root + "\n",
		"2^63":                "o\n9223372036854775808\n" + root + "\n",
		"empty size":          "o\n\n" + root + "\n",
		"long size":           "o\n" + strings.Repeat("1", 1000) + "\n" + root + "\n",
		"root of 31 bytes":    "o\n1\n" + strings.Repeat("A", 40) + "AA==\n",
		"root of 33 bytes":    "o\n1\n" + strings.Repeat("A", 44) + "\n",
		"root without pad":    "o\n1\n" + strings.TrimSuffix(root, "=") + "\n",
		"root with bits left": "o\n1\n" + strings.Replace(root, "I=", "J=", 1) + "\n",
		"root with CR inside": "o\n1\n" + root[:20] + "\r" + root[20:] + "\n",
		"root in hexadecimal": "o\n1\n" + abcHex + "\n",
		"too long":            strings.Repeat("o", MaxNoteSize) + "\n1\n" + root + "\n",
	} {
		if h, err := ParseHead(text); err == nil {
			t.Errorf("%s: accepted as %+v", what, h)
		}
	}
	h, err := ParseHead("o\n9223372036854775807\n" + root + "\n")
	if err != nil || h.Size != 1<<63-1 {
		t.Errorf("2^63-1: %+v, %v", h, err)
	}
	if h, err := ParseHead("o\n0\n" + root + "\n"); err != nil || h.Size != 0 {
		t.Errorf("0: %+v, %v", h, err)
	}
}

func TestPackageStatement(t *testing.T) {
	const want = "exhibit package v1\n" + headText + abcHex + "\n"
	head, err := ParseHead(headText)
	if err != nil {
		t.Fatal(err)
	}
	p := PackageStatement{Head: head, TagManifest: sha256.Sum256([]byte("abc"))}
	text, err := p.Text()
	if err != nil || text != want {
		t.Fatalf("text %q (%v), want %q", text, err, want)
	}
	got, err := ParsePackageStatement(want)
	if err != nil || got != p {
		t.Errorf("parsed %+v (%v)", got, err)
	}
	if _, err := ParseHead(want); err == nil {
		t.Error("a package statement is taken for a head")
	}
	if _, err := ParsePackageStatement(headText); err == nil {
		t.Error("a head is taken for a package statement")
	}
	if _, err := (PackageStatement{Head: Head{Origin: "a b"}}).Text(); err == nil {
		t.Error("origin with a space was written")
	}
	for what, text := range map[string]string{
		"version 2":           strings.Replace(want, "v1", "v2", 1),
		"upper-case word":     strings.Replace(want, "exhibit", "Exhibit", 1),
		"upper-case hash":     "exhibit package v1\n" + headText + strings.ToUpper(abcHex) + "\n",
		"hash of 31 bytes":    "exhibit package v1\n" + headText + abcHex[2:] + "\n",
		"hash of 33 bytes":    "exhibit package v1\n" + headText + abcHex + "00\n",
		"hash of 63 digits":   "exhibit package v1\n" + headText + abcHex[1:] + "\n",
		"no hash":             "exhibit package v1\n" + headText,
		"line after":          want + "more\n",
		"no last newline":     strings.TrimSuffix(want, "\n"),
		"space after version": strings.Replace(want, "v1", "v1 ", 1),
		"size with a zero":    strings.Replace(want, "20852163", "020852163", 1),
		"empty":               "",
	} {
		if p, err := ParsePackageStatement(text); err == nil {
			t.Errorf("%s: accepted as %+v", what, p)
		}
	}
}
