package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

func newPack(p *program) *cobra.Command {
	var out string
	var encrypt encryptOptions
	cmd := &cobra.Command{
		Use:   "pack DIR",
		Short: "Write a sealed case or a production as one file to hand over",
		Long: `pack writes a sealed case, or a production, as one file: a zip without compression, which any program unpacks and exhibit-verify reads as it is. The same case gives
the same bytes. Nothing in the case is changed, and work/ is left out. pack holds the names of the files against the manifest, and package.note against
the keys of the case, or that of the producer; what the files hold is for "exhibit-verify check FILE" to say.

With --to or a passphrase the file is encrypted, in the format of age, and is another one each time. exhibit-verify reads it with --identity or
--passphrase-file, and "exhibit unpack" makes the folder of it. What custody/ holds is packed too: sign the release first, with "exhibit custody transfer".`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := p.untilFirst(cmd.Context())
			defer cancel()
			return runPack(ctx, cmd, args[0], packOptions{out, &encrypt})
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write, which must not exist")
	cmd.MarkFlagRequired("out")
	encrypt.flags(cmd)
	return cmd
}

// packOptions say where a case is packed to, and for whom.
type packOptions struct {
	out     string
	encrypt *encryptOptions
}

func runPack(ctx context.Context, cmd *cobra.Command, dir string, o packOptions) error {
	out := o.out
	if err := checkOut(dir, out); err != nil {
		return cli.Fail(cli.Usage, fmt.Errorf("--out: %w", err), "nothing was written", "name a file that does not exist yet, outside the case")
	}
	to, err := o.encrypt.recipients(ctx, cmd)
	if err != nil {
		return err
	}
	b, err := readBundle(ctx, dir)
	if err != nil {
		return packError(err, dir)
	}
	files, err := bag.OpenFolder(dir)
	if err != nil {
		return packError(err, dir)
	}
	defer files.Close()
	talk := cmd.ErrOrStderr()
	if to == nil {
		if err := warnSecrets(ctx, talk, files); err != nil {
			return packError(err, dir)
		}
	}
	hash, inside := sha256.New(), sha256.New()
	size, err := writeWhole(out, func(w io.Writer) error {
		return packTo(io.MultiWriter(w, hash), to, func(w io.Writer) error { return bag.Pack(ctx, io.MultiWriter(w, inside), files, b.keys) })
	})
	if err != nil {
		return packError(err, dir)
	}
	check := []string{"exhibit-verify", "check", out}
	switch {
	case to == nil:
		fmt.Fprintln(talk, "not encrypted: whoever has the file can read all that the servers answered")
	case cmd.Flags().Changed("to"):
		fmt.Fprintf(talk, "encrypted to %s; the file in it has SHA-256 %x\n", cli.Count(int64(to.Len()), "recipient", "recipients"), inside.Sum(nil))
		check = append(check, "--identity", "FILE")
	default:
		fmt.Fprintf(talk, "encrypted with a passphrase; the file in it has SHA-256 %x\n", inside.Sum(nil))
		check = append(check, "--passphrase-file", "FILE")
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "packed: %s, %d bytes, SHA-256 %x\n", cli.EscapeLine(out), size, hash.Sum(nil))
	fmt.Fprintf(talk, "next: %s\n", cli.EscapeLine(shell(check)))
	return err
}

// packTo lets pack write to w, encrypted if there are recipients.
func packTo(w io.Writer, to *bag.Recipients, pack func(io.Writer) error) error {
	if to == nil {
		return pack(w)
	}
	sealed, err := bag.Encrypt(w, to)
	if err != nil {
		return err
	}
	if err := pack(sealed); err != nil {
		return err // without an end: nobody takes it for a whole file
	}
	return sealed.Close()
}

// checkOut refuses a file that is there, and one in the case itself.
func checkOut(dir, out string) error {
	if out == "" || out == "-" {
		return fmt.Errorf("%q is no file name", out)
	}
	if _, err := os.Lstat(out); err == nil {
		return fmt.Errorf("file %q exists", out)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	folder, err := filepath.Abs(filepath.Dir(out))
	if err != nil {
		return err
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return err
	}
	inside, err := os.Stat(dir)
	if err != nil {
		return nil // which is told as what it is
	}
	for {
		info, err := os.Stat(folder)
		if err != nil {
			return err
		}
		if os.SameFile(info, inside) {
			return fmt.Errorf("file %q would lie in the case", out)
		}
		up := filepath.Dir(folder)
		if up == folder {
			return nil
		}
		folder = up
	}
}

// writeWhole writes a file that must not exist: whole and durable under its name, or not at all.
func writeWhole(name string, write func(io.Writer) error) (size int64, err error) {
	dir := filepath.Dir(name)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(name)+".part-*") // mode 0600
	if err != nil {
		return 0, err
	}
	defer os.Remove(temp.Name())
	err = write(temp)
	if err == nil {
		err = temp.Sync()
	}
	if err == nil {
		var info fs.FileInfo
		if info, err = temp.Stat(); err == nil {
			size = info.Size()
		}
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return 0, err
	}
	if err := giveName(temp.Name(), name); err != nil {
		return 0, err
	}
	return size, syncNames(dir)
}

// giveName renames a file and replaces none. A link is refused where the name is taken; file systems without links have the moment between two calls.
func giveName(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist}
	}
	return os.Rename(from, to)
}

// syncNames makes the names in a folder durable, where the system can.
func syncNames(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// packError explains why a case was not packed.
func packError(err error, dir string) error {
	noun := bundleNoun(dir)
	meaning := "nothing was packed, and the " + noun + " is as it was"
	check := "run `" + shell([]string{"exhibit-verify", "check", dir}) + "`"
	var problem bag.Problem
	switch {
	case errors.Is(err, context.Canceled):
		return cli.Fail(cli.Interrupted, errors.New("interrupted: the "+noun+" is not packed"), meaning, "run the same command again")
	case errors.Is(err, bag.ErrUnsealed):
		return unsealed(err, dir, meaning)
	case errors.Is(err, bag.ErrName):
		return cli.Fail(cli.Usage, err, meaning, "hand over the folder; or, if the file lies in custody/ or stamps/, which no manifest covers, give it a name that every system can have")
	case errors.As(err, &problem) && problem.Kind != bag.Unreadable:
		return cli.Fail(cli.Damaged, err, "the "+noun+" is not what was sealed; nothing was packed", check)
	}
	var own *cli.Error
	if explained := diskError(err, dir, meaning, "run the same command again"); errors.As(explained, &own) {
		return explained
	}
	return bundleError(err, dir)
}
