package bag

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// ErrUnsealed says that a case has no package.note and is not packed.
var ErrUnsealed = errors.New("case is not sealed")

// ErrName says that a case has a file whose name is not the same file on every system, or too many files: it is not packed.
var ErrName = errors.New("case cannot be packed")

// maxNote is the longest package.note in bytes (docs/container.md, 5.5).
const maxNote = 65_535

// productionName tells a production from a case (docs/container.md, section 13).
const productionName = payloadDir + "/production.jsonl"

// Pack writes the sealed case, or the production, in files as one file (docs/container.md, section 11): the same bytes for the same case, whenever and wherever it is
// packed. keys are those that may sign its package.note: of a case its own, of a production its producer's. It changes nothing. Each file is read twice; memory is that of the names. work/ is left out.
//
// It fails with [ErrUnsealed]; with every [Problem] joined where the folder holds other files than the manifest lists, or tag files that do not fit each
// other; where package.note is not signed by one of keys, or over another tagmanifest; with [ErrName]; when ctx
// ends; and when a file changes in the meantime. It does not hold the payload against the manifest's hashes: a check does.
func Pack(ctx context.Context, w io.Writer, files fs.FS, keys []trust.VKey) error {
	if _, err := fs.Stat(files, packageNoteName); errors.Is(err, fs.ErrNotExist) {
		return ErrUnsealed
	}
	listed, err := listedIn(files)
	if err != nil {
		return err
	}
	report, err := Check(ctx, files, Options{Hash: listed.hash})
	if err != nil {
		return err
	}
	if err := join(explained(report.Problems)); err != nil {
		return err
	}
	if _, err := checkNote(files, keys, report.TagManifest); err != nil {
		return err
	}
	names := []string{declarationName, infoName, manifestName, tagManifestName}
	for _, l := range report.Payload {
		names = append(names, l.Path)
	}
	return writeZip(ctx, w, files, append(names, report.Beside...))
}

// listing is what manifest-sha256.txt lists. It takes the place of hashes where names alone are compared.
type listing map[string]Sum

func listedIn(files fs.FS) (listing, error) {
	text, err := readBounded(files, manifestName, tagLimit(manifestName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	m, _ := ParseManifest(manifestName, text) // Check reports its problems
	l := make(listing, len(m))
	for _, line := range m {
		l[line.Path] = line.Sum
	}
	return l, nil
}

// hash gives the hash that is listed, and the length that the file has.
func (l listing) hash(_ context.Context, fsys fs.FS, path string) (Sum, int64, error) {
	info, err := fs.Stat(fsys, path)
	if err != nil {
		return Sum{}, 0, err
	}
	return l[path], info.Size(), nil
}

// explained says of what is in the payload and in no line no more than that: it was not hashed.
func explained(problems []Problem) []Problem {
	for i := range problems {
		if problems[i].Kind == Extra {
			problems[i].Detail = "not listed"
		}
	}
	return problems
}

// checkNote requires a package.note that one of keys signed over this tagmanifest. It returns the head that is signed with it, and fails with a [Problem].
func checkNote(files fs.FS, keys []trust.VKey, tagManifest Sum) (head trust.Head, err error) {
	note, err := readBounded(files, packageNoteName, maxNote)
	if err != nil {
		return head, Problem{Kind: Unreadable, Path: packageNoteName, Detail: err.Error()}
	}
	if len(note) > maxNote {
		return head, Problem{Kind: Limit, Path: packageNoteName, Detail: fmt.Sprintf("more than %d bytes", maxNote)}
	}
	text, _, err := trust.Verify(note, keys)
	if err != nil {
		return head, Problem{Kind: Changed, Path: packageNoteName, Detail: err.Error()}
	}
	p, err := parseStatement(files, text)
	if err != nil {
		return head, Problem{Kind: Malformed, Path: packageNoteName, Detail: err.Error()}
	}
	if p.TagManifest != tagManifest {
		return head, Problem{Kind: Changed, Path: packageNoteName, Detail: "it was signed over another " + tagManifestName}
	}
	return p.Head, nil
}

// parseStatement reads what package.note states: of a production, and of a case otherwise.
func parseStatement(files fs.FS, text string) (trust.PackageStatement, error) {
	if _, err := fs.Lstat(files, productionName); err == nil {
		p, err := trust.ParseProductionStatement(text)
		return trust.PackageStatement(p), err
	}
	return trust.ParsePackageStatement(text)
}

// writeZip writes the files of these names, in the order of the format.
func writeZip(ctx context.Context, w io.Writer, files fs.FS, names []string) error {
	slices.SortFunc(names, compareZip)
	var allowed zipNames
	for _, name := range names {
		if err := allowed.add(name); err != nil {
			return fmt.Errorf("%w: %w", ErrName, err)
		}
	}
	z := zipWriter{ctx: ctx, out: bufio.NewWriterSize(w, hashBuffer), files: files, buf: make([]byte, hashBuffer)}
	for _, name := range names {
		if err := z.file(name); err != nil {
			return err
		}
	}
	if len(z.central) > maxDirectory {
		return fmt.Errorf("%w: central directory has %d bytes, at most %d", ErrName, len(z.central), maxDirectory)
	}
	end := appendEnd(nil, directory{count: int64(len(names)), offset: z.offset, size: int64(len(z.central))})
	if err := z.write(z.central); err != nil {
		return err
	}
	if err := z.write(end); err != nil {
		return err
	}
	return z.out.Flush()
}

// zipWriter writes one file behind the other.
type zipWriter struct {
	ctx     context.Context
	out     *bufio.Writer
	files   fs.FS
	offset  int64  // of what is written next
	central []byte // the directory so far
	buf     []byte
}

func (z *zipWriter) write(b []byte) error {
	n, err := z.out.Write(b)
	z.offset += int64(n)
	return err
}

// file writes one file with its header, which needs the sum of what follows: so it is read before.
func (z *zipWriter) file(name string) error {
	m := member{name: name, offset: z.offset}
	var err error
	if m.crc, m.size, err = z.read(name, nil); err != nil {
		return err
	}
	if err := z.write(appendLocal(nil, &m)); err != nil {
		return err
	}
	crc, size, err := z.read(name, z.out)
	if err != nil {
		return err
	}
	if crc != m.crc || size != m.size {
		return fmt.Errorf("file %q changed while it was packed", name)
	}
	z.offset += size
	z.central = appendCentral(z.central, &m)
	return nil
}

// read reads a file to its end, and writes it to w unless that is nil.
func (z *zipWriter) read(name string, w io.Writer) (crc uint32, size int64, err error) {
	f, err := z.files.Open(name)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, 0, fmt.Errorf("file %q became a %s", name, typeName(info.Mode()))
	}
	var r io.Reader = f
	if w != nil {
		r = io.TeeReader(f, w)
	}
	return crcOf(z.ctx, r, z.buf)
}
