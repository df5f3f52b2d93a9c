package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
)

func newUnpack(p *program) *cobra.Command {
	var out string
	var unlock cli.Unlock
	cmd := &cobra.Command{
		Use:   "unpack FILE",
		Short: "Make the folder of a packed case, encrypted or not",
		Long: `unpack makes a case folder of the file that "exhibit pack" wrote, to keep it there and to sign what happens to it with "exhibit custody". It takes no
other file, and checks nothing but its form: what the files hold is for "exhibit-verify check" to say. FILE may be - for standard input.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := p.untilFirst(cmd.Context())
			defer cancel()
			if err := newFolder(out); err != nil {
				return cli.Fail(cli.Usage, fmt.Errorf("--out: %w", err), "nothing was written", "name a folder that does not exist yet")
			}
			if err := unlock.Prepare(ctx, cmd); err != nil {
				return err
			}
			return runUnpack(ctx, cmd, args[0], out, &unlock)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "`FOLDER` to make, which must not exist")
	cmd.MarkFlagRequired("out")
	unlock.Flags(cmd)
	return cmd
}

// newFolder refuses a folder that is there, and one that cannot be made.
func newFolder(out string) error {
	if out == "" || out == "-" {
		return fmt.Errorf("%q is no name of a folder", out)
	}
	if _, err := os.Lstat(out); err == nil {
		return fmt.Errorf("%q exists", out)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(filepath.Clean(out))
	if info, err := os.Stat(above); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%q is no folder", above)
	}
	return nil
}

func runUnpack(ctx context.Context, cmd *cobra.Command, path, out string, unlock *cli.Unlock) error {
	files, err := cli.OpenCase(ctx, path, cmd.InOrStdin(), unlock)
	if err != nil {
		return unpackError(err, out)
	}
	defer files.Close()
	packed, ok := files.(interface{ Packed() *bag.Zip })
	if !ok {
		return cli.Fail(cli.Usage, fmt.Errorf("%s is a folder, and no packed case", cli.Named(path)), "nothing was written", "give the file that `exhibit pack` made")
	}
	if err := unpackInto(ctx, packed.Packed(), filepath.Clean(out)); err != nil {
		return unpackError(err, out)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "unpacked: %s\n", cli.EscapeLine(out))
	fmt.Fprintf(cmd.ErrOrStderr(), "next: %s\n", cli.EscapeLine(shell([]string{"exhibit-verify", "check", out})))
	return err
}

// unpackInto makes a folder that appears whole or not at all.
func unpackInto(ctx context.Context, z *bag.Zip, out string) error {
	above := filepath.Dir(out)
	temp, err := os.MkdirTemp(above, "."+filepath.Base(out)+".part-*") // mode 0700
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	root, err := os.OpenRoot(temp)
	if err != nil {
		return err
	}
	if err := errors.Join(bag.Unpack(ctx, z, root), root.Close()); err != nil {
		return err
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "rename", Path: out, Err: fs.ErrExist}
	}
	if err := os.Rename(temp, out); err != nil {
		return err
	}
	return syncNames(above)
}

// unpackError explains why no folder was made.
func unpackError(err error, out string) error {
	const meaning, again = "no folder was made", "ask whoever handed it over for another copy, and compare its SHA-256 with theirs"
	var own *cli.Error
	var form *bag.ZipError
	var cut *bag.AgeError
	switch {
	case errors.As(err, &own):
		return err
	case errors.Is(err, context.Canceled):
		return cli.Fail(cli.Interrupted, errors.New("interrupted: nothing is unpacked"), meaning, "run the same command again")
	case errors.As(err, &form), errors.As(err, &cut):
		return cli.Fail(cli.Damaged, err, "the file is not what packing a sealed case gives; "+meaning, again)
	}
	return diskError(err, filepath.Dir(out), meaning, "run the same command again")
}
