package bag

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// Options change how [Check] works. The zero Options is ready for use.
type Options struct {
	// Hash hashes a payload file, for a caller that reads the files anyway;
	// nil stands for one pass of this package's own. It is called for regular
	// files below data/ alone, once for each, in the order of their paths.
	Hash HashFunc
	// Limits bound the walk; a zero field stands for that of [DefaultLimits].
	Limits Limits
}

// A Report says what a case folder holds, and how that differs from what its tag
// files say.
type Report struct {
	Info        []Field   // the lines of bag-info.txt that can be read
	Payload     Manifest  // what data/ holds, as hashed
	TagManifest Sum       // hash of tagmanifest-sha256.txt; zero if it was not read
	Beside      []string  // package.note and the files in custody/ and stamps/, sorted; covered by no manifest
	Problems    []Problem // none: the folder is exactly what its tag files say
}

// tagLimit gives the length in bytes that a tag file may have.
func tagLimit(name string) int64 {
	switch name {
	case manifestName:
		return 32 << 20
	case infoName:
		return maxInfo
	}
	return 4096
}

// Check compares the case folder fsys with its own tag files and reports every
// difference. When it reports none, [TagFiles] makes the same four files again,
// byte for byte, from the payload and the fields. work/ is not looked into.
//
// It opens regular files and folders alone, as far as the names in the folder tell;
// fsys from [OpenFolder] makes sure of that while a folder changes. Each tag file
// is read once, and what is hashed is what is parsed. It fails when ctx ends or
// the folder itself cannot be read. It takes memory for each file name and each
// problem and none for the files' content.
//
// That the folder agrees with itself proves nothing about who made it: that is the
// part of package.note.
func Check(ctx context.Context, fsys fs.FS, o Options) (*Report, error) {
	if o.Limits.Files == 0 {
		o.Limits.Files = DefaultLimits().Files
	}
	if o.Limits.Depth == 0 {
		o.Limits.Depth = DefaultLimits().Depth
	}
	w := walker{ctx: ctx, fsys: fsys, limits: o.Limits}
	if err := w.root(); err != nil {
		return nil, err
	}
	slices.Sort(w.beside)
	r := &Report{Beside: w.beside, Problems: w.problems}
	payload, oxum, problems, err := hashAll(ctx, fsys, w.payload, o.Hash)
	if err != nil {
		return nil, err
	}
	r.Payload = payload
	r.add(problems)
	r.checkTags(readTags(fsys, w.tags, r), oxum, o.Limits.Files)
	return r, nil
}

func (r *Report) add(problems []Problem) { r.Problems = append(r.Problems, problems...) }

// readTags returns the tag files that can be read, and reports the others.
func readTags(fsys fs.FS, names []string, r *Report) map[string][]byte {
	tags := make(map[string][]byte, 4)
	for _, name := range [...]string{declarationName, infoName, manifestName, tagManifestName} {
		if !slices.Contains(names, name) {
			if !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Path == name }) {
				r.add([]Problem{{Kind: Missing, Path: name, Detail: "a sealed case has it"}})
			}
			continue
		}
		data, err := readBounded(fsys, name, tagLimit(name))
		if err != nil {
			r.add([]Problem{{Kind: Unreadable, Path: name, Detail: err.Error()}})
			continue
		}
		if int64(len(data)) > tagLimit(name) {
			r.add([]Problem{{Kind: Limit, Path: name, Detail: fmt.Sprintf("more than %d bytes", tagLimit(name))}})
			continue
		}
		tags[name] = data
	}
	return tags
}

// readBounded reads a file up to one byte more than most.
func readBounded(fsys fs.FS, name string, most int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most+1))
}

// checkTags checks each tag file that was read, against its own rules and against
// the payload.
func (r *Report) checkTags(tags map[string][]byte, oxum Oxum, maxLines int) {
	if text, ok := tags[declarationName]; ok && string(text) != declaration {
		r.add([]Problem{{Kind: Changed, Path: declarationName, Detail: fmt.Sprintf("want %q, it is %q", declaration, clip(string(text)))}})
	}
	if text, ok := tags[infoName]; ok {
		fields, problems := ParseInfo(text)
		r.Info = fields
		r.add(problems)
		r.checkOxum(oxum)
	}
	if text, ok := tags[manifestName]; ok {
		listed, problems := parseManifest(manifestName, text, maxLines)
		r.add(problems)
		r.add(Compare(listed, r.Payload))
	}
	if text, ok := tags[tagManifestName]; ok {
		r.TagManifest = sha256.Sum256(text)
		listed, problems := parseManifest(tagManifestName, text, maxLines)
		r.add(problems)
		var files []TagFile
		for name, data := range tags {
			if name != tagManifestName {
				files = append(files, TagFile{name, data})
			}
		}
		r.add(Compare(listed, tagLines(files)))
	}
}

// checkOxum compares Payload-Oxum with the payload. It is the last field, as
// TagFiles writes it.
func (r *Report) checkOxum(oxum Oxum) {
	i := slices.IndexFunc(r.Info, func(f Field) bool { return f.Label == PayloadOxum })
	switch {
	case i < 0:
		r.add([]Problem{{Kind: Missing, Path: infoName, Detail: "no " + PayloadOxum}})
	case i != len(r.Info)-1:
		r.add([]Problem{{Kind: Malformed, Path: infoName, Detail: PayloadOxum + " is not the last field"}})
	case r.Info[i].Value != oxum.String():
		r.add([]Problem{{Kind: Changed, Path: infoName,
			Detail: fmt.Sprintf("%s is %q, the payload has %s", PayloadOxum, r.Info[i].Value, oxum)}})
	}
}
