package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/bag/stranger"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/withhold"
)

type discloseOptions struct {
	list, out    string
	unsearchable bool
	json         bool
	key          signing
}

func newDisclose(p *program) *cobra.Command {
	var o discloseOptions
	cmd := &cobra.Command{
		Use:   "disclose DIR",
		Short: "Make a production: part of a sealed case withheld, all of it accounted for",
		Long: `disclose checks a sealed case and makes a production of it in a new folder: the entries and exchanges that FILE does not name, as they are, and of the others
the head line (time, source, method, status) or a hash alone. "exhibit-verify check" shows that both together are what was sealed, and nothing else.
Nothing in the case is changed. The grain is one entry: all records of a page go with one of them.

FILE holds one selector a line; # begins a remark:

  reason Attorney-client privilege   for what the lines below name; it is part of the production
  id <A1B2@example.com>              exchanges in which the message id occurs
  text Project Falcon                exchanges in which the text occurs, byte by byte
  query subject eq 'Falcon'          exchanges that brought a record of which the condition holds, over the fields of docs/records.md
  seq 17                             an entry, and seq 17-20 entries, by number
  level 0                            what the lines below name: not even the head line; level 1 ends that

With an exchange goes every attempt at the same page and, if FILE has other selectors than seq, whatever is truncated, torn or cannot be decoded, because it cannot
be searched. The finished production is then searched for what is withheld, in several encodings; if anything is found, there is no production.

The log of what is withheld goes to standard output: the privilege log, made of head lines. What took each entry, and how many records go with it, is said on
standard error, for the producing party alone. The production is signed with your key, which need not be that of the case.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := p.untilFirst(cmd.Context())
			defer cancel()
			return runDisclose(ctx, cmd, p, args[0], &o)
		},
	}
	cmd.Flags().StringVar(&o.list, "withhold", "", "`FILE` that says what is withheld")
	cmd.Flags().StringVarP(&o.out, "out", "o", "", "`FOLDER` to make, which must not exist")
	cmd.Flags().BoolVar(&o.unsearchable, "disclose-unsearchable", false, "disclose what is truncated, torn or cannot be decoded, although it cannot be searched for what is withheld")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the log as JSON, one line for each entry")
	o.key.AddFlags(cmd)
	cmd.MarkFlagRequired("withhold")
	cmd.MarkFlagRequired("out")
	return cmd
}

func runDisclose(ctx context.Context, cmd *cobra.Command, p *program, dir string, o *discloseOptions) error {
	selectors, err := readSelectors(o.list)
	if err != nil {
		return cli.Fail(cli.Usage, fmt.Errorf("--withhold: %w", err), "nothing was written", "see `exhibit disclose --help`: one selector a line, such as id, text, query or seq")
	}
	if err := checkOut(dir, o.out); err != nil {
		return cli.Fail(cli.Usage, fmt.Errorf("--out: %w", err), "nothing was written", "name a folder that does not exist yet, outside the case")
	}
	env, err := p.env()
	if err != nil {
		return err
	}
	source, err := o.key.source(cmd, p, env)
	if err != nil {
		return err
	}
	files, err := bag.OpenFolder(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %q", casefile.ErrNoFolder, dir)
	}
	if err != nil {
		return discloseError(err, dir)
	}
	defer files.Close()
	report, c, err := checkWhole(ctx, files, dir)
	if err != nil {
		return discloseError(err, dir)
	}
	plan, err := withhold.Choose(ctx, c, selectors, withhold.Options{DiscloseUnsearchable: o.unsearchable})
	if err != nil {
		return discloseError(err, dir)
	}
	key, made, err := source(ctx)
	if err != nil {
		return caseError(err, dir)
	}
	talk := cmd.ErrOrStderr()
	tellKey(talk, &casefile.Case{KeyMade: made})
	tellHeld(talk, plan)
	d := &disclosure{env: env, files: files, report: report, c: c, plan: plan, key: key, out: o.out}
	produced, err := d.make(ctx)
	if err != nil {
		return discloseError(err, dir)
	}
	if err := printHeld(cmd.OutOrStdout(), plan, o.json); err != nil {
		return err
	}
	fmt.Fprintf(talk, "produced: %s, %d entries disclosed, %d withheld, %d of them by a hash alone\n", cli.EscapeLine(o.out), produced.Entries[evidence.LevelWhole],
		produced.Entries[evidence.LevelHead]+produced.Entries[evidence.LevelLeaf], produced.Entries[evidence.LevelLeaf])
	fmt.Fprintf(talk, "next: %s\n", cli.EscapeLine(shell([]string{"exhibit-verify", "check", o.out})))
	return nil
}

// readSelectors reads the list of what is withheld.
func readSelectors(name string) ([]withhold.Selector, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, withhold.MaxList+1))
	if err != nil {
		return nil, err
	}
	return withhold.Parse(string(b))
}

// errDamaged and errProduction say why a case is not disclosed.
var (
	errDamaged    = errors.New("case is altered or damaged")
	errProduction = errors.New("this is a production already")
)

// checkWhole checks the case. Only an intact one that is sealed comes back.
func checkWhole(ctx context.Context, files fs.FS, dir string) (*verify.Report, *verify.Container, error) {
	report, c, err := verify.Check(ctx, files, verify.Options{})
	switch {
	case errors.Is(err, verify.ErrNoCase):
		return nil, nil, fmt.Errorf("%s: %w", dir, casefile.ErrNoFolder)
	case err != nil:
		return nil, nil, err
	case report.Production != nil:
		return nil, nil, errProduction
	case c == nil:
		return nil, nil, errDamaged
	case !report.Sealed:
		return nil, nil, bag.ErrUnsealed
	}
	return report, c, nil
}

// disclosure is a production while it is made.
type disclosure struct {
	env    casefile.Env
	files  fs.FS
	report *verify.Report
	c      *verify.Container
	plan   *withhold.Plan
	key    trust.Signer
	out    string
}

// leakError says that the finished production held what is withheld.
type leakError struct{ leaks []withhold.Leak }

func (e *leakError) Error() string {
	text := "the finished production held what is withheld"
	for i := range e.leaks {
		text += "\n    " + e.leaks[i].String()
	}
	return text
}

// make builds the production beside its name, checks and searches it, and then gives it its name.
func (d *disclosure) make(ctx context.Context) (*evidence.Produced, error) {
	parent := filepath.Dir(d.out)
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(d.out)+".part-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	produced, err := d.produce(ctx, temp)
	if err != nil {
		return nil, err
	}
	if err := d.search(ctx, temp); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(d.out); !errors.Is(err, fs.ErrNotExist) { // an empty folder would be replaced
		return nil, &fs.PathError{Op: "rename", Path: d.out, Err: fs.ErrExist}
	}
	if err := os.Rename(temp, d.out); err != nil {
		return nil, err
	}
	if err := syncNames(parent); err != nil {
		return nil, errors.Join(err, os.RemoveAll(d.out))
	}
	return produced, nil
}

func (d *disclosure) produce(ctx context.Context, temp string) (*evidence.Produced, error) {
	folder, err := evidence.OpenFolder(temp)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	head, err := d.finalHead()
	if err != nil {
		return nil, err
	}
	return evidence.Produce(ctx, evidence.ProductionOptions{
		Folder: folder, Mkdir: folder.Mkdir, Head: head, Checkpoints: d.files, Case: d.report.Case, Entries: d.c.Entries(ctx), Block: d.block, Level: d.plan.Level,
		Signer: d.key, Now: d.env.Now(), Software: "exhibit " + cli.Version, Files: strangerFiles(),
		Info: []bag.Field{
			{Label: bag.ExternalDescription, Value: "A production: part of a case is withheld, and all of it accounted for"},
			{Label: bag.InternalSenderIdentifier, Value: d.report.Case},
			{Label: bag.BaggingDate, Value: d.env.Now().UTC().Format(time.DateOnly)},
			{Label: bag.BagSoftwareAgent, Value: "exhibit " + cli.Version},
		},
	})
}

// strangerFiles are the files of a production that are the same in each.
func strangerFiles() []evidence.SealFile {
	return []evidence.SealFile{{Path: "data/README.txt", Content: stranger.Readme()}, {Path: "data/verify.py", Content: stranger.Verifier()}}
}

// finalHead is the head over the seal entry, whose root was checked.
func (d *disclosure) finalHead() (trust.Head, error) {
	h := trust.Head{Origin: evidence.Origin(d.report.Case), Size: d.report.Entries}
	var root evidence.Hash
	if err := root.UnmarshalText([]byte(d.report.Root)); err != nil {
		return h, err
	}
	h.Root = root
	return h, nil
}

func (d *disclosure) block(ctx context.Context, e *evidence.Entry, i int) (evidence.RecordBlock, error) {
	b, err := d.c.Block(ctx, e, i)
	if err != nil {
		return evidence.RecordBlock{}, err
	}
	return evidence.RecordBlock{ReaderAt: b, Closer: b, Size: b.Size}, nil
}

// search checks the finished production as whoever gets it will, and looks for what is withheld.
func (d *disclosure) search(ctx context.Context, temp string) error {
	files, err := bag.OpenFolder(temp)
	if err != nil {
		return err
	}
	defer files.Close()
	report, c, err := verify.Check(ctx, files, verify.Options{})
	if err != nil {
		return err
	}
	if c == nil || report.Root != d.report.Root {
		text := "root " + report.Root
		if len(report.Findings) > 0 {
			text = report.Findings[0].Code + ": " + report.Findings[0].Detail
		}
		return fmt.Errorf("finished production does not verify: %s", text)
	}
	var fixed []string
	for _, f := range strangerFiles() {
		fixed = append(fixed, f.Path)
	}
	leaks, err := d.plan.Search(ctx, files, c, fixed)
	if len(leaks) > 0 {
		err = &leakError{leaks}
	}
	return err
}

// tellHeld says, for the producing party alone, what took each entry and what goes with it.
func tellHeld(w io.Writer, plan *withhold.Plan) {
	for _, s := range plan.Idle {
		fmt.Fprintln(w, cli.EscapeLine(fmt.Sprintf("warning: line %d of the list (%s) names nothing in this case", s.Line, s.Word)))
	}
	for _, h := range plan.Sorted() {
		text := fmt.Sprintf("withheld: entry %d, %s: %s", h.Head.Seq, h.Head.Kind, h.Because)
		if h.Records > 0 {
			text += fmt.Sprintf("; with it %s", cli.Count(h.Records, "record", "records"))
			if h.Matched > 0 {
				text += fmt.Sprintf(", %d of them asked for", h.Matched)
			}
		}
		fmt.Fprintln(w, cli.EscapeLine(text))
	}
}

// heldLine is an entry of the withholding log.
type heldLine struct {
	Seq    int64  `json:"seq"`
	Level  int64  `json:"level"`
	Kind   string `json:"kind"`
	Start  string `json:"start"`
	Source string `json:"source"`
	Method string `json:"method"`
	Status int64  `json:"status"`
	Reason string `json:"reason"`
}

// printHeld prints the withholding log. Of what is withheld down to a hash it says no more than the production does.
func printHeld(w io.Writer, plan *withhold.Plan, asJSON bool) error {
	if !asJSON {
		fmt.Fprintln(w, "seq\ttime\tkind\tsource\tmethod\tstatus\treason")
	}
	for _, h := range plan.Sorted() {
		l := heldLine{Seq: h.Head.Seq, Level: h.Level, Reason: h.Reason}
		if h.Level >= evidence.LevelHead {
			l.Kind, l.Start, l.Source, l.Method, l.Status = h.Head.Kind, h.Head.Start.String(), h.Head.Source, h.Head.Method, h.Head.Status
		}
		var err error
		if asJSON {
			err = cli.PrintJSONLine(w, l)
		} else {
			_, err = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Seq, l.Start, l.Kind, l.Source, cli.EscapeLine(l.Method), statusText(l.Status), cli.EscapeLine(l.Reason))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func statusText(status int64) string {
	if status == 0 {
		return ""
	}
	return strconv.FormatInt(status, 10)
}

// discloseError explains why there is no production.
func discloseError(err error, dir string) error {
	const meaning = "no production was made, and the case is as it was"
	check := "run `" + shell([]string{"exhibit-verify", "check", dir}) + "`"
	var syntax *withhold.SyntaxError
	var fixed *withhold.FixedError
	var leak *leakError
	switch {
	case errors.Is(err, context.Canceled):
		return cli.Fail(cli.Interrupted, errors.New("interrupted: no production was made"), meaning, "run the same command again")
	case errors.As(err, &syntax), errors.As(err, &fixed), errors.Is(err, withhold.ErrNothing):
		return cli.Fail(cli.Usage, fmt.Errorf("--withhold: %w", err), meaning, "name something narrower or other; to hand over the whole case, use `exhibit pack`")
	case errors.As(err, &leak):
		return cli.Fail(cli.Unexpected, err, "it was removed, and the case is as it was", "withhold the entries that are named here, by seq lines in the list, and run the same command again")
	case errors.Is(err, errProduction):
		return cli.Fail(cli.Usage, err, meaning, "give the folder of the sealed case")
	case errors.Is(err, verify.ErrContent):
		return cli.Fail(cli.Unexpected, err, "the check was given up: a few bytes can be made to decode to very many; no production was made", check+" with --max-content")
	case errors.Is(err, bag.ErrUnsealed):
		return cli.Fail(cli.Incomplete, err, meaning, "to seal it, run `"+shell([]string{"exhibit", "seal", dir})+"`")
	case errors.Is(err, errDamaged), errors.Is(err, verify.ErrChanged):
		return cli.Fail(cli.Damaged, err, "only an intact case can be disclosed in part; no production was made", check)
	case errors.Is(err, fs.ErrExist):
		return cli.Fail(cli.Usage, fmt.Errorf("--out: %w", err), meaning, "name a folder that does not exist yet")
	}
	var own *cli.Error
	if explained := diskError(err, dir, meaning, "run the same command again"); errors.As(explained, &own) {
		return explained
	}
	return caseError(err, dir)
}
