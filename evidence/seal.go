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
)

// SealOptions is what a seal writes besides the container.
type SealOptions struct {
	// Ledger builds data/ledger.db from the batches of the container.
	Ledger func(context.Context, iter.Seq2[*Batch, error]) (io.ReadCloser, error)
	// Files are written to data/: README.txt, verify.py.
	Files []SealFile
	// Info is bag-info.txt, without Payload-Oxum.
	Info []bag.Field
	// Stamp asks authorities for tokens over the final head, and returns those that it accepted; may be nil.
	Stamp func(context.Context, *Checkpoint) [][]byte
	// Step is told what is done next; may be nil.
	Step func(string)
}

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
	if !w.ledger.sealed {
		step("counting entries")
		if err := w.sealEntry(ctx); err != nil {
			return err
		}
	}
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
	step("building the ledger")
	if err := w.writeLedger(ctx, o.Ledger); err != nil {
		return fmt.Errorf("%s: %w", LedgerPath, err)
	}
	for _, f := range o.Files {
		if err := writeOver(w.opts.Folder, f.Path, f.Content); err != nil {
			return err
		}
	}
	step("hashing the files")
	return w.pack(ctx, o.Info)
}

// sealEntry appends the seal entry: from here on nothing can be added.
func (w *Writer) sealEntry(ctx context.Context) error {
	if err := w.signHead(ctx); err != nil {
		return err
	}
	counts := map[string]int64{}
	err := walkBatches(ctx, w.opts.Folder.FS(), func(b *Batch) error {
		for _, e := range b.Entries {
			counts[e.Head.Kind]++
		}
		return nil
	})
	if err != nil {
		return err
	}
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

func (w *Writer) writeLedger(ctx context.Context, build func(context.Context, iter.Seq2[*Batch, error]) (io.ReadCloser, error)) error {
	src, err := build(ctx, Batches(ctx, w.opts.Folder.FS()))
	if err != nil {
		return err
	}
	defer src.Close()
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
func (w *Writer) pack(ctx context.Context, info []bag.Field) error {
	manifest, oxum, err := bag.Build(ctx, w.opts.Folder.FS())
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
