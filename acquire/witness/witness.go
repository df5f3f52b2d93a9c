// Package witness asks witnesses to cosign the heads of a case, and keeps what they answer (docs/container.md, 5.12). It holds nothing up: whoever acquires does not wait for
// it, and a witness that gives nothing becomes an entry.
package witness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/pause"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// Options say who is asked and how. All but Every and Wait are required.
type Options struct {
	Witnesses []trust.Witness
	Post      trust.Poster
	Env       casefile.Env

	Every time.Duration                                    // between two heads that are shown to the witnesses while somebody acquires; 0 for 15 minutes
	Wait  func(ctx context.Context, d time.Duration) error // lets d pass, or returns ctx's error; nil waits on a timer
}

// Answer is what became of asking one witness.
type Answer struct {
	Witness trust.Witness
	Size    int64 // entries under the head that it was shown
	Known   bool  // it had cosigned that head before: it was not asked
	Err     error // nil if it cosigned; matches trust.ErrFork and *trust.AheadError where it has seen another history
}

// OtherHistory reports whether the witness has seen a history that the head does not extend.
func (a *Answer) OtherHistory() bool {
	var ahead *trust.AheadError
	return errors.Is(a.Err, trust.ErrFork) || errors.As(a.Err, &ahead)
}

// Ask shows the newest head of the case in dir to each witness that has not cosigned it, and puts cosignatures into stamps/. The case may be open or sealed; nothing else in it
// is changed. It fails if the case has no head, or cannot be read or written to; what a witness answers is in the Answers.
func Ask(ctx context.Context, dir string, o Options) ([]Answer, error) {
	folder, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	survey, err := evidence.NewSurvey(folder.FS())
	if err != nil {
		return nil, err
	}
	size := survey.Newest()
	if size == 0 {
		return nil, ErrNoHead
	}
	note, err := folder.ReadFile(evidence.NotePath(size))
	if err != nil {
		return nil, err
	}
	var answers []Answer
	for _, w := range o.Witnesses {
		a := Answer{Witness: w, Size: size}
		known, err := lastCosigned(folder.FS(), w.Key.ID())
		if err != nil {
			return answers, err
		}
		if known == size {
			if a.Err = isCosigned(folder, evidence.WitnessPath(size, w.Key.ID()), note, w.Key); a.Err == nil {
				a.Known = true
			}
		} else {
			var cosigned []byte
			cosigned, a.Err = w.Cosign(ctx, o.Post, note, known, proofs(folder.FS(), size))
			if a.Err == nil {
				if err := keep(folder, evidence.WitnessPath(size, w.Key.ID()), cosigned); err != nil {
					return answers, err
				}
			}
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// isCosigned requires that a file, whose name says that it holds the cosignature of a witness on a note, does.
func isCosigned(folder *os.Root, name string, note []byte, key trust.WitnessKey) error {
	taken := func(format string, args ...any) error {
		return fmt.Errorf("%w: file %q holds no cosignature of it on this head (%s), and stands where one belongs: take it away", trust.ErrWitness, name, fmt.Sprintf(format, args...))
	}
	f, err := folder.Open(name)
	if err != nil {
		return taken("%v", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return taken("it is no regular file")
	}
	b, err := io.ReadAll(io.LimitReader(f, trust.MaxNoteSize+1))
	if err != nil {
		return taken("%v", err)
	}
	text, _, err := trust.Cosignatures(b, []trust.WitnessKey{key})
	if err != nil {
		return taken("%v", err)
	}
	if ours, _, _ := strings.Cut(string(note), "\n\n"); text != ours+"\n" {
		return taken("it is over another one")
	}
	return nil
}

// ErrNoHead says that a case has no signed head yet.
var ErrNoHead = errors.New("case has no signed head yet")

// lastCosigned is the size of the largest head that stamps/ has a cosignature of by the witness with this key id, 0 if none.
func lastCosigned(files fs.FS, id uint32) (last int64, err error) {
	names, err := fs.ReadDir(files, evidence.StampsPath)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	for _, n := range names {
		if size, by := evidence.WitnessName(n.Name()); by == id && size > last {
			last = size
		}
	}
	return last, err
}

// proofs makes consistency proofs for the tree over the first size entries, from the segments.
func proofs(files fs.FS, size int64) trust.Proofs {
	return func(ctx context.Context, old int64) ([][32]byte, error) {
		p, err := evidence.ProveConsistency(old, size)
		if err != nil {
			return nil, err
		}
		for b, err := range evidence.Batches(ctx, files) {
			if err != nil {
				return nil, err
			}
			for _, e := range b.Entries {
				p.Add(evidence.LeafHash(e.HeadLine))
			}
			if b.First+b.Count >= size {
				break
			}
		}
		_, hashes, err := p.Proof()
		var out [][32]byte
		for _, h := range hashes {
			out = append(out, h)
		}
		return out, err
	}
}

// keep writes a cosignature: whole or not at all, and for good. One that is there stays.
func keep(folder *os.Root, name string, content []byte) error {
	for _, dir := range []string{evidence.StampsPath, evidence.WorkPath} {
		if err := folder.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if _, err := folder.Lstat(name); err == nil {
		return nil
	}
	temp := evidence.WorkPath + "/" + path.Base(name) + ".new"
	f, err := folder.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("file %q: %w", temp, err)
	}
	if err := folder.Rename(temp, name); err != nil {
		return err
	}
	for _, dir := range []string{evidence.StampsPath, "."} {
		if err := syncFolder(folder, dir); err != nil {
			return err
		}
	}
	return nil
}

func syncFolder(folder *os.Root, name string) error {
	d, err := folder.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Appender is what asking on behalf of an open case needs of it; [casefile.Case] is one.
type Appender interface {
	// Append adds an entry and returns when it is durable.
	Append(context.Context, *evidence.Draft) (*evidence.Entry, error)
	// Dir is the case folder.
	Dir() string
}

// AskOpen does what [Ask] does for an open case, and appends an operator entry for each witness that gave no cosignature.
func AskOpen(ctx context.Context, c Appender, o Options) ([]Answer, error) {
	answers, err := Ask(ctx, c.Dir(), o)
	for i := range answers {
		if a := &answers[i]; a.Err != nil && ctx.Err() == nil { // what the caller breaks off is no failure
			_, e := c.Append(context.WithoutCancel(ctx), &evidence.Draft{Start: o.Env.Now(), Body: &evidence.Operator{
				Action: ActionFailed, Text: clip(a.Err.Error()), Operator: o.Env.Operator, Host: o.Env.Host,
				Fields: []evidence.Pair{{Name: "witness", Value: a.Witness.Key.String()}, {Name: "size", Value: fmt.Sprint(a.Size)}}}})
			err = errors.Join(err, e)
		}
	}
	return answers, err
}

// ActionFailed is the action of the operator entry that says that a witness gave no cosignature.
const ActionFailed = "witness-failed"

func clip(s string) string {
	const most = 1024
	s = strings.ToValidUTF8(s, "?")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// Watch asks at once and then every o.Every, until stop is called, which breaks off what is under way and returns when that has ended. tell gets what came of each round
// and may be nil.
func Watch(ctx context.Context, c Appender, o Options, tell func([]Answer, error)) (stop func()) {
	wait, every := o.Wait, o.Every
	if wait == nil {
		wait = pause.For
	}
	if every <= 0 {
		every = 15 * time.Minute
	}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		for {
			answers, err := AskOpen(ctx, c, o)
			if ctx.Err() != nil {
				return // it was broken off; the last round at the stop is not this one's
			}
			if tell != nil && !errors.Is(err, ErrNoHead) {
				tell(answers, err)
			}
			if wait(ctx, every) != nil {
				return
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}
