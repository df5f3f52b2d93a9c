package acquire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestUndisturbed acquires mailboxes in pages of several sizes and compares the ids with those that the tenant holds.
func TestUndisturbed(t *testing.T) {
	for _, c := range []struct {
		name, user, size string
		gzip             bool
	}{
		{"large pages", simtenant.Owner, "1000", false},
		{"small pages", simtenant.Owner, "97", false},
		{"me, gzip", "me", "500", true},
		{"apostrophe", simtenant.Apostrophe, "10", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, "", simtenant.Options{Seed: 3})
			res, err := b.acquire(func(o *acquire.Options) { o.Gzip = c.gzip }, "user", c.user, "page-size", c.size)
			if err != nil {
				t.Fatal(err)
			}
			closed(t, b.files(), res, evidence.Complete, "")
			upn := c.user
			if upn == "me" {
				upn = simtenant.Owner
			}
			want := b.oracle(upn)
			if res.Records != int64(len(want)) || len(want) == 0 {
				t.Errorf("%d records counted, the tenant holds %d", res.Records, len(want))
			}
			if !c.gzip { // net/http does not decode what it did not ask for
				b.sameIDs(want)
			}
		})
	}
}

// TestRefusals: five reasons for having nothing are five answers.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name, faults, user string
		state, reason      string
		auth               bool
		text               string
	}{
		{"no data", "", simtenant.Quiet, evidence.Empty, acquire.ReasonNoData, false, ""},
		{"no permission", "", simtenant.Locked, evidence.Failed, acquire.ReasonNoPermission, true, "ErrorAccessDenied"},
		{"api disabled", "disabled@1+", simtenant.Owner, evidence.Failed, acquire.ReasonAPIDisabled, false, "disabled"},
		{"throttled", "429@1+", simtenant.Owner, evidence.Failed, acquire.ReasonThrottled, false, "8 attempts"},
		{"throttled with dates", "429@1+:retry-after=date+5", simtenant.Owner, evidence.Failed, acquire.ReasonThrottled, false, ""},
		{"token expired", "expire@1+", simtenant.Owner, evidence.Failed, acquire.ReasonUnauthorized, true, "x-ms-diagnostics: 2000003;reason=\"The token has expired.\""},
		{"no such user", "", "nobody@contoso.example", evidence.Failed, acquire.ReasonNotFound, false, "ErrorInvalidUser"},
		{"bad request", "400@1", simtenant.Owner, evidence.Failed, acquire.ReasonBadRequest, false, "ErrorInvalidRequest"},
		{"gone", "410@1", simtenant.Owner, evidence.Failed, acquire.ReasonGone, false, ""},
		{"server error", "500@1+", simtenant.Owner, evidence.Failed, acquire.ReasonServerError, false, ""},
		{"reset", "reset@1+", simtenant.Owner, evidence.Failed, acquire.ReasonBrokenAnswer, false, ""},
		{"broken JSON", "badjson@1+", simtenant.Owner, evidence.Failed, acquire.ReasonBrokenPage, false, "3 times"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.faults, simtenant.Options{Seed: 3})
			res, err := b.acquire(nil, "user", c.user)
			if errors.Is(err, acquire.ErrAuth) != c.auth || err != nil && !c.auth {
				t.Errorf("error %v; want one of authentication: %v", err, c.auth)
			}
			closed(t, b.files(), res, c.state, c.reason)
			if !strings.Contains(res.Text, c.text) {
				t.Errorf("text %q does not hold %q", res.Text, c.text)
			}
			if got := int64(len(b.Requests())); res.Requests != got {
				t.Errorf("%d requests recorded, %d reached the tenant", res.Requests, got)
			}
		})
	}
}

// TestEachFault strikes page 3 of 7 once with each kind of fault.
func TestEachFault(t *testing.T) {
	for _, c := range []struct {
		faults        string
		state, reason string
		asked         int // more than undisturbed
	}{
		{"429@3", evidence.Complete, "", 1},
		{"429@3-5:retry-after=2", evidence.Complete, "", 3},
		{"503@3:retry-after=0", evidence.Complete, "", 1},
		{"503@3:retry-after=-7", evidence.Complete, "", 1},
		{"504@3:retry-after=315360000", evidence.Complete, "", 1},
		{"429@3:retry-after=garbage", evidence.Complete, "", 1},
		{"429@3:retry-after=date-60", evidence.Complete, "", 1},
		{"500@3", evidence.Complete, "", 1},
		{"cut@3:0", evidence.Complete, "", 1},
		{"cut@3:100", evidence.Complete, "", 1},
		{"cut@3:5000", evidence.Complete, "", 1},
		{"reset@3", evidence.Complete, "", 1},
		{"slow@3:250ms", evidence.Complete, "", 0},
		{"badjson@3", evidence.Complete, "", 1},
		{"badjson@3-4", evidence.Complete, "", 2},
		{"badjson@3-5", evidence.Partial, acquire.ReasonBrokenPage, 0},
		{"errorrow@3", evidence.Complete, "", 1},
		{"errorrow@3-5", evidence.Partial, acquire.ReasonErrorRow, 2},
		{"repeat@3", evidence.Complete, "", 1},
		{"repeat@3-5", evidence.Partial, acquire.ReasonRepeatedPage, 2},
		{"empty200@3", evidence.Complete, "", 1},
		{"loop@3:1", evidence.Partial, acquire.ReasonLinkLoop, 0},
		{"loop@3:2", evidence.Partial, acquire.ReasonLinkLoop, 0},
		{"loop@3:3", evidence.Partial, acquire.ReasonLinkLoop, 0},
		{"400@3", evidence.Partial, acquire.ReasonBadRequest, 0},
		{"403@3", evidence.Partial, acquire.ReasonNoPermission, 0},
		{"410@3", evidence.Partial, acquire.ReasonGone, 0},
		{"disabled@3", evidence.Partial, acquire.ReasonAPIDisabled, 0},
		{"arrive@3:5", evidence.Complete, "", 0},
	} {
		t.Run(c.faults, func(t *testing.T) {
			b := newBench(t, c.faults, simtenant.Options{Seed: 3})
			res, err := b.acquire(nil, "page-size", "500")
			if err != nil && !errors.Is(err, acquire.ErrAuth) {
				t.Fatal(err)
			}
			closed(t, b.files(), res, c.state, c.reason)
			want := b.oracle(simtenant.Owner)
			if c.state == evidence.Complete {
				b.sameIDs(want)
				if got, plain := len(b.Requests()), (len(want)+499)/500; got != plain+c.asked {
					t.Errorf("%d requests, want %d", got, plain+c.asked)
				}
			} else if len(b.ids()) >= len(want) && c.reason != acquire.ReasonErrorRow && c.reason != acquire.ReasonRepeatedPage {
				t.Errorf("the window is partial and %d of %d ids are there", len(b.ids()), len(want))
			}
		})
	}
}

// TestCoveredIsTold: each page, oldest first, tells that more of the window lies behind; newest first nothing is told.
func TestCoveredIsTold(t *testing.T) {
	for order, want := range map[string]bool{"TimeStamp asc": true, "TimeStamp desc": false} {
		b, last, pages := newBench(t, "", simtenant.Options{Seed: 3}), 0.0, 0
		_, err := b.acquire(func(o *acquire.Options) {
			o.Progress = func(e acquire.Event) {
				if e.Kind != acquire.EventPage {
					return
				}
				if pages++; want && (e.Covered <= last || e.Covered >= 1) || !want && e.Covered != 0 {
					t.Errorf("%s: page %d tells %v, the one before told %v", order, pages, e.Covered, last)
				}
				last = e.Covered
			}
		}, "page-size", "500", "order", order)
		if err != nil || pages < 3 {
			t.Errorf("%s: %d pages, %v", order, pages, err)
		}
	}
}

// TestTokenRenewed replaces the token file when the token has expired; the run goes on.
func TestTokenRenewed(t *testing.T) {
	b := newBench(t, "expire@3", simtenant.Options{Seed: 3})
	token := b.Token()
	res, err := b.acquire(func(o *acquire.Options) {
		o.Progress = func(e acquire.Event) {
			if e.Kind == acquire.EventPage && e.Result.Pages == 2 {
				b.writeToken(b.Renew())
			}
		}
	}, "page-size", "500")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	b.sameIDs(b.oracle(simtenant.Owner))
	for name, content := range b.everything() {
		for _, secret := range []string{token, b.Token()} {
			if strings.Contains(content, secret) || strings.Contains(content, strings.SplitN(secret, ".", 3)[2]) {
				t.Errorf("a token stands in %s", name)
			}
		}
	}
	entries, _ := read(t, b.files())
	for _, e := range entries {
		x, ok := e.Body.(*evidence.Exchange)
		if !ok {
			continue
		}
		if len(x.Claims) == 0 || x.Claims[0] != (evidence.Pair{Name: "aud", Value: "https://outlook.office.com"}) || len(x.Redactions) != 1 {
			t.Errorf("exchange %d has claims %v and redactions %v", e.Head.Seq, x.Claims, x.Redactions)
		}
	}
}

// TestMax stops once enough records are there, and says so.
func TestMax(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Seed: 3})
	res, err := b.acquire(nil, "page-size", "100", "max", "250")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Partial, acquire.ReasonMaxReached)
	if res.Records != 300 || res.Pages != 3 {
		t.Errorf("%d records on %d pages, want 300 on 3", res.Records, res.Pages)
	}
}

// TestFinishedAsksNothing runs the same command again, and once more with Again.
func TestFinishedAsksNothing(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Seed: 3})
	b.env.Command = nil
	run := func(again bool) *acquire.Result {
		t.Helper()
		res, err := b.acquire(func(o *acquire.Options) {
			o.Again = again
			delete(o.Params.Values, "end") // fixed by the first run
		})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	first := run(false)
	asked := len(b.Requests())
	b.clock.wait(t.Context(), 1e13)
	second := run(false)
	if !second.Finished || second.Window != first.Window || second.To != first.To || len(b.Requests()) != asked || second.Records != first.Records {
		t.Errorf("the second run gave %+v after %+v and asked %d", second, first, len(b.Requests())-asked)
	}
	third := run(true)
	if third.Finished || third.Window != first.Window+1 || third.To == first.To || len(b.Requests()) == asked {
		t.Errorf("the run with Again gave %+v", third)
	}
}
