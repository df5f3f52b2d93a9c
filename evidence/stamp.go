package evidence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Actions of operator entries on timestamps (docs/container.md, 5.7).
const (
	ActionStamp       = "stamp"        // a token over a head came
	ActionStampFailed = "stamp-failed" // none came, or one that is not accepted
)

// MaxTokens is how many tokens one head may have.
const MaxTokens = 16

// StampURI names the record of a stamp entry.
const StampURI = "urn:exhibit:timestamp"

// TokenSuffix ends the names of tokens, those over package.note in [StampsPath] too.
const TokenSuffix = ".tsr"

// TokenPath is the file of the n-th token over the head over size entries, n from 1 to [MaxTokens].
func TokenPath(size int64, n int) string {
	if n == 1 {
		return fmt.Sprintf("%s/%d%s", CheckpointsPath, size, TokenSuffix)
	}
	return fmt.Sprintf("%s/%d.%d%s", CheckpointsPath, size, n, TokenSuffix)
}

// TokenSize tells over which head a token with this file name in [CheckpointsPath] is, -1 if it is no token's name.
func TokenSize(name string) int64 {
	digits, ok := strings.CutSuffix(name, TokenSuffix)
	digits, ordinal, more := strings.Cut(digits, ".")
	n := 1
	if more {
		n, _ = strconv.Atoi(ordinal)
	}
	size, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || size < 1 || n < 1 || n > MaxTokens || path.Base(TokenPath(size, n)) != name {
		return None
	}
	return size
}

// Stamp is a token over a head. It was accepted by package rfc3161 as the answer to the query with this nonce.
type Stamp struct {
	Size      int64 // of the head
	DER       []byte
	Authority string // the URL that was asked, without its query
	Nonce     string // hexadecimal
	Operator  string
	Host      string
}

// Newest signs a head, if anything but checkpoints was added since the last, and returns the newest: size, and the text of its note.
func (w *Writer) Newest(ctx context.Context) (*Checkpoint, error) {
	var c *Checkpoint
	err := w.between(ctx, func(ctx context.Context) error {
		if err := w.signHead(ctx); err != nil {
			return err
		}
		var err error
		c, err = w.newestNote()
		return err
	})
	return c, err
}

func (w *Writer) newestNote() (*Checkpoint, error) {
	size := w.ledger.headSize
	note, err := fs.ReadFile(w.opts.Folder.FS(), NotePath(size))
	if err != nil {
		return nil, err
	}
	return &Checkpoint{Size: size, Note: string(note)}, nil
}

// Stamp writes a token beside its head's note, and the entry that states it. Both are durable when it returns.
func (w *Writer) Stamp(ctx context.Context, s Stamp) error {
	return w.between(ctx, func(ctx context.Context) error {
		if w.ledger.sealed {
			return ErrSealed
		}
		name, err := w.writeToken(s.Size, s.DER)
		if err != nil {
			w.fail(err)
			return err
		}
		p, err := w.prepare(ctx, &Draft{Start: w.opts.Now(),
			Body: &Operator{Action: ActionStamp, Text: fmt.Sprintf("a timestamp over the head over %d entries", s.Size), Operator: s.Operator, Host: s.Host,
				Fields: []Pair{{"head", strconv.FormatInt(s.Size, 10)}, {"file", path.Base(name)}, {"authority", s.Authority}, {"nonce", s.Nonce}}},
			Records: []RecordDraft{{Type: warc.Resource, URI: StampURI, ContentType: rfc3161.ReplyType, Block: s.DER}}})
		if err != nil {
			return err
		}
		w.commit(ctx, []*prepared{p})
		return <-p.done
	})
}

// writeToken writes a token under the first name that is free.
func (w *Writer) writeToken(size int64, der []byte) (string, error) {
	for n := 1; n <= MaxTokens; n++ {
		name := TokenPath(size, n)
		if _, err := fs.Stat(w.opts.Folder.FS(), name); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		return name, writeNew(w.opts.Folder, name, der)
	}
	return "", fmt.Errorf("head over %d entries has %d tokens already", size, MaxTokens)
}

// stampFinal asks for tokens over the final head, unless a seal that was interrupted has brought one. Nothing that an authority does ends a seal.
func (w *Writer) stampFinal(ctx context.Context, ask func(context.Context, *Checkpoint) [][]byte) error {
	head, err := w.newestNote()
	if err != nil {
		return err
	}
	if _, err := fs.Stat(w.opts.Folder.FS(), TokenPath(head.Size, 1)); err == nil {
		return nil
	}
	for _, der := range ask(ctx, head) {
		if _, err := w.writeToken(head.Size, der); err != nil {
			return err
		}
	}
	return nil
}
