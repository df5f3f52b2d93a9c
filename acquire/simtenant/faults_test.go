package simtenant_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
)

func TestParseFaults(t *testing.T) {
	const all = "429@3,429@4:retry-after=2,503@7-9:retry-after=date+90,504@1+:retry-after=garbage,500@2:retry-after=none,410@5:retry-after=-1," +
		"401@6,403@6,cut@5:100,cut@5:0,expire@9,arrive@11:3,vanish@12:3,late@11:3,early@2+:10000,loop@13,loop@13:13,badjson@15,empty200@17,errorrow@18,repeat@19,disabled@20+,reset@21,hang@22,slow@8:250ms,429@1:retry-after=315360000"
	faults, err := simtenant.ParseFaults(all)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, f := range faults {
		texts = append(texts, f.String())
	}
	if got := strings.Join(texts, ","); got != all {
		t.Errorf("faults become %q", got)
	}
	if none, err := simtenant.ParseFaults(""); len(none) != 0 || err != nil {
		t.Errorf("no faults: %v, %v", none, err)
	}
	for _, bad := range []string{
		",", "429", "@3", "429@", "429@0", "429@-1", "429@03", "429@3-2", "429@3-", "429@3-4+", "429@3:", "429@x", "429@1000000001",
		"200@1", "399@1", "600@1", "teapot@1", "429@1:2", "429@1:retry-after=", "429@1:retry-after=2.5", "429@1:retry-after=date",
		"429@1:retry-after=date5", "429@1:retry-after=99999999999", "cut@1", "cut@1:-1", "cut@1:x", "arrive@1", "late@1", "early@1:0", "arrive@1:0", "arrive@1:10001",
		"loop@2:3", "loop@2:0", "reset@1:1", "slow@1", "slow@1:-1s", "slow@1:2h", "slow@1:fast", "badjson@1:x", "429@1, 429@2",
	} {
		if f, err := simtenant.ParseFaults(bad); err == nil || !strings.HasPrefix(err.Error(), "fault") {
			t.Errorf("ParseFaults(%q) is %v, %v", bad, f, err)
		}
	}
	if _, err := simtenant.ParseFaults(strings.Repeat("429@1,", 10_000) + "429@1"); err == nil {
		t.Error("10,001 faults are accepted")
	}
	if _, err := simtenant.New(simtenant.Options{Faults: make([]simtenant.Fault, 1)}); err == nil {
		t.Error("a fault that nobody parsed is accepted")
	}
}

func TestStatusFaults(t *testing.T) {
	for _, test := range []struct {
		fault      string
		status     int
		code       string
		retryAfter string
		lasts      bool // the third request is struck too
	}{
		{"429@2", 429, "ErrorTooManyRequests", "", false},
		{"429@2:retry-after=2", 429, "ErrorTooManyRequests", "2", false},
		{"429@2:retry-after=0", 429, "ErrorTooManyRequests", "0", false},
		{"429@1-3:retry-after=-1", 429, "ErrorTooManyRequests", "-1", true},
		{"503@2+:retry-after=date+90", 503, "ErrorServerBusy", "Mon, 11 Jun 2018 12:01:30 GMT", true},
		{"504@2:retry-after=date-60", 504, "ErrorServerBusy", "Mon, 11 Jun 2018 11:59:00 GMT", false},
		{"504@2:retry-after=garbage", 504, "ErrorServerBusy", `soon; or "later"`, false},
		{"503@2:retry-after=none", 503, "ErrorServerBusy", "", false},
		{"500@2:retry-after=315360000", 500, "ErrorServerBusy", "315360000", false},
		{"410@2", 410, "ErrorSyncStateNotFound", "", false},
		{"403@2", 403, "ErrorAccessDenied", "", false},
		{"418@2", 418, "ErrorInvalidRequest", "", false},
		{"disabled@2+", 403, "ErrorAccessDenied", "", true},
		{"disabled@2,429@2:retry-after=7", 403, "ErrorAccessDenied", "", false},
		{"429@2:retry-after=7,disabled@2", 429, "ErrorTooManyRequests", "7", false},
	} {
		b := start(t, test.fault, simtenant.Options{})
		if _, err := b.get(adele); err != nil {
			t.Fatal(err)
		}
		r := b.must(test.status, adele)
		if code := r.errorCode(t); code != test.code || r.Header.Get("Retry-After") != test.retryAfter {
			t.Errorf("%s: code %q, Retry-After %q; want %q, %q", test.fault, code, r.Header.Get("Retry-After"), test.code, test.retryAfter)
		}
		third, err := b.get(adele)
		if err != nil {
			t.Fatal(err)
		}
		if again := third.StatusCode == test.status; again != test.lasts {
			t.Errorf("%s: the third request is %d", test.fault, third.StatusCode)
		}
	}
	r := start(t, "401@1", simtenant.Options{}).must(401, adele)
	if len(r.body) != 0 || !strings.Contains(r.Header.Get("x-ms-diagnostics"), "expired") {
		t.Errorf("401@1: body %q, %q", r.body, r.Header)
	}
	if d := start(t, "disabled@1", simtenant.Options{}).must(403, adele); !strings.Contains(string(d.body), "disabled") {
		t.Errorf("disabled@1 does not say so: %s", d.body)
	}
}

func TestExpire(t *testing.T) {
	b := start(t, "expire@2", simtenant.Options{})
	old := b.Token()
	b.must(200, adele)
	for range 2 {
		r := b.must(401, adele)
		if len(r.body) != 0 || !strings.Contains(r.Header.Get("x-ms-diagnostics"), `reason="The token has expired."`) {
			t.Errorf("body %q, %q", r.body, r.Header)
		}
	}
	b.must(200, adele, "Authorization", basic(b.Basic()))
	if fresh := b.Renew(); fresh == old || fresh != b.Token() {
		t.Error("Renew gives no other token")
	}
	b.must(200, adele)
	b.must(401, adele, "Authorization", "Bearer "+old)

	two := start(t, "expire@1", simtenant.Options{})
	first := two.Token()
	second := two.Renew()
	two.must(401, adele, "Authorization", "Bearer "+first)
	two.must(200, adele, "Authorization", "Bearer "+second)
}

// The first n bytes arrive, for every n of a small response, in both framings.
func TestCutAtEveryByte(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: TestCutAtEveryByte (-short)")
	}
	const page = "/pages/set/1"
	for _, sized := range []bool{false, true} {
		o := simtenant.Options{ContentLength: sized, Pages: map[string][][]byte{"set": {[]byte(`{"value":[1,2,3]}`)}}}
		request := "GET " + page + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
		whole, err := start(t, "cut@1:1000000", o).raw(request)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(whole)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != `{"value":[1,2,3]}` || (resp.ContentLength == 17) != sized {
			t.Fatalf("cut beyond the end: %v, %q, length %d", err, body, resp.ContentLength)
		}
		var faults []string
		for n := range len(whole) {
			faults = append(faults, fmt.Sprintf("cut@%d:%d", n+1, n))
		}
		b := start(t, strings.Join(faults, ","), o)
		for n := range len(whole) {
			got, _ := b.raw(request)
			if len(got) != n {
				t.Fatalf("cut after %d bytes gives %d", n, len(got))
			}
			// the request's own id differs, all else is the same
			before, _, _ := bytes.Cut(whole, []byte("request-id: "))
			if k := min(n, len(before)); !bytes.Equal(got[:k], before[:k]) {
				t.Fatalf("cut after %d bytes gives other bytes: %q", n, got)
			}
		}
	}
}

func TestCutAndReset(t *testing.T) {
	for _, sized := range []bool{false, true} {
		b := start(t, "cut@2:2000,reset@3,cut@4:100", simtenant.Options{ContentLength: sized})
		b.must(200, adele)
		if r, err := b.get(adele); !errors.Is(err, io.ErrUnexpectedEOF) || r.StatusCode != 200 || len(r.body) == 0 {
			t.Errorf("cut in the body: %v, %d bytes", err, len(r.body))
		}
		_, err := b.get(adele)
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Errorf("reset: %v", err)
		}
		var log []int
		for _, r := range b.Requests() {
			log = append(log, r.Status)
		}
		if len(log) < 3 || !slices.Equal(log[:3], []int{200, 200, 0}) {
			t.Errorf("statuses %v, want 200, 200, 0", log)
		}
	}
	b := start(t, "reset@1", simtenant.Options{})
	if got, err := b.raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n"); len(got) != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset on the wire: %q, %v", got, err)
	}
}

func TestSlowAndHang(t *testing.T) {
	var waited []time.Duration
	b := start(t, "slow@1:250ms,429@1,slow@2:1h,hang@3", simtenant.Options{Wait: func(_ context.Context, d time.Duration) error {
		waited = append(waited, d)
		if d > time.Minute {
			return context.Canceled
		}
		return nil
	}})
	b.must(429, adele)
	if _, err := b.get(adele); !errors.Is(err, io.EOF) {
		t.Errorf("a wait that is broken off: %v", err)
	}
	if want := []time.Duration{250 * time.Millisecond, time.Hour}; !slices.Equal(waited, want) {
		t.Errorf("waited %v, want %v", waited, want)
	}
	c := start(t, "hang@1", simtenant.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", c.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		resp, err := c.client.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		ended <- err
	}()
	for len(c.Requests()) == 0 {
		select {
		case err := <-ended:
			t.Fatalf("hang answers: %v", err)
		default:
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("hang ends with %v", err)
	}
	d := start(t, "slow@1:1ms", simtenant.Options{})
	d.must(200, adele)
}

// Rows that arrive while a client pages newest first shift its window: that
// client takes some twice. Oldest first it loses none. This is also the control
// of differences.
func TestArrive(t *testing.T) {
	b := start(t, "arrive@2:3", simtenant.Options{})
	before := b.oracle(simtenant.Owner, nil)
	got := b.skipping(adele+"?$filter=", 1000)
	after := b.oracle(simtenant.Owner, nil)
	if len(after) != len(before)+3 || !slices.Equal(after[3:], before) {
		t.Fatalf("%d activities before, %d after", len(before), len(after))
	}
	if twice, missing, foreign := differences(got, after); twice != 3 || missing != 3 || foreign != 0 {
		t.Errorf("newest first: %d twice, %d missing, %d foreign; want 3, 3, 0", twice, missing, foreign)
	}
	b = start(t, "arrive@2:3", simtenant.Options{})
	got = b.skipping(adele+"?$orderby=TimeStamp+asc", 1000)
	want := b.oracle(simtenant.Owner, nil)
	if twice, missing, foreign := differences(got, want); len(want) != len(before)+3 || twice+missing+foreign != 0 {
		t.Errorf("oldest first: %d twice, %d missing, %d foreign", twice, missing, foreign)
	}
	again := start(t, "arrive@1:3", simtenant.Options{})
	again.must(200, adele)
	if !slices.Equal(again.oracle(simtenant.Owner, nil), after) {
		t.Error("what arrives differs from one tenant to the next")
	}
	q := start(t, "arrive@1:2,arrive@2:2", simtenant.Options{})
	if p := q.must(200, "/api/v2.0/Users('quiet@contoso.example')/Activities").page(t); len(p.Value) != 2 || p.Value[0].TimeStamp != "2018-06-11T08:00:02.000Z" {
		t.Errorf("in the empty mailbox: %+v", p)
	}
	q.must(404, "/nowhere")
	if n := len(q.Activities(simtenant.Quiet)); n != 2 {
		t.Errorf("a request that lists nothing lets %d arrive", n)
	}
}

func TestVanish(t *testing.T) {
	b := start(t, "vanish@2:4,vanish@5:10000", simtenant.Options{})
	before := b.oracle(simtenant.Owner, nil)
	got := b.skipping(adele+"?$filter=", 1000)
	if twice, missing, foreign := differences(got, before); twice != 0 || missing != 4 || foreign != 0 {
		t.Errorf("%d twice, %d missing, %d foreign; want 0, 4, 0", twice, missing, foreign)
	}
	if !slices.Equal(b.oracle(simtenant.Owner, nil), before[4:]) {
		t.Error("others than the newest vanished")
	}
	for len(b.Requests()) < 5 {
		b.must(200, adele)
	}
	if n := len(b.Activities(simtenant.Owner)); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// walk follows next links for n requests and gives the targets asked.
func (b *bench) walk(target string, n int) (targets []string) {
	b.t.Helper()
	for range n {
		p := b.must(200, target).page(b.t)
		if target = strings.TrimPrefix(p.Next, b.url); target == "" {
			break
		}
		targets = append(targets, target)
	}
	return targets
}

func TestLoop(t *testing.T) {
	link := func(skip int) string {
		return adele + "?%24top=100&%24skip=" + strconv.Itoa(skip)
	}
	for fault, want := range map[string][]string{
		"":         {link(100), link(200), link(300), link(400), link(500), link(600), link(700)},
		"loop@3":   {link(100), link(200), link(200), link(200), link(200), link(200), link(200)},
		"loop@3:2": {link(100), link(200), link(100), link(200), link(100), link(200), link(100)},
		"loop@3:3": {link(100), link(200), adele + "?%24top=100", link(100), link(200), adele + "?%24top=100", link(100)},
	} {
		b := start(t, fault, simtenant.Options{})
		if got := b.walk(adele+"?%24top=100", 7); !slices.Equal(got, want) {
			t.Errorf("%q leads through\n%q, want\n%q", fault, got, want)
		}
	}
}

func TestPageFaults(t *testing.T) {
	b := start(t, "repeat@2,empty200@4,badjson@6,errorrow@7,errorrow@8", simtenant.Options{})
	want := b.oracle(simtenant.Owner, nil)
	first := b.must(200, adele).page(t)
	second := b.must(200, first.Next).page(t)
	if !slices.Equal(second.ids(), want[:10]) || !strings.HasSuffix(second.Next, "skip=20") {
		t.Errorf("repeat: %d rows, next %s", len(second.Value), second.Next)
	}
	third := b.must(200, second.Next).page(t)
	if !slices.Equal(third.ids(), want[20:30]) {
		t.Error("after the repeat: other rows")
	}
	empty := b.must(200, third.Next).page(t)
	if len(empty.Value) != 0 || empty.Next == third.Next {
		t.Errorf("empty200: %d rows, next %s", len(empty.Value), empty.Next)
	}
	fifth := b.must(200, empty.Next).page(t)
	if !slices.Equal(fifth.ids(), want[30:40]) || strings.Contains(fifth.Next, "again") {
		t.Errorf("after the empty page: %d rows, next %s", len(fifth.Value), fifth.Next)
	}
	broken := b.must(200, adele)
	if json.Valid(broken.body) || len(broken.body) < 1000 {
		t.Errorf("badjson: valid is %v, %d bytes", json.Valid(broken.body), len(broken.body))
	}
	row := b.must(200, adele).page(t)
	if len(row.Value) != 11 || row.Value[5].Error == nil || row.Value[5].Id != "" ||
		!slices.Equal(slices.Delete(row.ids(), 5, 6), want[:10]) {
		t.Errorf("errorrow: %+v", row)
	}
	one := b.must(200, adele+"?$top=1").page(t)
	if len(one.Value) != 2 || one.Value[0].Error == nil {
		t.Errorf("errorrow on a page of one: %+v", one)
	}
}
