package warc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const anID = "urn:uuid:01234567-89ab-4cde-8f01-23456789abcd"

func resource() Header {
	return Header{Type: Resource, ID: anID, Date: "2026-11-22T10:00:00.000000Z", TargetURI: "urn:exhibit:torn", ContentType: "application/octet-stream"}
}

func newCoders(t testing.TB) (*Encoder, *Decoder) {
	t.Helper()
	enc, err := NewEncoder()
	if err != nil {
		t.Fatal(err)
	}
	dec, err := NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dec.Close)
	return enc, dec
}

// TestRecordBytes compares a whole record with one written by hand.
func TestRecordBytes(t *testing.T) {
	enc, dec := newCoders(t)
	e, err := enc.Encode(resource(), []byte("abc"))
	if err != nil {
		t.Fatal(err)
	}
	// The digest is SHA-256 of "abc", FIPS 180-4's own example.
	want := "WARC/1.1\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:uuid:01234567-89ab-4cde-8f01-23456789abcd>\r\n" +
		"WARC-Date: 2026-11-22T10:00:00.000000Z\r\nWARC-Target-URI: urn:exhibit:torn\r\nContent-Type: application/octet-stream\r\n" +
		"WARC-Block-Digest: sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n"
	rec, err := NewReader(dec, bytes.NewReader(e.Frame), 0, int64(len(e.Frame))).Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if string(rec.Whole()) != want {
		t.Errorf("record\n%q\nwant\n%q", rec.Whole(), want)
	}
	if rec.HeaderLength != int64(len(want)-7) {
		t.Error("header length is not that of the header")
	}
}

// TestZstdProgramReadsFrames decodes small and large frames with the zstd program.
func TestZstdProgramReadsFrames(t *testing.T) {
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal("zstd is missing")
		}
		t.Skip("NOT TESTED: zstd is missing: that it reads our frames")
	}
	enc, _ := newCoders(t)
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, 200, 70_000, 5 << 20} {
		block := make([]byte, size)
		for i := range block {
			block[i] = byte(random.IntN(7))
		}
		var frames [][]byte
		e, err := enc.Encode(resource(), block)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, e.Frame)
		var out bytes.Buffer
		if _, err := EncodeTo(&out, resource(), bytes.NewReader(block), int64(size)); err != nil {
			t.Fatal(err)
		}
		for i, f := range append(frames, out.Bytes()) {
			path := filepath.Join(t.TempDir(), "f.zst")
			if err := os.WriteFile(path, f, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := exec.Command(zstd, "-dc", "--memory=8MB", path).Output()
			if err != nil || !bytes.Contains(got, append([]byte("\r\n\r\n"), block...)) {
				t.Errorf("block of %d bytes, way %d: zstd gave %d bytes, %v", size, i, len(got), err)
			}
		}
	}
}

// TestStreamedIsInline reads a large record both ways and compares hashes.
func TestStreamedIsInline(t *testing.T) {
	_, dec := newCoders(t)
	block := bytes.Repeat([]byte("0123456789abcdef"), (InlineLimit+1<<20)/16)
	var out bytes.Buffer
	e, err := EncodeTo(&out, resource(), bytes.NewReader(block), int64(len(block)))
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader(dec, bytes.NewReader(out.Bytes()), 0, int64(out.Len()))
	rec, err := r.Next(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if rec.Block() != nil || rec.BlockHash != sha256.Sum256(block) || rec.Header != e.Header {
		t.Error("a streamed record has another hash, or a block in memory")
	}
	if _, err := r.Next(context.Background()); !errors.Is(err, io.EOF) {
		t.Errorf("after the last record: %v", err)
	}
	var copied bytes.Buffer
	if _, err := CopyBlock(context.Background(), dec, bytes.NewReader(out.Bytes()), 0, int64(out.Len()), &copied); err != nil || !bytes.Equal(copied.Bytes(), block) {
		t.Errorf("CopyBlock: %d bytes, %v", copied.Len(), err)
	}
}

// TestHeadersRefused alters a good header in one place each.
func TestHeadersRefused(t *testing.T) {
	if _, err := resource().Append(nil); err == nil {
		t.Fatal("a header without digest was written")
	}
	h := resource()
	h.BlockDigest = strings.Repeat("a", 64)
	good, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, n, err := ParseHeader(append(good, "block"...)); err != nil || got != h || n != len(good) {
		t.Fatalf("%+v %d %v", got, n, err)
	}
	for name, change := range map[string][2]string{
		"version":               {"WARC/1.1", "WARC/1.0"},
		"no version":            {"WARC/1.1\r\n", ""},
		"LF alone":              {"resource\r\n", "resource\n"},
		"two spaces":            {"WARC-Type: ", "WARC-Type:  "},
		"no space":              {"WARC-Type: ", "WARC-Type:"},
		"name in lower case":    {"WARC-Type", "warc-type"},
		"unknown type":          {": resource", ": revisit"},
		"field twice":           {"WARC-Type: resource\r\n", "WARC-Type: resource\r\nWARC-Type: resource\r\n"},
		"field missing":         {"WARC-Target-URI: urn:exhibit:torn\r\n", ""},
		"field of another type": {"Content-Type:", "WARC-Truncated: length\r\nContent-Type:"},
		"unknown field":         {"Content-Type:", "X-Y: z\r\nContent-Type:"},
		"empty value":           {"urn:exhibit:torn", ""},
		"space at the end":      {"urn:exhibit:torn", "urn:exhibit:torn "},
		"byte beyond ASCII":     {"urn:exhibit:torn", "urn:exhibit:t\xc3\xb6rn"},
		"control byte":          {"urn:exhibit:torn", "urn:exhibit:\x1btorn"},
		"id without brackets":   {"<" + anID + ">", anID},
		"id in upper case":      {"89ab-4cde", "89AB-4cde"},
		"other digest":          {"sha256:", "sha1:"},
		"digest too short":      {strings.Repeat("a", 64), strings.Repeat("a", 63)},
		"length with plus":      {"Content-Length: 0", "Content-Length: +0"},
		"length with zeros":     {"Content-Length: 0", "Content-Length: 00"},
		"negative length":       {"Content-Length: 0", "Content-Length: -1"},
		"length beyond 2^63":    {"Content-Length: 0", "Content-Length: 9223372036854775808"},
		"length not last":       {"Content-Length: 0\r\n", "Content-Length: 0\r\nWARC-Date: x\r\n"},
		"no end":                {"\r\n\r\n", "\r\n"},
	} {
		bad := strings.Replace(string(good), change[0], change[1], 1)
		if bad == string(good) {
			t.Fatalf("%s changes nothing", name)
		}
		if h, _, err := ParseHeader([]byte(bad)); err == nil {
			t.Errorf("%s: accepted as %+v", name, h)
		}
	}
}

// TestBombIsBounded reads frames that would decode to far more than they declare or hold.
func TestBombIsBounded(t *testing.T) {
	_, dec := newCoders(t)
	// 64 RLE blocks of 128 KiB in a frame that declares 8 MiB: 8 MiB of zeros in 200 bytes.
	frame := []byte{0x28, 0xB5, 0x2F, 0xFD, 0x84, 0x68, 0, 0, 0x80, 0}
	for i := range 64 {
		head := uint32(128<<10)<<3 | 1<<1
		if i == 63 {
			head |= 1
		}
		frame = append(frame, byte(head), byte(head>>8), byte(head>>16), 0)
	}
	frame = append(frame, 0, 0, 0, 0)
	_, err := NewReader(dec, bytes.NewReader(frame), 0, int64(len(frame))).Next(context.Background())
	var form *FormatError
	if !errors.As(err, &form) {
		t.Errorf("a bomb was read: %v", err)
	}
}

// FuzzReader feeds any bytes to the reader. What it accepts must encode again to the same record.
func FuzzReader(f *testing.F) {
	enc, err := NewEncoder()
	if err != nil {
		f.Fatal(err)
	}
	for _, block := range []string{"", "abc", strings.Repeat("abcd", 500)} {
		e, err := enc.Encode(resource(), []byte(block))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.Frame)
		f.Add(append(bytes.Clone(e.Frame), e.Frame...))
		f.Add(e.Frame[:len(e.Frame)-1])
	}
	f.Add([]byte{0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 'x'})
	dec, err := NewDecoder()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(dec, bytes.NewReader(b), 0, int64(len(b)))
		at := int64(0)
		for {
			rec, err := r.Next(context.Background())
			if err != nil {
				var form *FormatError
				if !errors.Is(err, io.EOF) && !errors.As(err, &form) {
					t.Fatalf("error of another kind: %v", err)
				}
				return
			}
			if rec.Offset != at || rec.FrameLength <= 0 {
				t.Fatalf("frame at %d of %d bytes, want one at %d", rec.Offset, rec.FrameLength, at)
			}
			at = rec.End()
			head, err := rec.Header.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			if again := fmt.Sprintf("%s%s\r\n\r\n", head, rec.Block()); again != string(rec.Whole()) {
				t.Fatalf("%q encodes again to %q", rec.Whole(), again)
			}
		}
	})
}

// FuzzHeader requires that an accepted header is written in exactly its own bytes.
func FuzzHeader(f *testing.F) {
	h := resource()
	h.BlockDigest = strings.Repeat("0", 64)
	b, err := h.Append(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("WARC/1.1\r\nContent-Length: 0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHeader(b)
		if err != nil {
			return
		}
		again, err := h.Append(nil)
		if err != nil || !bytes.Equal(again, b[:n]) {
			t.Fatalf("%q is written again as %q, %v", b[:n], again, err)
		}
	})
}
