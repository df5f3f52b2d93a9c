package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

func newCase(p *program) *cobra.Command {
	cmd := &cobra.Command{Use: "case", Short: "Make a case"}
	cmd.AddCommand(newCaseNew(p))
	return cmd
}

// caseOptions are what a person states about a new case.
type caseOptions struct {
	fields      map[string]*string // by the names of casefile.Fields
	continues   string
	supplements string
	tsa         tsaOptions
	caFile      string
	json        bool
	key         signing
}

// AddFlags adds a flag for each field of a case.
func (o *caseOptions) AddFlags(f *pflag.FlagSet) {
	o.fields = map[string]*string{}
	for _, field := range casefile.Fields() {
		usage := "`TEXT`: " + field.Usage
		if field.Required {
			usage += " (required)"
		}
		o.fields[field.Name] = f.String(field.Name, "", usage)
	}
	f.StringVar(&o.continues, "continues", "", "`DIR` of the case that this one goes on from: its newest head is stated")
	f.StringVar(&o.supplements, "supplements", "", "`DIR` of an earlier, sealed case that this one supplements: its final head is stated, and pins it")
	o.tsa.AddFlags(f, "to stamp the case entry, so that what follows was not there before")
	caFileFlag(f, &o.caFile)
	f.BoolVar(&o.json, "json", false, "print case id and verifier key as JSON")
}

func newCaseNew(p *program) *cobra.Command {
	var o caseOptions
	cmd := &cobra.Command{
		Use:   "new DIR",
		Short: "Make a case in a folder that is empty or does not exist",
		Long: `new makes a case: its folder, the first segment, and the case entry, which states what the flags say and which keys may sign. What is stated
cannot be changed later and is seen by everyone who gets the case.

The first time, a signing key is made, not encrypted: $XDG_CONFIG_HOME/exhibit/keys/default ("exhibit key new" makes one with a passphrase). Give its
verifier key ("exhibit key show") to whoever is to check your cases, on another way than the case.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runCaseNew(cmd, p, args[0], &o) },
	}
	o.AddFlags(cmd.Flags())
	o.key.AddFlags(cmd)
	for _, f := range casefile.Fields() {
		if f.Required {
			if err := cmd.MarkFlagRequired(f.Name); err != nil {
				panic(err) // the flag was made above
			}
		}
	}
	return cmd
}

// made is a new case, as case new prints it.
type made struct {
	Case   string `json:"case"`
	Folder string `json:"folder"`
	Key    string `json:"key"` // verifier key that may sign
}

func (m *made) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(w, m)
	}
	_, err := fmt.Fprintf(w, "case %s in %s\nsigned with %s\n", m.Case, cli.EscapeLine(m.Folder), m.Key)
	return err
}

func runCaseNew(cmd *cobra.Command, p *program, dir string, o *caseOptions) error {
	ctx, cancel := p.untilFirst(cmd.Context())
	defer cancel()
	if err := emptyFolder(dir); err != nil {
		return err
	}
	if err := o.tsa.check(cmd.Flags(), o.caFile); err != nil {
		return err
	}
	env, err := p.env()
	if err != nil {
		return err
	}
	var fields []evidence.Pair
	for _, f := range casefile.Fields() {
		if cmd.Flags().Changed(f.Name) {
			fields = append(fields, evidence.Pair{Name: f.Name, Value: *o.fields[f.Name]})
		}
	}
	options := casefile.NewOptions{Fields: fields, Times: o.tsa.times(), Register: true}
	if cmd.Flags().Changed("continues") {
		if options.Continues, err = newestHead(ctx, o.continues, caseNewHead("continues", o.continues)); err != nil {
			return err
		}
	}
	if cmd.Flags().Changed("supplements") {
		if options.Supplements, err = finalHead(ctx, o.supplements, caseNewHead("supplements", o.supplements)); err != nil {
			return err
		}
	}
	if options.Key, err = o.key.source(cmd, p, env); err != nil {
		return err
	}
	c, err := casefile.New(ctx, env, dir, options)
	if notSignedBy(err) {
		return cli.Fail(cli.Unexpected, err, "no case was made; the log of the cases that were opened here lists it as begun", signerHint+", remove what is left in "+shell([]string{dir})+" and run the same command again")
	}
	if err != nil {
		return caseError(diskError(err, dir, "no case was made", "remove what is left in "+shell([]string{dir})+" and run the same command again"), dir)
	}
	tellKey(cmd.ErrOrStderr(), c)
	if s := o.tsa.stamper(env, c.Writer(), sayTo(cmd.ErrOrStderr())); s != nil {
		err = s.Stamp(ctx)
	}
	if err = errors.Join(err, c.Close(ctx)); notSignedBy(err) {
		return cli.Fail(cli.Unexpected, err, "the case was made and what it states is kept; no head is signed yet", signerHint+"; any command that writes to the case then signs one, such as `exhibit note`")
	} else if err != nil {
		return caseError(diskError(err, dir, "the case was made and what it states is kept", "go on with it: it has not to be made again"), dir)
	}
	m := made{Case: c.ID(), Folder: dir, Key: c.Opening.Case.Keys[0]}
	return m.print(cmd.OutOrStdout(), o.json)
}

// headUse says what a head is wanted for: the subject of an error, what it means that there is none, and what should have been given.
type headUse struct{ subject, meaning, what string }

func caseNewHead(flag, dir string) headUse {
	return headUse{fmt.Sprintf("--%s %q", flag, dir), "no case was made", "name the folder of that case"}
}

func (u *headUse) fail(code int, err error, next string) error {
	return cli.Fail(code, fmt.Errorf("%s: %w", u.subject, err), u.meaning, next)
}

// newestHead is the text of the newest head note of a case, signed by one of the keys that may sign it. The case is changed in nothing and may be sealed.
func newestHead(ctx context.Context, dir string, use headUse) (string, error) {
	fail := use.fail
	check := "run `" + shell([]string{"exhibit-verify", "check", dir}) + "`"
	status, err := casefile.ReadStatus(ctx, dir)
	switch {
	case isProduction(dir):
		return "", fail(cli.Usage, errors.New("it is a production and no case"), use.what)
	case errors.Is(err, casefile.ErrNoFolder):
		return "", fail(cli.Usage, casefile.ErrNoFolder, use.what)
	case err != nil:
		return "", fail(cli.Damaged, err, check)
	case len(status.Heads) == 0:
		return "", fail(cli.Usage, errors.New("the case has no signed head yet"), "any command that writes to it signs one at its end, such as `exhibit note`")
	}
	folder, err := evidence.OpenFolder(dir)
	if err != nil {
		return "", fail(cli.Unexpected, err, "")
	}
	defer folder.Close()
	size := status.Heads[len(status.Heads)-1]
	note, err := readNote(folder.FS(), evidence.NotePath(size))
	if err != nil {
		return "", fail(cli.Unexpected, err, "")
	}
	keys, err := maySign(ctx, dir, status, size)
	if err != nil {
		return "", fail(cli.Damaged, err, check)
	}
	if err := checkNote(note, status.Case.Origin, size, keys); err != nil {
		return "", fail(cli.Damaged, fmt.Errorf("the head over %d entries: %w", size, err), check)
	}
	return string(note), nil
}

// finalHead is the text of the final head note of a sealed case. package.note must be signed over the same head.
func finalHead(ctx context.Context, dir string, use headUse) (string, error) {
	fail := use.fail
	note, err := newestHead(ctx, dir, use)
	if err != nil {
		return "", err
	}
	b, err := readBundle(ctx, dir)
	if errors.Is(err, bag.ErrUnsealed) {
		return "", fail(cli.Usage, err, "seal it first, or go on from it with --continues")
	}
	if err == nil {
		err = checkFinal(dir, note, b.keys)
	}
	if err != nil {
		return "", fail(cli.Damaged, err, "run `"+shell([]string{"exhibit-verify", "check", dir})+"`")
	}
	return note, nil
}

// checkFinal requires that package.note, signed by one of keys, and the note are about the same head.
func checkFinal(dir, note string, keys []trust.VKey) error {
	folder, err := evidence.OpenFolder(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	text, _, err := trust.Verify([]byte(note), keys)
	if err != nil {
		return err
	}
	head, err := trust.ParseHead(text)
	if err != nil {
		return err
	}
	b, err := readNote(folder.FS(), evidence.PackageNotePath)
	if err != nil {
		return err
	}
	if text, _, err = trust.Verify(b, keys); err != nil {
		return fmt.Errorf("%s: %w", evidence.PackageNotePath, err)
	}
	p, err := trust.ParsePackageStatement(text)
	if err == nil && p.Head != head {
		err = fmt.Errorf("%s is signed over another head than the newest", evidence.PackageNotePath)
	}
	return err
}

// readNote reads no more of a note than shows that it is too long.
func readNote(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, trust.MaxNoteSize+1))
}

// checkNote requires a head of this case and size, signed by one of keys.
func checkNote(note []byte, origin string, size int64, keys []trust.VKey) error {
	text, sigs, err := trust.Verify(note, keys)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(sigs, func(s trust.Signature) bool { return !s.Known }) { // whose name may be any text
		return errors.New("it has a signature line by a key that the case does not list")
	}
	head, err := trust.ParseHead(text)
	if err == nil && (head.Origin != origin || head.Size != size) {
		err = fmt.Errorf("it is one over %d entries of %q", head.Size, head.Origin)
	}
	return err
}

// emptyFolder is a usage error if something is in the way of a new case.
func emptyFolder(dir string) error {
	left, err := os.ReadDir(dir)
	if err == nil && len(left) > 0 {
		return cli.Fail(cli.Usage, fmt.Errorf("folder %q is not empty", dir), "nothing was changed", "name a folder that is empty or does not exist")
	}
	if info, e := os.Stat(dir); e == nil && !info.IsDir() {
		return cli.Fail(cli.Usage, fmt.Errorf("%q is no folder", dir), "nothing was changed", "name a folder that is empty or does not exist")
	}
	return nil
}
