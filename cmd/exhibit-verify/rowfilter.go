package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify/views"
)

// rowFilter are the flags that choose rows of a view. Each may be given more than once to pflag, so that it is noticed where that means nothing.
type rowFilter struct {
	start, end, addresses, sessions []string
}

func (f *rowFilter) flags(set *pflag.FlagSet) {
	set.StringArrayVar(&f.start, "start", nil, "`TIME`: only from this instant on, such as 2018-05-21T00:00:00Z")
	set.StringArrayVar(&f.end, "end", nil, "`TIME`: only before this instant")
	set.StringArrayVar(&f.addresses, "address", nil, "`ADDRESS`: only what belongs, or may belong, to a logon from this client address (repeatable)")
	set.StringArrayVar(&f.sessions, "session", nil, "`ID`: only what belongs, or may belong, to this client session (repeatable)")
}

// read reads the values that were given.
func (f *rowFilter) read() (o views.Filter, err error) {
	if o.Start, err = bound("start", f.start); err != nil {
		return o, err
	}
	if o.End, err = bound("end", f.end); err != nil {
		return o, err
	}
	if len(f.start) > 0 && len(f.end) > 0 {
		if err := evidence.CheckBounds(o.Start, o.End); err != nil {
			return o, unusable("start", err)
		}
	}
	for _, v := range f.addresses {
		if strings.TrimSpace(v) == "" {
			return o, unusable("address", errors.New("is empty: name an address as the view of logons has it, or leave the flag out"))
		}
	}
	for _, v := range f.sessions {
		if v == "" {
			return o, unusable("session", errors.New("is empty: name a client session as the column Session has it, or leave the flag out"))
		}
	}
	o.Addresses, o.Sessions = f.addresses, f.sessions
	return o, nil
}

// bound is the time that a flag was given; zero if it was not.
func bound(flag string, values []string) (at time.Time, err error) {
	switch len(values) {
	case 0:
		return at, nil
	case 1:
		if at, err = evidence.ParseBound(values[0]); err == nil {
			return at, nil
		}
	default:
		err = errors.New("given more than once")
	}
	return at, unusable(flag, err)
}

func unusable(flag string, err error) error {
	return cli.Fail(cli.Usage, fmt.Errorf("--%s: %w", flag, err), "nothing was shown", "")
}

// given lists the flags that were given.
func (f *rowFilter) given() (flags []string) {
	for _, g := range []struct {
		flag   string
		values []string
	}{{"--start", f.start}, {"--end", f.end}, {"--address", f.addresses}, {"--session", f.sessions}} {
		if len(g.values) > 0 {
			flags = append(flags, g.flag)
		}
	}
	return flags
}

// tell says what the filter left out, and what it may have left out wrongly.
func (f *rowFilter) tell(w io.Writer, path, kind string, sum *views.Summary) {
	flags := strings.Join(f.given(), ", ")
	if flags == "" {
		return
	}
	line := func(format string, args ...any) { fmt.Fprintln(w, cli.EscapeLine(fmt.Sprintf(format, args...))) }
	for _, a := range f.addresses {
		if _, ok := views.ParseAddress(a); !ok {
			line("--address %q is no IP address: it was compared as a text", a)
		}
	}
	left, all := sum.Left, sum.Rows+sum.Left.Rows
	line("left out by %s: %d of %s", flags, left.Rows, cli.Count(all, "row", "rows"))
	if left.Untimed > 0 {
		line("%s left out because the time is missing or cannot be read", cli.Count(left.Untimed, "row was", "rows were"))
	}
	if left.Unsure > 0 {
		why := "no logon explains them, or not every candidate is listed"
		if len(f.sessions) > 0 && kind == "sessions" {
			why += ", or a candidate is of that session"
		}
		line("%s left out that may be of what was asked for all the same: %s. Without %s they are shown", cli.Count(left.Unsure, "row was", "rows were"), why, flags)
	}
	switch {
	case sum.Rows > 0:
	case all == 0:
		line("there was nothing to leave out: without %s the view has no rows either", flags)
	default:
		line("nothing matched %s. Without, the view has %s%s. That nothing matched does not show that nothing happened", flags, cli.Count(all, "row", "rows"), span(sum))
		line("  next: see with `exhibit-verify views %s --kind logons` from where and when the mailbox was entered, with --kind sessions in which sessions", path)
	}
}

// span says from when to when the events of a view are.
func span(sum *views.Summary) string {
	if sum.First.IsZero() {
		return ", none with a time that can be read"
	}
	return fmt.Sprintf(", of events from %s to %s", sum.First.Format(time.RFC3339Nano), sum.Last.Format(time.RFC3339Nano))
}
