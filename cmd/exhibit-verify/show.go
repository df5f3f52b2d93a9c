package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

type showOptions struct {
	request, response, body, json bool
	given                         given
}

func newShow() *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "show PATH SEQ",
		Short: "Show one entry: ledger lines, raw HTTP, hashes, proof; or just those bytes",
		Long: `show checks the case and shows entry SEQ: its two ledger lines, its records with their hashes and, each line marked with |, what they hold, and the path of
hashes that proves it part of the newest head. With --request, --response or --body it writes just those bytes, exactly, to standard output. Of a case that is altered or
damaged it shows an entry that still proves against a signed head, and no other; the exit code is 3. Of an entry that a production withholds it shows what there is
of it: the reason, the head line unless that is withheld too, and the proof.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return runShow(cmd, args[0], args[1], &o) },
	}
	cmd.Flags().BoolVar(&o.request, "request", false, "write the request as stored")
	cmd.Flags().BoolVar(&o.response, "response", false, "write the response as it crossed the wire")
	cmd.Flags().BoolVar(&o.body, "body", false, "write the response's body, transfer and content coding removed")
	cmd.Flags().BoolVar(&o.json, "json", false, "print entry, records and proof as JSON")
	cmd.MarkFlagsMutuallyExclusive("request", "response", "body", "json")
	o.given.flags(cmd)
	return cmd
}

func runShow(cmd *cobra.Command, path, seqText string, o *showOptions) error {
	seq, err := strconv.ParseInt(seqText, 10, 64)
	if err != nil || seq < 0 {
		return cli.Usagef("SEQ %q is no entry number", seqText)
	}
	ctx := cmd.Context()
	c, err := openChecked(cmd, path, &o.given)
	if err != nil {
		return err
	}
	defer c.close()
	if c.container == nil {
		return showSalvaged(cmd, path, c, seq, o, c.keys)
	}
	e, err := c.container.Entry(ctx, seq)
	switch {
	case errors.Is(err, verify.ErrWithheld):
		err = showWithheld(cmd, path, c, seq, o)
	case errors.Is(err, verify.ErrNoEntry):
		err = cli.Fail(cli.Usage, err, "", fmt.Sprintf("entries are numbered 0 to %d", c.container.Len()-1))
	case err == nil:
		err = showEntry(ctx, cmd.OutOrStdout(), c, e, o)
	}
	if err != nil {
		return err
	}
	if c.report.Unmet() {
		return cli.Fail(cli.KeyUnmet, fmt.Errorf("%s: a trust flag that was given is not met", path), "the entry is shown all the same", "run `exhibit-verify check "+path+"` with the same flags to see which was not met")
	}
	return nil
}

func showEntry(ctx context.Context, w io.Writer, c *checked, e *evidence.Entry, o *showOptions) error {
	switch {
	case o.request:
		return copyBlock(ctx, w, c.container, e, warc.Request)
	case o.response:
		return copyBlock(ctx, w, c.container, e, warc.Response)
	case o.body:
		body, err := c.container.Body(ctx, e)
		if err != nil {
			return noBytes(err)
		}
		defer body.Close()
		_, err = io.Copy(w, body)
		return err
	}
	proof, err := newestProof(ctx, c, e.Head.Seq)
	if err != nil {
		return err
	}
	if o.json {
		return showJSON(w, c, e, proof)
	}
	return showText(ctx, w, c, e, proof)
}

func noBytes(err error) error {
	if errors.Is(err, verify.ErrLost) {
		return err
	}
	if errors.Is(err, verify.ErrNoBody) || errors.Is(err, verify.ErrNoEntry) {
		return cli.Fail(cli.Usage, err, "", "run `exhibit-verify show` without that flag to see what the entry has")
	}
	return cli.Fail(cli.Incomplete, err, "the recorded bytes are whole; they cannot be decoded", "use --response to see them as they crossed the wire")
}

func copyBlock(ctx context.Context, w io.Writer, c *verify.Container, e *evidence.Entry, typ string) error {
	for i, ref := range e.Detail.Records {
		if ref.Type != typ {
			continue
		}
		block, err := c.Block(ctx, e, i)
		if err != nil {
			return err
		}
		defer block.Close()
		_, err = io.Copy(w, io.NewSectionReader(block, 0, block.Size))
		return err
	}
	return cli.Usagef("entry %d has no %s", e.Head.Seq, typ)
}

// newestProof proves the entry under the newest head, nil if no head covers it yet or if the case is damaged.
func newestProof(ctx context.Context, c *checked, seq int64) (*verify.Proof, error) {
	if c.salvaged != nil {
		return nil, nil
	}
	size := int64(0)
	for _, h := range c.report.Heads {
		size = max(size, h.Size)
	}
	if seq >= size {
		return nil, nil
	}
	return c.container.Proof(ctx, seq, size)
}

func showJSON(w io.Writer, c *checked, e *evidence.Entry, proof *verify.Proof) error {
	return cli.PrintJSON(w, struct {
		Head    jsontext.Value `json:"head"`
		Detail  jsontext.Value `json:"detail"`
		Proof   *verify.Proof  `json:"proof"`
		Time    *committed     `json:"committed"` // null if no authority is pinned
		Salvage *salvagedEntry `json:"salvage"`   // null of an intact case
	}{e.HeadLine, e.DetailLine, proof, c.committed(e), c.salvagedEntry(e)})
}

func showText(ctx context.Context, w io.Writer, c *checked, e *evidence.Entry, proof *verify.Proof) error {
	line := func(format string, args ...any) { fmt.Fprintln(w, cli.Escape(fmt.Sprintf(format, args...))) }
	line("entry %d of case %s: %s, %s", e.Head.Seq, c.container.CaseID(), e.Head.Kind, e.Head.Start)
	line("head line    %s", e.HeadLine)
	line("detail line  %s", e.DetailLine)
	for i, ref := range e.Detail.Records {
		at := e.Located[i]
		line("record %d     %s %s", i, ref.Type, evidence.RecordID(e.Detail.Nonce, i))
		if at.Segment == 0 {
			line("             LOST: block %d bytes, SHA-256 %s", ref.BlockLength, ref.Block)
			continue
		}
		line("             %s, frame at offset %d, %d bytes", evidence.SegmentPath(int64(at.Segment)), at.Offset, at.Length)
		line("             block %d bytes, SHA-256 %s", ref.BlockLength, ref.Block)
		if err := showBlock(ctx, w, c.container, e, i); err != nil {
			return err
		}
	}
	if c.salvaged != nil {
		line("proof        under the signed head over %d entries; the case is altered or damaged, and no path of hashes is shown", c.salvaged.ProvenBy(e.Head.Seq))
		return nil
	}
	showCommitted(line, c, e)
	printProof(line, proof)
	return nil
}

// printProof prints the path of hashes from an entry to the root.
func printProof(line func(string, ...any), proof *verify.Proof) {
	if proof == nil {
		line("proof        no head covers this entry yet")
		return
	}
	line("leaf         %s", proof.Leaf)
	for _, h := range proof.Path {
		line("path         %s", h)
	}
	line("root         %s over %d entries", proof.Root, proof.Size)
}

// maxShown is how much of a block is shown to a person.
const maxShown = 16 << 10

// showBlock shows a block as text.
func showBlock(ctx context.Context, w io.Writer, c *verify.Container, e *evidence.Entry, i int) error {
	block, err := c.Block(ctx, e, i)
	if err != nil {
		return err
	}
	defer block.Close()
	b := make([]byte, min(block.Size, maxShown))
	if _, err := block.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, l := range blockLines(b) {
		fmt.Fprintln(w, l)
	}
	if block.Size > maxShown {
		fmt.Fprintf(w, "… %d bytes more: use --request, --response or --body\n", block.Size-maxShown)
	}
	return nil
}

// blockLines are the lines of a block: they end in CR LF, and an LF alone is shown as \x0a. Each is marked, so that what a server wrote is not taken for what is said of it.
func blockLines(b []byte) (lines []string) {
	for l := range strings.SplitSeq(string(b), "\r\n") {
		for part := range strings.SplitSeq(strings.ReplaceAll(l, "\n", "\\x0a\n"), "\n") {
			lines = append(lines, "| "+cli.Escape(part))
		}
	}
	return lines
}
