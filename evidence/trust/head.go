package trust

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Head is what the text of a signed head says: a checkpoint of C2SP
// tlog-checkpoint (https://c2sp.org/tlog-checkpoint) without extension lines
// (docs/container.md, 5.2).
type Head struct {
	Origin string            // names the case; as [CheckName] allows
	Size   int64             // number of entries committed to, 0 or more
	Root   [sha256.Size]byte // root of the tree over them
}

// Text returns the text to sign: origin, size in decimal, root in base64, each
// on a line. It fails when origin or size are not allowed.
func (h Head) Text() (string, error) {
	if err := CheckName(h.Origin); err != nil {
		return "", fmt.Errorf("malformed head: origin: %w", err)
	}
	if h.Size < 0 {
		return "", fmt.Errorf("malformed head: size %d is negative", h.Size)
	}
	return fmt.Sprintf("%s\n%d\n%s\n", h.Origin, h.Size, base64.StdEncoding.EncodeToString(h.Root[:])), nil
}

// ParseHead reads the text of a verified note and accepts only what [Head.Text]
// writes.
func ParseHead(text string) (Head, error) {
	lines, err := splitLines(text, 3)
	if err != nil {
		return Head{}, fmt.Errorf("malformed head: %w", err)
	}
	h, err := parseHeadLines(lines)
	if err != nil {
		return Head{}, fmt.Errorf("malformed head: %w", err)
	}
	return h, nil
}

// parseHeadLines reads origin, size and root.
func parseHeadLines(lines []string) (Head, error) {
	h := Head{Origin: lines[0]}
	if err := CheckName(h.Origin); err != nil {
		return Head{}, fmt.Errorf("origin: %w", err)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Head{}, fmt.Errorf("size %q is not a decimal number below 2^63 in its shortest form", clip(lines[1]))
	}
	h.Size = size
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != len(h.Root) || strings.ContainsAny(lines[2], "\r\n") {
		return Head{}, fmt.Errorf("root %q is not the base64 of %d bytes", clip(lines[2]), len(h.Root))
	}
	copy(h.Root[:], root)
	return h, nil
}

// splitLines splits text into exactly n lines, each ended by LF.
func splitLines(text string, n int) ([]string, error) {
	if len(text) > MaxNoteSize {
		return nil, fmt.Errorf("%d bytes, at most %d", len(text), MaxNoteSize)
	}
	body, ok := strings.CutSuffix(text, "\n")
	if !ok {
		return nil, errors.New("text does not end in a newline")
	}
	if got := strings.Count(body, "\n") + 1; got != n {
		return nil, fmt.Errorf("text has %d lines, want %d", got, n)
	}
	return strings.Split(body, "\n"), nil
}

// packageFirstLine starts a package statement. It holds spaces, and so is the
// origin of no head.
const packageFirstLine = "exhibit package v1"

// A PackageStatement is what package.note signs: that the bag with this
// tagmanifest holds the case that this head commits to (docs/container.md, 6.3).
type PackageStatement struct {
	Head        Head              // the final head of the case
	TagManifest [sha256.Size]byte // hash of tagmanifest-sha256.txt
}

// Text returns the text to sign: "exhibit package v1", the head's origin, size
// and root, and the tagmanifest's hash in hexadecimal, each on a line. It fails as
// [Head.Text] does.
func (p PackageStatement) Text() (string, error) {
	head, err := p.Head.Text()
	if err != nil {
		return "", fmt.Errorf("malformed package statement: %w", err)
	}
	return packageFirstLine + "\n" + head + hex.EncodeToString(p.TagManifest[:]) + "\n", nil
}

// ParsePackageStatement reads the text of a verified note and accepts only what
// [PackageStatement.Text] writes.
func ParsePackageStatement(text string) (PackageStatement, error) {
	lines, err := splitLines(text, 5)
	if err != nil {
		return PackageStatement{}, fmt.Errorf("malformed package statement: %w", err)
	}
	if lines[0] != packageFirstLine {
		return PackageStatement{}, fmt.Errorf("malformed package statement: first line %q, want %q", clip(lines[0]), packageFirstLine)
	}
	var p PackageStatement
	if p.Head, err = parseHeadLines(lines[1:4]); err != nil {
		return PackageStatement{}, fmt.Errorf("malformed package statement: %w", err)
	}
	sum, err := hex.DecodeString(lines[4])
	if err != nil || len(sum) != len(p.TagManifest) || hex.EncodeToString(sum) != lines[4] {
		return PackageStatement{}, fmt.Errorf("malformed package statement: tagmanifest hash %q is not 64 lower-case hexadecimal digits", clip(lines[4]))
	}
	copy(p.TagManifest[:], sum)
	return p, nil
}
