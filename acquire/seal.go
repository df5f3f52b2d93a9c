package acquire

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/bag/stranger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/ledger/row"
)

// SealOptions say how a case is sealed. Env is required.
type SealOptions struct {
	Env  casefile.Env
	Free func(dir string) (int64, error) // bytes that dir's file system has left, -1 if unknown; nil asks the system
	Step func(string)                    // is told what is done next; may be nil
	// Stamp asks for timestamps over the final head, and returns those that came; may be nil. A [stamping.Stamper] has one.
	Stamp func(context.Context, *evidence.Checkpoint) [][]byte
}

// SpaceError says that a seal was not begun because the file system is too full for it.
type SpaceError struct {
	Dir        string
	Need, Free int64 // bytes
}

func (e *SpaceError) Error() string {
	return fmt.Sprintf("space for sealing %q: %d bytes are needed and %d are free", e.Dir, e.Need, e.Free)
}

// Seal ends the ledger of an open case and packs its folder: the seal entry, the final head, data/ledger.db, what a stranger needs to check the case, the
// manifests, package.note (docs/container.md, 6.5). A seal that was interrupted is begun again by opening the case and calling Seal. Windows may be unfinished:
// [Unfinished] lists them. It fails with a [*SpaceError] before anything is written, and with ctx's error if that ends before data/ledger.db is built.
func Seal(ctx context.Context, c *casefile.Case, o SealOptions) error {
	info, err := bagInfo(c.Opening.Case, o.Env.Now())
	if err != nil {
		return err
	}
	if err := o.checkSpace(c); err != nil {
		return err
	}
	return c.Writer().Seal(ctx, evidence.SealOptions{
		Ledger: func(_ context.Context, batches iter.Seq2[*evidence.Batch, error]) (io.ReadCloser, error) { // the caller's context: the writer's own never ends
			return buildLedger(ctx, filepath.Join(c.SpoolDir(), "seal.db.spool"), batches)
		},
		Files: []evidence.SealFile{{Path: "data/README.txt", Content: stranger.Readme()}, {Path: "data/verify.py", Content: stranger.Verifier()}},
		Info:  info,
		Step:  o.Step,
		Stamp: o.stampUntil(ctx),
	})
}

// stampUntil makes Stamp end with ctx: the writer's own context never ends.
func (o *SealOptions) stampUntil(ctx context.Context) func(context.Context, *evidence.Checkpoint) [][]byte {
	if o.Stamp == nil {
		return nil
	}
	return func(_ context.Context, head *evidence.Checkpoint) [][]byte { return o.Stamp(ctx, head) }
}

// buildLedger makes the index of the sealed case in a temporary file, which is gone when the reader is closed. The next seal, or opening the case, removes what
// a process that was killed leaves.
func buildLedger(ctx context.Context, path string, batches iter.Seq2[*evidence.Batch, error]) (io.ReadCloser, error) {
	if err := mapped(func() error { return ledger.Build(ctx, path, batches) }); err != nil {
		return nil, fmt.Errorf("%w: %w", casefile.ErrIndex, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &temporary{f}, nil
}

// mapped makes an error of what ends in a fault in memory that stands for a file: the disk cannot be read, or is full.
func mapped(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: file in memory: %v", ledger.ErrUnreadable, p)
		}
	}()
	return f()
}

// temporary is a file that is removed when it is closed.
type temporary struct{ *os.File }

func (t *temporary) Close() error {
	err := t.File.Close()
	if e := os.Remove(t.Name()); err == nil {
		err = e
	}
	return err
}

// bagInfo makes bag-info.txt of what the case entry states. It is checked before the seal entry is written, after which nothing could be mended.
func bagInfo(c *evidence.Case, now time.Time) ([]bag.Field, error) {
	stated := map[string]string{}
	for _, p := range c.Fields {
		stated[p.Name] = oneLine(p.Value)
	}
	agent := ""
	for _, p := range c.Tool {
		if p.Name == "name" || p.Name == "version" {
			agent += " " + p.Value
		}
	}
	description := stated["description"]
	if description == "" {
		description = "Exhibit " + stated["exhibit"] + " of case " + stated["case-number"] + ": HTTP exchanges as they crossed the wire"
	}
	all := []bag.Field{
		{Label: bag.SourceOrganization, Value: stated["organisation"]},
		{Label: bag.ContactName, Value: stated["examiner"]},
		{Label: bag.ExternalDescription, Value: description},
		{Label: bag.ExternalIdentifier, Value: stated["exhibit"]},
		{Label: bag.InternalSenderIdentifier, Value: c.Case},
		{Label: bag.InternalSenderDesc, Value: oneLine("Case " + stated["case-number"])},
		{Label: bag.BaggingDate, Value: now.UTC().Format(time.DateOnly)},
		{Label: bag.BagSoftwareAgent, Value: oneLine(agent)},
	}
	fields := slices.DeleteFunc(all, func(f bag.Field) bool { return f.Value == "" })
	_, err := bag.FormatInfo(fields)
	return fields, err
}

// oneLine makes a stated value fit for a line of bag-info.txt; the case entry keeps it as it was stated.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s))
}

// What a seal writes, in bytes, beside copies of the index: the seal entry, tag files and what a stranger needs; and lines of the manifest for each head.
const (
	sealSpace = 512 << 10
	headSpace = 1 << 10
)

func (o *SealOptions) checkSpace(c *casefile.Case) error {
	free := o.Free
	if free == nil {
		free = freeSpace
	}
	left, err := free(c.Dir())
	if err != nil || left < 0 {
		return err
	}
	need, err := sealNeeds(c)
	if err != nil {
		return err
	}
	if left < need {
		return &SpaceError{c.Dir(), need, left}
	}
	return nil
}

// sealNeeds is how many bytes a seal takes at its peak. The sealed index holds the rows of the working one in fewer pages; while it is built and
// put into place two copies of it exist, and at no time three (measured with 2,663 exchanges: 0.9 of the working index).
func sealNeeds(c *casefile.Case) (int64, error) {
	index, err := os.Stat(filepath.Join(c.SpoolDir(), "ledger.db"))
	if err != nil {
		return 0, err
	}
	heads, err := evidence.NewSurvey(c.Files())
	if err != nil {
		return 0, err
	}
	return 2*index.Size() + headSpace*int64(len(heads.Notes)) + sealSpace, nil
}

// Unfinished returns the windows that are neither complete nor empty and that no later window of the same acquisition has completed.
func Unfinished(windows []*row.Window) []*row.Window {
	done := map[evidence.Hash]int64{} // the latest window that ended well
	for _, w := range windows {
		if ended(w) {
			done[w.Acquisition] = max(done[w.Acquisition], w.Window)
		}
	}
	var left []*row.Window
	for _, w := range windows {
		if !ended(w) && done[w.Acquisition] < w.Window {
			left = append(left, w)
		}
	}
	return left
}

func ended(w *row.Window) bool { return w.State == evidence.Complete || w.State == evidence.Empty }
