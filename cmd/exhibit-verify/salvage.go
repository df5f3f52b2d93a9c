package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// lossesFormat names the form of FILE.losses.jsonl, docs/records.md.
const lossesFormat = "exhibit-losses/1"

// maxTold is how many losses are listed on standard error.
const maxTold = 100

// salvage finds what of a damaged case is still proven.
func (c *checked) salvage(ctx context.Context, path string, keys []trust.VKey) (err error) {
	if c.report.Production != nil {
		return damagedProduction(path)
	}
	if c.form != nil {
		next := "ask for another copy; or unpack it with another program into an empty folder, and give that folder"
		if cut := (*bag.AgeError)(nil); errors.As(c.form, &cut) {
			next = "ask for another copy"
		}
		return cli.Fail(cli.Damaged, c.form, "it cannot be told where the files in it are; nothing in it was looked at", next)
	}
	if c.otherHistory() {
		return cli.Fail(cli.Damaged, errors.New(cli.Named(path)+": a head that you gave, or that a witness of yours cosigned, stands against this history of the case"),
			"whoever has the signing key made the history anew, or cut it off: that its signed heads cover an entry does not show that it is what was recorded",
			"run `exhibit-verify check "+path+"` with the same flags to see what was found, and ask for the case as it was when that head was made")
	}
	if c.salvaged, err = verify.Salvage(ctx, c.folder, verify.Options{Keys: keys}); err == nil {
		c.container = c.salvaged.Container()
	}
	return err
}

// otherHistory reports whether what the user has from elsewhere shows another history than this one.
func (c *checked) otherHistory() bool {
	return c.pinned && c.report.OtherHistory()
}

// extractSalvaged writes the records of what is proven of a damaged case, and what is lost.
func extractSalvaged(cmd *cobra.Command, path string, c *checked, o *extractOptions, keys []trust.VKey) error {
	if err := c.salvage(cmd.Context(), path, keys); err != nil {
		return err
	}
	talk := cmd.ErrOrStderr()
	list := &lossList{talk: talk}
	if o.out != "-" {
		if err := list.create(o.out + ".losses.jsonl"); err != nil {
			return err
		}
	}
	sum, err := writeRecords(cmd.Context(), cmd.OutOrStdout(), c, o)
	if err != nil {
		return list.close(err)
	}
	tell(talk, c, sum)
	tellSalvaged(talk, c.salvaged, len(keys) > 0)
	if err := list.close(list.write(cmd.Context(), c.salvaged)); err != nil {
		if o.out != "-" {
			os.Remove(o.out)
		}
		return changed(err)
	}
	s := c.salvaged
	meaning := fmt.Sprintf("the records are those of what is still proven: %d of %s, with %s", s.Proven, cli.Count(s.Entries, "entry", "entries"), cli.Count(s.Exchanges, "exchange", "exchanges"))
	return cli.Fail(cli.Damaged, errors.New(path+" is altered or damaged"), meaning,
		"ask whoever handed the case over for another copy; run `exhibit-verify check "+path+"` to see what was found")
}

// changed tells a case that changed under the program, and a folder for temporary files that cannot be used, from other errors.
func changed(err error) error {
	if errors.Is(err, verify.ErrChanged) {
		return cli.Fail(cli.Damaged, err, "what was written so far cannot be relied on", "check the case again")
	}
	return noRoom(err)
}

// tellSalvaged says what is proven, by whom, and where the keys come from.
func tellSalvaged(w io.Writer, s *verify.Salvaged, pinned bool) {
	line := func(format string, args ...any) { fmt.Fprintln(w, cli.EscapeLine(fmt.Sprintf(format, args...))) }
	line("salvaged: %d of %s proven, with %s", s.Proven, cli.Count(s.Entries, "entry", "entries"), cli.Count(s.Exchanges, "exchange", "exchanges"))
	for _, h := range s.Heads {
		line("up to entry %d: %s signed by %s", h.Size-1, cli.Count(h.Heads, "head", "heads"), strings.Join(h.Signers, ", "))
	}
	switch s.KeysFrom {
	case verify.KeysUnproven:
		line("the case entry, which names the keys that may sign, is not proven itself")
	case verify.KeysPinned:
		line("the case entry is lost, which names the keys that may sign: the key that you gave was taken for it")
	case verify.KeysOfLedger:
		line("the case entry is lost, which names the keys that may sign: they were taken from data/ledger.db, which package.note covers")
	case verify.KeysUnknown:
		line("the case entry is lost, which names the keys that may sign, and no key is known: nothing is proven. Give --key")
	}
	if len(s.Heads) == 0 && s.KeysFrom != verify.KeysUnknown {
		line("no head by a key that may sign, and by each that you gave, can be held against what is left")
	}
	if !pinned {
		line("signer not checked: give --key; a key found in the bundle proves nothing")
	}
}

// lossList writes losses to standard error and, if it was created, to a file.
type lossList struct {
	talk io.Writer
	name string
	file *os.File
	buf  *bufio.Writer
}

func (l *lossList) create(name string) (err error) {
	if l.file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return cli.Fail(cli.Usage, fmt.Errorf("--out: %w", err), "nothing was written", "name a file beside which that one does not exist yet")
	}
	l.name, l.buf = name, bufio.NewWriter(l.file)
	return nil
}

// close ends the file, or removes it if err says that something failed.
func (l *lossList) close(err error) error {
	if l.file == nil {
		return err
	}
	if err == nil {
		err = l.buf.Flush()
	}
	err = errors.Join(err, l.file.Close())
	if err != nil {
		os.Remove(l.name)
	}
	return err
}

func (l *lossList) write(ctx context.Context, s *verify.Salvaged) error {
	if err := l.line(struct {
		Format string `json:"format"`
		*verify.Salvaged
	}{lossesFormat, s}); err != nil {
		return err
	}
	n := 0
	for loss, err := range s.Losses(ctx) {
		if err != nil {
			return err
		}
		if n++; n <= maxTold {
			fmt.Fprintln(l.talk, cli.EscapeLine(lossText(loss)))
		}
		if err := l.line(loss); err != nil {
			return err
		}
	}
	if n > maxTold {
		fmt.Fprintf(l.talk, "… and %d losses more%s\n", n-maxTold, l.where())
	}
	return nil
}

func (l *lossList) where() string {
	if l.file == nil {
		return ": write to a file to have them all beside it"
	}
	return ": see " + cli.EscapeLine(l.name)
}

func (l *lossList) line(v any) error {
	if l.file == nil {
		return nil
	}
	b, err := json.Marshal(v, json.Deterministic(true))
	if err == nil {
		_, err = l.buf.Write(append(b, '\n'))
	}
	return err
}

// lossText is a loss in a line: seq, what it was, when, what is the matter.
func lossText(l *verify.Loss) string {
	where := fmt.Sprintf("entry %d", l.First)
	if l.Last > l.First {
		where = fmt.Sprintf("entries %d to %d", l.First, l.Last)
	}
	if l.Kind != "" {
		where += ", " + l.Kind
		if l.Window > 0 {
			where += fmt.Sprintf(" of window %d", l.Window)
		}
		if l.Method != "" {
			where += fmt.Sprintf(", %s, status %d", strings.TrimSpace(l.Method+" "+l.URL), l.Status)
		}
		where += ", " + l.Start
	}
	if l.After != nil {
		where += fmt.Sprintf(", after entry %d (window %d, %s)", l.After.Seq, l.After.Window, l.After.Time)
	}
	if l.Before != nil {
		where += fmt.Sprintf(", before entry %d (window %d, %s)", l.Before.Seq, l.Before.Window, l.Before.Time)
	}
	switch l.State {
	case verify.StateRecords:
		return fmt.Sprintf("lost of %s: %s", where, strings.Join(l.Records, ", "))
	case verify.StateUnproven:
		return "not proven, though there: " + where
	}
	return "lost: " + where
}

// showSalvaged shows an entry of a damaged case if it is proven.
func showSalvaged(cmd *cobra.Command, path string, c *checked, seq int64, o *showOptions, keys []trust.VKey) error {
	ctx := cmd.Context()
	if err := c.salvage(ctx, path, keys); err != nil {
		return err
	}
	e, err := c.container.Entry(ctx, seq)
	switch {
	case errors.Is(err, verify.ErrNoEntry):
		return cli.Fail(cli.Damaged, err, path+" is altered or damaged; no more entries are known of", "run `exhibit-verify check "+path+"` to see what was found")
	case errors.Is(err, verify.ErrLost):
		return c.notShown(ctx, path, seq)
	case err != nil:
		return changed(err)
	}
	err = showEntry(ctx, cmd.OutOrStdout(), c, e, o)
	switch {
	case errors.Is(err, verify.ErrLost):
		return cli.Fail(cli.Damaged, err, "the entry is proven, and these bytes of it are not there any more", "ask whoever handed the case over for another copy")
	case err != nil:
		return changed(err)
	}
	return cli.Fail(cli.Damaged, errors.New(path+" is altered or damaged"),
		fmt.Sprintf("entry %d itself is what was recorded: it still stands under the signed head over %d entries%s", seq, c.salvaged.ProvenBy(seq), unchecked(keys)),
		"run `exhibit-verify check "+path+"` to see what was found elsewhere")
}

func unchecked(keys []trust.VKey) string {
	if len(keys) > 0 {
		return ""
	}
	return "; signer not checked: give --key"
}

// notShown says why an entry of a damaged case is not shown.
func (c *checked) notShown(ctx context.Context, path string, seq int64) error {
	err := fmt.Errorf("%s is altered or damaged, and entry %d is not proven", path, seq)
	if c.salvaged.KeysFrom == verify.KeysUnknown {
		return cli.Fail(cli.Damaged, err, "the case entry is lost, which names the keys that may sign, and no key is known: nothing is proven", "give --key")
	}
	for l, lossErr := range c.salvaged.Losses(ctx) {
		if lossErr != nil {
			return changed(lossErr)
		}
		if seq >= l.First && seq <= l.Last {
			return cli.Fail(cli.Damaged, err, lossText(l), "ask whoever handed the case over for another copy")
		}
	}
	return cli.Fail(cli.Damaged, err, "", "run `exhibit-verify check "+path+"` to see what was found")
}

// salvagedEntry is what --json says of an entry of a damaged case.
type salvagedEntry struct {
	Head     int64    `json:"head"` // size of a signed head that proves the entry
	KeysFrom string   `json:"keys_from"`
	Lost     []string `json:"lost"` // types of records that are not there
}

func (c *checked) salvagedEntry(e *evidence.Entry) *salvagedEntry {
	if c.salvaged == nil {
		return nil
	}
	s := &salvagedEntry{Head: c.salvaged.ProvenBy(e.Head.Seq), KeysFrom: c.salvaged.KeysFrom, Lost: []string{}}
	for i, at := range e.Located {
		if at.Segment == 0 {
			s.Lost = append(s.Lost, e.Detail.Records[i].Type)
		}
	}
	return s
}
