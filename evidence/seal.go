package evidence

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// SealOptions is what a seal writes besides the container.
type SealOptions struct {
	// Ledger builds data/ledger.db from the batches of the container.
	Ledger LedgerBuilder
	// Files are written to data/: README.txt, verify.py.
	Files []SealFile
	// Info is bag-info.txt, without Payload-Oxum.
	Info []bag.Field
	// Stamp asks authorities for tokens over the final head, and returns those that it accepted; may be nil.
	Stamp func(context.Context, *Checkpoint) [][]byte
	// Step is told what is done next; may be nil.
	Step func(string)
}

// LedgerBuilder makes the index of a sealed case of all its batches, over which it ranges from the first to the last. If it fails it may be called again.
type LedgerBuilder func(context.Context, iter.Seq2[*Batch, error]) (io.ReadCloser, error)

// SealFile is a small file of a sealed case.
type SealFile struct {
	Path    string // in the case folder
	Content []byte
}

// Seal ends the ledger and packs the case folder, in the order of docs/container.md, 6.5. Interrupted anywhere, it can be run
// again. When it returns, package.note is durable, and the Writer takes nothing more.
func (w *Writer) Seal(ctx context.Context, o SealOptions) error {
	return w.between(ctx, func(ctx context.Context) error {
		err := w.seal(ctx, o)
		if err != nil {
			w.fail(err)
		}
		return err
	})
}

func (w *Writer) seal(ctx context.Context, o SealOptions) error {
	step := o.Step
	if step == nil {
		step = func(string) {}
	}
	step("building the ledger")
	hashes := w.hashAhead(ctx)
	defer hashes.stop()
	ledger, err := w.endLedger(ctx, o.Ledger, func() { step("ending the ledger") })
	if err != nil {
		return fmt.Errorf("%s: %w", LedgerPath, err)
	}
	defer ledger.Close()
	step("signing the final head")
	if err := w.finalHead(ctx); err != nil {
		return err
	}
	if o.Stamp != nil {
		step("asking for timestamps of the final head")
		if err := w.stampFinal(ctx, o.Stamp); err != nil {
			return err
		}
	}
	if err := w.writeLedger(ledger); err != nil {
		return fmt.Errorf("%s: %w", LedgerPath, err)
	}
	for _, f := range o.Files {
		if err := writeOver(w.opts.Folder, f.Path, f.Content); err != nil {
			return err
		}
	}
	step("hashing the files")
	return w.pack(ctx, hashes, o.Info)
}

// endLedger builds the index of all batches and, when it has read the last one, appends the seal entry with their counts; then that is in the index too. Nothing is
// decoded but batches where the case's index knows their places. If it does not know them well, all is read once more, and what was wrong shows.
func (w *Writer) endLedger(ctx context.Context, build LedgerBuilder, ending func()) (io.ReadCloser, error) {
	if !w.ledger.sealed {
		if err := w.signHead(ctx); err != nil {
			return nil, err
		}
	}
	places, ok := w.opts.Index.(Places)
	if ok {
		pass := &sealPass{w: w, places: places, ending: ending}
		src, err := build(ctx, pass.batches(ctx))
		if err == nil || !pass.astray {
			return src, err
		}
	}
	pass := &sealPass{w: w, ending: ending}
	return build(ctx, pass.batches(ctx))
}

// sealPass reads the batches of a case and ends its ledger.
type sealPass struct {
	w      *Writer
	places Places // nil: every record is decoded
	ending func()
	astray bool // what was read is not the chain of batches that the writer knows
}

func (p *sealPass) batches(ctx context.Context) iter.Seq2[*Batch, error] {
	return sequence(func(visit func(*Batch) error) error { return p.walk(ctx, visit) })
}

func (p *sealPass) walk(ctx context.Context, visit func(*Batch) error) error {
	dec, err := warc.NewDecoder()
	if err != nil {
		return err
	}
	defer dec.Close()
	walker := NewWalker(dec)
	counts := map[string]int64{}
	err = p.onwards(ctx, walker, func(b *Batch) error {
		for _, e := range b.Entries {
			counts[e.Head.Kind]++
		}
		return visit(b)
	})
	if err != nil || p.w.ledger.sealed {
		return err
	}
	p.ending()
	if err := p.w.sealEntry(ctx, counts); err != nil {
		return err
	}
	return p.onwards(ctx, walker, visit)
}

// onwards walks to the end, which must be where the writer stands: by the hash in its position, the batches before are those that were written or opened.
func (p *sealPass) onwards(ctx context.Context, walker *Walker, visit func(*Batch) error) error {
	err := walkOn(ctx, walker, p.w.opts.Folder.FS(), p.places, visit)
	var damage *DamageError
	var fault *Fault
	switch {
	case errors.As(err, &fault), errors.As(err, &damage):
		p.astray = true
	case err == nil && walker.Position() != p.w.ledger.pos:
		p.astray = true
		err = &DamageError{Path: SegmentPath(p.w.ledger.segment), Detail: "the batches on the disk are not those that were written"}
	}
	return err
}

// sealEntry appends the seal entry: from here on nothing can be added.
func (w *Writer) sealEntry(ctx context.Context, counts map[string]int64) error {
	seal := &Seal{Counts: []KindCount{}, Segment: w.ledger.segment, Preceding: w.ledger.pos.Hash}
	for kind, n := range counts {
		seal.Counts = append(seal.Counts, KindCount{kind, n})
	}
	slices.SortFunc(seal.Counts, func(a, b KindCount) int { return cmp.Compare(a.Kind, b.Kind) })
	p, err := w.prepare(ctx, &Draft{Start: w.opts.Now(), Body: seal})
	if err != nil {
		return err
	}
	w.commit(ctx, []*prepared{p})
	return <-p.done
}

func (w *Writer) finalHead(ctx context.Context) error {
	if w.ledger.headSize == w.ledger.tree.Size() {
		return nil
	}
	return w.signNote(ctx)
}

// writeLedger puts the index in its place.
func (w *Writer) writeLedger(src io.Reader) error {
	temp := WorkPath + "/" + path.Base(LedgerPath) + ".new"
	file, err := w.opts.Folder.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(writerOnly{file}, src)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return renameSync(w.opts.Folder, temp, LedgerPath)
}

type writerOnly struct{ io.Writer }

// pack writes the tag files and, last, package.note.
func (w *Writer) pack(ctx context.Context, hashes *hashAhead, info []bag.Field) error {
	manifest, oxum, err := bag.Build(ctx, w.opts.Folder.FS(), hashes.file)
	if err != nil {
		return err
	}
	tags, err := bag.TagFiles(manifest, oxum, info)
	if err != nil {
		return err
	}
	for _, f := range tags {
		if err := writeOver(w.opts.Folder, f.Name, f.Data); err != nil {
			return err
		}
	}
	head := trust.Head{Origin: Origin(w.ledger.caseID), Size: w.ledger.tree.Size(), Root: w.ledger.tree.Root()}
	text, err := trust.PackageStatement{Head: head, TagManifest: sha256.Sum256(tags[len(tags)-1].Data)}.Text()
	if err != nil {
		return err
	}
	note, err := trust.Sign(ctx, text, w.opts.Signers...)
	if err != nil {
		return err
	}
	return writeOver(w.opts.Folder, PackageNotePath, note)
}

// IsSealed reports whether package.note is there. Whether it is valid is the verifier's to say.
func IsSealed(files fs.FS) bool {
	_, err := fs.Stat(files, PackageNotePath)
	return err == nil
}
