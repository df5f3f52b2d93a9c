package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/signer"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// This file holds what the program says to people about errors: exit code, meaning for the evidence, next step.

// caseError explains why a case could not be opened, read or written. A production is none.
func caseError(err error, dir string) error {
	var own *cli.Error
	if err != nil && !errors.As(err, &own) && isProduction(dir) {
		return cli.Fail(cli.Usage, fmt.Errorf("%s is a production and no case", dir), "it was made of a case, and nothing was changed in it; it is handed over and read as it is",
			"run `"+shell([]string{"exhibit-verify", "check", dir})+"`")
	}
	return bundleError(err, dir)
}

// bundleError explains why a case or a production could not be opened, read or written.
func bundleError(err error, dir string) error {
	var own *cli.Error
	var locked *casefile.LockedError
	var host *casefile.HostError
	var field *casefile.FieldError
	var damage *evidence.DamageError
	var fault *evidence.Fault
	var space *acquire.SpaceError
	var key *evidence.KeyError
	check := "run `" + shell([]string{"exhibit-verify", "check", dir}) + "`"
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case errors.As(err, &locked):
		return cli.Fail(cli.InUse, err, "nothing was changed: one process at a time writes to a case", "wait for that process, or interrupt it: it finishes what it has begun")
	case errors.As(err, &host):
		return cli.Fail(cli.InUse, err, "nothing was changed: two hosts that go on separately would make two histories of one case",
			"if nobody works on it there any more, give --take-over; the ledger will say so")
	case errors.As(err, &field):
		return cli.Fail(cli.Usage, fmt.Errorf("--%s %s", field.Name, field.Text), "no case was made", "")
	case errors.Is(err, casefile.ErrNoFolder):
		return cli.Fail(cli.Usage, err, "", "give the folder of a case, or make one with `exhibit case new`")
	case errors.Is(err, evidence.ErrSealed) && !hasPackageNote(dir):
		return cli.Fail(cli.Usage, errors.New("a seal of this case was begun and is not finished"), "nothing can be added to it any more",
			"to finish the seal, run `"+shell([]string{"exhibit", "seal", dir})+"`; for what is to be added, make another case with `exhibit case new --continues`")
	case errors.Is(err, evidence.ErrSealed):
		return cli.Fail(cli.Usage, err, "nothing can be added to a sealed case", "make another case with `exhibit case new`; to check this one, "+check)
	case errors.Is(err, evidence.ErrNoCase):
		return cli.Fail(cli.Damaged, err, "either `case new` was interrupted before it had written anything, or what it wrote is damaged or gone", check)
	case errors.As(err, &damage) && diskHint(damage.Err, dir) != "": // it could not be read, which says nothing of what it holds
		return diskError(err, dir, diskMeaning, diskAgain)
	case errors.As(err, &damage), errors.As(err, &fault):
		return cli.Fail(cli.Damaged, err, "the case is not what its signed heads commit to; nothing was changed",
			check+" to see all of it, keep the folder as it is, and go on in a new case")
	case errors.As(err, &space):
		return cli.Fail(cli.Unexpected, err, "the seal was not begun", "free space and run the same command again")
	case errors.As(err, &key) && key.Waiting:
		return cli.Fail(cli.Usage, err, "nothing was changed", "run any command that writes to the case, such as `exhibit note`, with a key that could sign before: it signs a head over that entry")
	case errors.As(err, &key):
		return cli.Fail(cli.Usage, err, "nothing was changed: a head by a key that the case does not allow would make it one that does not verify",
			"where a key that may sign is, run `"+shell([]string{"exhibit", "key", "allow", dir, key.Key})+"`; or name that key with --key-file, --agent-key or --signer-command")
	case errors.Is(err, trust.ErrPassphrase):
		return cli.Fail(cli.Usage, err, "nothing was signed", "give the passphrase on a terminal or by --passphrase-file; `ssh-keygen -y -f FILE` tells whether one fits")
	case notSignedBy(err):
		return cli.Fail(cli.Unexpected, err, "what was recorded is kept; without this signature no head covers what came after the last one", signerHint+", then run the same command again")
	case errors.Is(err, casefile.ErrInstallation):
		return cli.Fail(cli.Damaged, err, "no case was made, and nothing was added to the log of the cases that were opened here",
			"find out what happened to $XDG_CONFIG_HOME/exhibit/installation; if it cannot be put back, keep it elsewhere: the next case begins a new log, and says so")
	case errors.Is(err, trust.ErrKeyExposed), errors.Is(err, trust.ErrKeyFile):
		return cli.Fail(cli.Usage, err, "nothing was signed", "make the key file readable for you alone (mode 0600 in a folder of mode 0700), or move it away and run `exhibit key new`")
	}
	if explained := diskError(err, dir, diskMeaning, diskAgain); errors.As(explained, &own) {
		return explained
	}
	if errors.Is(err, fs.ErrPermission) {
		return cli.Fail(cli.Unexpected, err, "nothing was changed", "make the folder writable for this account")
	}
	return err
}

// signerHint is what to do about a signer that did not sign.
const signerHint = "see that the agent or the command signs with that key (`ssh-add -L` lists those of the agent)"

// notSignedBy reports whether an agent or a command did not sign as it should.
func notSignedBy(err error) bool {
	return errors.Is(err, signer.ErrSigner) || errors.Is(err, trust.ErrForeignSignature)
}

// isProduction tells a production from a case.
func isProduction(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(evidence.ProductionPath)))
	return err == nil
}

// hasPackageNote tells a sealed case from one whose seal was interrupted.
func hasPackageNote(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(evidence.PackageNotePath)))
	return err == nil
}

// resultError explains a run that did not end well. A window that is complete or empty is no error.
func resultError(p *program, res *acquire.Result, err error, dir string) error {
	var usage *acquire.UsageError
	again := "run `" + p.again() + "`"
	switch {
	case errors.As(err, &usage):
		return usageError(usage)
	case errors.Is(err, acquire.ErrInterrupted):
		return cli.Fail(cli.Interrupted, fmt.Errorf("interrupted: window %d stays open", res.Window), "every exchange so far is recorded and durable; nothing has to be asked twice",
			"to go on, "+again)
	case errors.Is(err, context.Canceled):
		return cli.Fail(cli.Interrupted, errors.New("interrupted: the run had not begun"), "nothing was asked", "to go on, "+again)
	case errors.Is(err, acquire.ErrAuth):
		return cli.Fail(cli.Auth, windowError(res), windowMeaning(res), reasonHint(res.Reason)+", then "+again)
	case err != nil:
		return caseError(err, dir)
	case res.State == evidence.Partial || res.State == evidence.Failed:
		how := ", which goes on where this stopped"
		if acquire.AskedAnew(res.State, res.Reason) {
			how = ", which asks for all of it once more"
		}
		return cli.Fail(cli.Incomplete, windowError(res), windowMeaning(res), reasonHint(res.Reason)+", then "+again+how)
	}
	return nil
}

func windowError(res *acquire.Result) error {
	return fmt.Errorf("window %d is %s: %s: %s", res.Window, res.State, res.Reason, res.Text)
}

func windowMeaning(res *acquire.Result) string {
	if res.State == evidence.Failed {
		return "no page was taken; every attempt is recorded. This says nothing about whether there is data"
	}
	return "what was taken is kept; something is known to be missing"
}

// usageError explains a flag whose value a source cannot use.
func usageError(e *acquire.UsageError) error {
	err := errors.New(e.Text)
	if e.Flag != "" {
		err = fmt.Errorf("--%s: %s", e.Flag, e.Text)
	}
	return cli.Fail(cli.Usage, err, "nothing was asked and nothing written", "")
}

// reasonHint says what to do about a reason that a window ended for.
func reasonHint(reason string) string {
	switch reason {
	case acquire.ReasonUnauthorized:
		return "get a token that is valid for this service and put it into the token file"
	case acquire.ReasonNoPermission:
		return "have the right to this mailbox granted (`exhibit sources` lists what is needed)"
	case acquire.ReasonNoLicence:
		return "have the licence assigned that the service asks for"
	case acquire.ReasonAPIDisabled:
		return "ask the provider: the service says that it does not offer this API any more"
	case acquire.ReasonThrottled:
		return "wait until the service has quietened down, or raise --patience"
	case acquire.ReasonNetwork, acquire.ReasonBrokenAnswer, acquire.ReasonServerError:
		return "make sure that the service can be reached"
	case acquire.ReasonTLS:
		return "find out who answers there; if the service has a certificate authority of its own, name it with --ca-file"
	case acquire.ReasonNotFound, acquire.ReasonBadRequest:
		return "look at the answer (`exhibit log`, `exhibit-verify show`) and at the flags"
	case acquire.ReasonByteBudget:
		return "make sure that there is room for more, or raise --max-bytes"
	case acquire.ReasonTimeBudget:
		return "give it more time by --max-time, or another run"
	case acquire.ReasonPageBudget:
		return "look whether the pages make sense (`exhibit-verify show`)"
	case acquire.ReasonMovedRows:
		return "wait until fewer rows arrive, or give an earlier --end"
	case acquire.ReasonRepeatedPage:
		return "look at the pages (`exhibit-verify show`): the service repeats itself, or as many rows as a page has arrived behind the run"
	case acquire.ReasonMaxReached:
		return "raise or drop --max to take the rest"
	}
	return "look at the answers (`exhibit log`, `exhibit-verify show`)"
}
