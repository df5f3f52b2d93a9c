package bag

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// The names in a case folder that this package knows by themselves.
const (
	payloadDir      = "data"
	declarationName = "bagit.txt"
	infoName        = "bag-info.txt"
	manifestName    = "manifest-sha256.txt"
	tagManifestName = "tagmanifest-sha256.txt"
	packageNoteName = "package.note"
)

// declaration is bagit.txt (RFC 8493, 2.1.1).
const declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

// A TagFile is a file to write beside the payload.
type TagFile struct {
	Name string // in the case folder
	Data []byte
}

// TagFiles returns bagit.txt, bag-info.txt, manifest-sha256.txt and
// tagmanifest-sha256.txt, in the order in which to write them, for a payload as
// [Build] returns it. bag-info.txt is info and, last, Payload-Oxum, which info must
// not hold. It fails as [FormatInfo] and [Manifest.Text] do, and when a path is
// not below data/ or oxum counts other files than payload lists.
func TagFiles(payload Manifest, oxum Oxum, info []Field) ([]TagFile, error) {
	for _, l := range payload {
		if !strings.HasPrefix(l.Path, payloadDir+"/") {
			return nil, fmt.Errorf("malformed manifest: path %q is not below %s/", l.Path, payloadDir)
		}
	}
	if oxum.Files != int64(len(payload)) {
		return nil, fmt.Errorf("malformed bag-info: oxum %s for %d files", oxum, len(payload))
	}
	manifest, err := payload.Text()
	if err != nil {
		return nil, err
	}
	infoText, err := FormatInfo(append(slices.Clone(info), Field{PayloadOxum, oxum.String()}))
	if err != nil {
		return nil, err
	}
	files := []TagFile{{declarationName, []byte(declaration)}, {infoName, infoText}, {manifestName, manifest}}
	tagManifest, err := tagLines(files).Text()
	if err != nil {
		return nil, err
	}
	return append(files, TagFile{tagManifestName, tagManifest}), nil
}

// tagLines returns the manifest of tag files.
func tagLines(files []TagFile) Manifest {
	m := make(Manifest, 0, len(files))
	for _, f := range files {
		m = append(m, Line{f.Name, sha256.Sum256(f.Data)})
	}
	slices.SortFunc(m, func(a, b Line) int { return strings.Compare(a.Path, b.Path) })
	return m
}
