package verify

import (
	"fmt"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// completeness says of each window how it ended, and whether something later made up for it.
func (c *checker) completeness() {
	done := map[string]int64{} // acquisition → last window that is complete or empty
	for _, w := range c.rules.windows {
		if w.Outcome == evidence.Complete || w.Outcome == evidence.Empty {
			done[w.Acquisition] = w.Window.Window
		}
	}
	for _, w := range c.rules.windows {
		w.Superseded = done[w.Acquisition] > w.Window.Window
		if w.Outcome == evidence.Opened {
			w.Requests = w.exchanges
		}
		if w.Outcome == OutcomeWithheld {
			c.part.withheldWindows++
		}
		c.r.Windows = append(c.r.Windows, w.Window)
		if w.Superseded {
			continue
		}
		code := map[string]string{evidence.Opened: "window-open", evidence.Partial: "window-partial", evidence.Failed: "window-failed"}[w.Outcome]
		if code != "" {
			c.r.find(code, "", "window %d, %s: %s", w.Window.Window, w.Asked(), describe(w))
		}
	}
}

func describe(w *window) string {
	switch {
	case w.Text != "":
		return w.Text
	case w.Reason != "":
		return w.Reason
	}
	return fmt.Sprintf("%d requests so far", w.Requests)
}

// statements says which of the five statements hold (docs/design.md, section 6).
func (c *checker) statements() {
	damaged := c.r.has(Damage)
	inside := c.damagedInside()
	a := Statement{ID: "a", Text: "internally consistent", Holds: Yes, Why: "every byte is accounted for and every hash, tree and chain agrees"}
	switch {
	case inside:
		a.Holds, a.Why = No, "see the findings of class damage"
	case !c.sealed:
		a.Why = "entries and records agree with each other and with the heads; the case is not sealed, so the bytes of zstd frames, the times and grouping of batches and warcinfo records could be others"
	case c.r.codes["ledger-uncompared"] > 0:
		a.Why += "; that the index, ledger.db, says the same was not checked to its end"
	}
	b := Statement{ID: "b", Text: "sealed by the key that you pinned", Holds: NotChecked, Why: "signer not checked: give --key; a key found in the bundle proves nothing"}
	if !c.sealed {
		b.Text = "newest head signed by the key that you pinned"
	}
	if len(c.opts.Keys) > 0 {
		b.Holds, b.Why = c.whoSealed()
		if c.r.codes["key-unmet"] > 0 || inside {
			b.Holds, b.Why = No, "see the findings"
		}
	}
	e := Statement{ID: "e", Text: "complete with respect to the recorded windows", Holds: Yes, Why: c.allEnded()}
	switch {
	case damaged:
		e.Holds, e.Why = NotChecked, "the case is altered or damaged"
	case c.r.codes["unsigned-tail"] > 0:
		e.Holds, e.Why = NotChecked, "entries after the newest head are not signed"
	case len(c.r.Windows) == 0:
		e.Holds, e.Why = NotChecked, "nothing was acquired"
	case c.incompleteWindow():
		e.Holds, e.Why = No, "a window is open, partial or failed and nothing later is known to have completed it"
	}
	c.r.Statements = []Statement{a, b,
		c.timeStatement(inside),
		c.historyStatement(),
		e}
}

// damagedInside reports whether anything but another history is of class damage: that one leaves a case consistent, and signed and stamped by whoever signed and stamped it.
func (c *checker) damagedInside() bool {
	return c.r.classes[Damage] > c.r.codes["fork"]+c.r.codes["rolled-back"]
}

// whoSealed answers who of the pinned keys sealed the case, if each of them signed something: one that has cosigned has not sealed.
func (c *checker) whoSealed() (Holds, string) {
	switch {
	case len(c.cosigners) == 0:
		return Yes, "each pinned key signed"
	case len(c.sealers) == 0:
		return NotChecked, "signer not checked: " + c.cosigned() + ", so it had these entries; whose key signed the case itself is not known, because you pinned none that did"
	}
	return Yes, strings.Join(c.sealers, ", ") + " signed" + c.alsoCosigned()
}

// alsoCosigned names the pinned keys that have cosigned and no more.
func (c *checker) alsoCosigned() string {
	if len(c.cosigners) == 0 {
		return ""
	}
	return "; " + c.cosigned()
}

func (c *checker) cosigned() string {
	return strings.Join(c.cosigners, ", ") + " cosigned the newest head"
}

func (c *checker) incompleteWindow() bool {
	return c.r.codes["window-open"]+c.r.codes["window-partial"]+c.r.codes["window-failed"] > 0
}

// allEnded says how windows ended of which none is left open, partial or failed.
func (c *checker) allEnded() string {
	later := 0
	for i := range c.r.Windows {
		if c.r.Windows[i].Superseded && c.r.Windows[i].Outcome != evidence.Complete && c.r.Windows[i].Outcome != evidence.Empty {
			later++
		}
	}
	if later == 0 {
		return fmt.Sprintf("all of %d windows say that they ended complete or empty", len(c.r.Windows))
	}
	return fmt.Sprintf("%d of %d windows say that they ended complete or empty; the same as of the other %d was asked for by later ones that did", len(c.r.Windows)-later, len(c.r.Windows), later)
}

// caveats is what no verdict shows.
func caveats() []string {
	return []string{
		"that the server told the truth, or that it was the server it claimed to be: TLS leaves no proof that a third party can check",
		"that the operator recorded every exchange, did not acquire before and discard, and keeps no other case beside this one",
		"that the holder of the signing key did not make this history anew: against him a signature alone proves nothing. A head that was kept elsewhere (--known-head) or cosigned by witnesses (--witness) does",
		"that the tool and the clock of the host were honest: version, executable hash and times are self-reported",
		"that nothing was cut off after the newest head, unless you hold a later head from another channel; witnesses know one, and have to be asked",
	}
}
