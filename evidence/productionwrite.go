package evidence

import (
	"bufio"
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
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// ProductionOptions say what a production is made of.
type ProductionOptions struct {
	// Folder takes the production, and is empty; Mkdir makes a folder in it.
	Folder Folder
	Mkdir  func(name string) error
	// Head is the final head of the case, which was checked; Checkpoints is the case folder, of which data/checkpoints is copied as it is, and the cosignatures in stamps/.
	Head        trust.Head
	Checkpoints fs.FS
	Case        string // id
	// Entries are those of the case, in order, and Block gives the block of record i of one of them.
	Entries iter.Seq2[*Entry, error]
	Block   func(ctx context.Context, e *Entry, i int) (RecordBlock, error)
	// Level says at which level an entry is disclosed, and why not wholly.
	Level func(*Entry) (level int64, reason string)

	Signer   trust.Signer // of the producing party
	Now      time.Time
	Software string
	Files    []SealFile  // README.txt, verify.py
	Info     []bag.Field // bag-info.txt, without Payload-Oxum

	SegmentSize int64 // from which on a new segment is begun; 0 for 1 GiB
}

// RecordBlock is the block of a record: Size bytes from offset 0.
type RecordBlock struct {
	io.ReaderAt
	io.Closer
	Size int64
}

// Produced counts the entries of a production by level.
type Produced struct {
	Entries [3]int64 // by level
	Records int64
}

// Produce makes a production of a case that was checked (docs/container.md, section 13): all files, synced, package.note last. It requires that the entries
// give the root of the head; what it writes of them it reads back as a reader would. Nothing of a case is changed.
func Produce(ctx context.Context, o ProductionOptions) (*Produced, error) {
	enc, err := warc.NewEncoder()
	if err != nil {
		return nil, err
	}
	w := &productionWriter{o: o, enc: enc, head: ProductionHead{Format: ProductionFormat, Case: o.Case, Size: o.Head.Size, Time: At(o.Now), Software: o.Software,
		Producer: o.Signer.VerifierKey()}}
	if err := w.head.check(); err != nil {
		return nil, err
	}
	for _, dir := range []string{"data", CheckpointsPath} {
		if err := o.Mkdir(dir); err != nil {
			return nil, err
		}
	}
	err = w.entries(ctx)
	if err = errors.Join(err, w.endSegment()); err != nil {
		return nil, err
	}
	if w.tree.Size() != o.Head.Size || w.tree.Root() != Hash(o.Head.Root) {
		return nil, fmt.Errorf("entries are not those that the final head commits to: the case changed since it was checked")
	}
	if err := errors.Join(w.copyHeads(), w.copyCosignatures()); err != nil {
		return nil, err
	}
	for _, f := range o.Files {
		if err := w.small(f.Path, f.Content); err != nil {
			return nil, err
		}
	}
	return &w.made, w.pack(ctx)
}

// productionWriter is the state of one production.
type productionWriter struct {
	o    ProductionOptions
	enc  *warc.Encoder
	head ProductionHead
	tree Tree
	made Produced

	segment int64
	file    File
	size    int64
}

// entries writes production.jsonl and the segments.
func (w *productionWriter) entries(ctx context.Context) (err error) {
	file, err := w.create(ProductionPath)
	if err != nil {
		return err
	}
	lines := bufio.NewWriterSize(file, 256<<10)
	defer func() {
		if err == nil {
			err = lines.Flush()
		}
		if err == nil {
			err = file.Sync()
		}
		err = errors.Join(err, file.Close())
	}()
	first, err := writeLine(&w.head)
	if err != nil {
		return err
	}
	if _, err := lines.Write(append(first, '\n')); err != nil {
		return err
	}
	for e, err := range w.o.Entries {
		if err == nil {
			err = w.entry(ctx, e, lines)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *productionWriter) entry(ctx context.Context, e *Entry, lines io.Writer) error {
	level, reason := w.o.Level(e)
	line, err := encodeDisclosure(e, level, reason)
	if err != nil {
		return err
	}
	w.tree.Add(LeafHash(e.HeadLine))
	w.made.Entries[level]++
	if level == LevelWhole {
		for i := range e.Detail.Records {
			if err := w.record(ctx, e, i); err != nil {
				return fmt.Errorf("record %d of entry %d: %w", i, e.Head.Seq, err)
			}
		}
	}
	_, err = lines.Write(append(line, '\n'))
	return err
}

// record writes a record into the segment, in a frame of its own making: nothing of the original segment is copied.
func (w *productionWriter) record(ctx context.Context, e *Entry, i int) error {
	block, err := w.o.Block(ctx, e, i)
	if err != nil {
		return err
	}
	defer block.Close()
	if err := w.room(); err != nil {
		return err
	}
	out := &countWriter{w: w.file}
	var enc *warc.Encoded
	if block.Size <= warc.InlineLimit {
		b := make([]byte, block.Size)
		if n, rerr := block.ReadAt(b, 0); n < len(b) {
			return fmt.Errorf("block of %d bytes: %w", block.Size, cmp.Or(rerr, io.ErrUnexpectedEOF))
		}
		if enc, err = w.enc.Encode(e.header(i), b); err == nil {
			_, err = out.Write(enc.Frame)
		}
	} else {
		enc, err = warc.EncodeTo(out, e.header(i), block, block.Size)
	}
	if err != nil {
		return err
	}
	if Hash(enc.BlockHash) != e.Detail.Records[i].Block {
		return errors.New("block is not the one that the entry names: the case changed since it was checked")
	}
	w.size += out.n
	w.made.Records++
	return nil
}

// room begins a segment where there is none or the last one is full.
func (w *productionWriter) room() error {
	limit := cmp.Or(w.o.SegmentSize, 1<<30)
	if w.file != nil && w.size < limit {
		return nil
	}
	if err := w.endSegment(); err != nil {
		return err
	}
	if w.segment++; w.segment == 1 { // of a production without a record there is no such folder
		if err := w.o.Mkdir(SegmentsPath); err != nil {
			return err
		}
	}
	if SegmentNumber(path.Base(SegmentPath(w.segment))) != w.segment {
		return fmt.Errorf("segment %d is beyond the last that a production can have", w.segment)
	}
	file, err := w.create(SegmentPath(w.segment))
	if err != nil {
		return err
	}
	w.file, w.size = file, 0
	h, block := w.head.warcinfo(w.segment)
	info, err := w.enc.Encode(h, block)
	if err != nil {
		return err
	}
	n, err := file.Write(info.Frame)
	w.size = int64(n)
	return err
}

// endSegment makes the open segment durable.
func (w *productionWriter) endSegment() error {
	if w.file == nil {
		return nil
	}
	file := w.file
	w.file = nil
	return errors.Join(file.Sync(), file.Close())
}

// copyHeads copies data/checkpoints as it is: heads commit to leaves, which tell nothing of what is in them.
func (w *productionWriter) copyHeads() error {
	names, err := fs.ReadDir(w.o.Checkpoints, CheckpointsPath)
	if err != nil {
		return err
	}
	for _, n := range names {
		b, err := fs.ReadFile(w.o.Checkpoints, CheckpointsPath+"/"+n.Name())
		if err != nil {
			return err
		}
		if err := w.small(CheckpointsPath+"/"+n.Name(), b); err != nil {
			return err
		}
	}
	return syncFolder(w.o.Folder, CheckpointsPath)
}

// copyCosignatures copies what others signed beside the heads: it holds for the production as for the case. Timestamps in stamps/ do not: they are of the case's package.note.
func (w *productionWriter) copyCosignatures() error {
	names, err := fs.ReadDir(w.o.Checkpoints, StampsPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	made := false
	for _, n := range names {
		witnessed, _ := WitnessName(n.Name())
		if max(witnessed, CosignatureSize(n.Name())) < 1 || !n.Type().IsRegular() {
			continue
		}
		if info, err := n.Info(); err != nil || info.Size() > trust.MaxNoteSize {
			continue // none that proves anything
		}
		if !made {
			if err := w.o.Mkdir(StampsPath); err != nil {
				return err
			}
			made = true
		}
		b, err := fs.ReadFile(w.o.Checkpoints, StampsPath+"/"+n.Name())
		if err != nil {
			return err
		}
		if err := w.small(StampsPath+"/"+n.Name(), b); err != nil {
			return err
		}
	}
	if !made {
		return nil
	}
	return syncFolder(w.o.Folder, StampsPath)
}

func (w *productionWriter) create(name string) (File, error) {
	return w.o.Folder.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND|os.O_EXCL, 0o600)
}

// small writes a file and makes it durable.
func (w *productionWriter) small(name string, content []byte) error {
	file, err := w.create(name)
	if err != nil {
		return err
	}
	return writeSync(file, content)
}

// pack writes the tag files and, last, package.note.
func (w *productionWriter) pack(ctx context.Context) error {
	manifest, oxum, err := bag.Build(ctx, w.o.Folder.FS(), nil)
	if err != nil {
		return err
	}
	tags, err := bag.TagFiles(manifest, oxum, w.o.Info)
	if err != nil {
		return err
	}
	for _, f := range tags {
		if err := w.small(f.Name, f.Data); err != nil {
			return err
		}
	}
	text, err := trust.ProductionStatement{Head: w.o.Head, TagManifest: sha256.Sum256(tags[len(tags)-1].Data)}.Text()
	if err != nil {
		return err
	}
	note, err := trust.Sign(ctx, text, w.o.Signer)
	if err != nil {
		return err
	}
	if err := w.small(PackageNotePath, note); err != nil {
		return err
	}
	for _, dir := range []string{SegmentsPath, "data", "."} {
		if _, err := fs.Stat(w.o.Folder.FS(), dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := syncFolder(w.o.Folder, dir); err != nil {
			return err
		}
	}
	return nil
}
