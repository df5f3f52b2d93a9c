package main

import (
	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify"
)

// committed is the interval in which an entry was committed.
type committed = verify.Committed

// committed is what tokens of pinned authorities prove of an entry; nil if none is pinned, or the case is damaged.
func (c *checked) committed(e *evidence.Entry) *committed {
	if len(c.authorities) == 0 || c.salvaged != nil {
		return nil
	}
	between := c.container.Committed(e.Head.Seq)
	return &between
}

// showCommitted shows it to a person. A case without timestamps of which none is asked for has no such lines.
func showCommitted(line func(string, ...any), c *checked, e *evidence.Entry) {
	between := c.committed(e)
	if between == nil {
		if len(c.report.Tokens) > 0 {
			line("committed    not checked: give --tsa-ca to have it told by the timestamps that are there")
		}
		return
	}
	if t := between.After; t != nil {
		line("committed    after  %s, by %s (%s, stated by entry %d); what it tells of may be older", t.Time, cli.EscapeLine(t.Authority), t.Path, t.Seq)
	} else {
		line("committed    after  nothing that a pinned authority vouches for")
	}
	if t := between.Before; t != nil {
		line("             before %s, by %s (%s)", t.Time, cli.EscapeLine(t.Authority), cli.EscapeLine(t.Path))
	} else {
		line("             before nothing that a pinned authority vouches for")
	}
}
