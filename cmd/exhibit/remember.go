package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// remember takes the user from the case where none is given: the one that all of its windows name which name one. What cannot be read of the case is told when it is opened.
func (o *sourceOptions) remember(cmd *cobra.Command, d acquire.Description, p *acquire.Params) error {
	if !hasFlag(d, acquire.FlagUser) || len(p.Values[acquire.FlagUser]) > 0 {
		return nil
	}
	status, err := casefile.ReadStatus(cmd.Context(), o.caseDir)
	if err != nil {
		return nil
	}
	var users []string
	for _, w := range status.Windows {
		if w.User != "" && !slices.Contains(users, w.User) {
			users = append(users, w.User)
		}
	}
	switch len(users) {
	case 0:
		return nil // --user is required
	case 1:
		p.Values[acquire.FlagUser] = users
		fmt.Fprintln(cmd.ErrOrStderr(), cli.EscapeLine("user "+users[0]+", as in the windows of this case"))
		return nil
	}
	return cli.Fail(cli.Usage, fmt.Errorf("--user is required: the windows of this case name %d, %s", len(users), cli.Some(users)), "nothing was asked and nothing written", "name one with --user")
}

// recall takes the credential from where the last run on the case took it, if none is given and the same origin is asked: from the same file, which is read anew. A source that may go without one
// goes without.
func (o *sourceOptions) recall(cmd *cobra.Command, env casefile.Env, d acquire.Description, origin string) error {
	given := cmd.Flags().Changed
	if d.Anonymous || given("token-file") || given("token-stdin") || given("basic-user") || given("password-file") {
		return nil
	}
	w, ok := casefile.ReadWhence(cmd.Context(), env, o.caseDir)
	if !ok || w.Origin != origin {
		return nil
	}
	flags, file := map[string]string{"token-file": w.TokenFile}, w.TokenFile
	if w.TokenFile == "" {
		flags, file = map[string]string{"basic-user": w.BasicUser, "password-file": w.PasswordFile}, w.PasswordFile
	}
	for name, value := range flags {
		if err := cmd.Flags().Set(name, value); err != nil {
			return err
		}
	}
	fmt.Fprintln(cmd.ErrOrStderr(), cli.EscapeLine("credential from "+file+", as in the last run on this case"))
	return nil
}

// keep is where the credential comes from, for the next run; nil if that is no file, or the source may go without.
func (o *sourceOptions) keep(d acquire.Description, origin string) (w *casefile.Whence, err error) {
	w = &casefile.Whence{Origin: origin, BasicUser: o.basicUser}
	switch {
	case d.Anonymous:
		return nil, nil
	case o.tokenFile != "":
		w.TokenFile, err = filepath.Abs(o.tokenFile)
	case o.passwordFile != "":
		w.PasswordFile, err = filepath.Abs(o.passwordFile)
	default:
		return nil, nil
	}
	return w, err
}
