package sources_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/auth"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/acquire/sources"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a service that a source can ask, and what it holds.
type fixture struct {
	values  func(origin string) map[string][]string // flags, base-url included
	options simtenant.Options
	records int64
	pages   int64  // at least
	page    string // the body of a page that the source takes: two records and a link, unless it is single
	single  bool   // a page is one record and links nowhere
}

// fixtures has one for each source: the suite fails for a source without.
func fixtures() map[string]fixture {
	pages := map[string][][]byte{}
	for i := range 5 {
		pages["a"] = append(pages["a"], fmt.Appendf(nil, `{"value":[{"Id":"%d"},{"Id":"x%d"}]}`, i, i))
	}
	pages["b"] = [][]byte{[]byte(`{"a":1}`)}
	return map[string]fixture{
		"outlook-activities": {
			values: func(origin string) map[string][]string {
				return map[string][]string{"base-url": {origin}, "user": {simtenant.Owner}, "start": {"2018-06-01T00:00:00Z"}, "end": {"2018-06-03T00:00:00Z"}, "page-size": {"40"}}
			},
			records: june(), pages: 4,
			page: `{"value":[{"Id":"a"},{"Id":"b"}],"@odata.nextLink":"/api/v2.0/me/Activities?%24skip=2"}`,
		},
		"outlook-messages": {
			values: func(origin string) map[string][]string {
				return map[string][]string{"base-url": {origin}, "user": {simtenant.Owner}, "item": items()}
			},
			records: 5, pages: 5,
			page: `{"Id":"a","Subject":"b"}`, single: true,
		},
		"http": {
			values: func(origin string) map[string][]string {
				return map[string][]string{"url": {origin + "/pages/a/1", origin + "/pages/b/1?link=header"}}
			},
			options: simtenant.Options{Pages: pages},
			records: 5*2 + 1, pages: 6,
			page: `{"value":[{"Id":"a"},{"Id":"b"}],"@odata.nextLink":"/pages/a/2"}`,
		},
	}
}

// items are five messages of the owner, what is no message, and what is not there.
func items() (ids []string) {
	t, err := simtenant.New(simtenant.Options{})
	if err != nil {
		panic(err)
	}
	messages, others := t.Items(simtenant.Owner)
	return slices.Concat(messages[:2], others[:1], []string{"AAMknothing="}, messages[2:5])
}

// june counts the owner's activities of two days.
func june() (n int64) {
	t, err := simtenant.New(simtenant.Options{})
	if err != nil {
		panic(err)
	}
	start, end := time.Date(2018, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2018, 6, 3, 0, 0, 0, 0, time.UTC)
	for _, a := range t.Activities(simtenant.Owner) {
		if !a.Time.Before(start) && a.Time.Before(end) {
			n++
		}
	}
	return n
}

// TestConformance runs over the list of sources.
func TestConformance(t *testing.T) {
	all := fixtures()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "sources.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, s := range sources.All() {
		d := s.Describe()
		t.Run(d.Name, func(t *testing.T) {
			f, ok := all[d.Name]
			if !ok {
				t.Fatal("the source has no fixture")
			}
			if names[d.Name] || sources.ByName(d.Name) == nil {
				t.Errorf("the name is taken, or not found")
			}
			names[d.Name] = true
			t.Run("description", func(t *testing.T) { description(t, d, string(doc)) })
			t.Run("plan", func(t *testing.T) { plans(t, s, f) })
			t.Run("steps", func(t *testing.T) { steps(t, s, f) })
			t.Run("acquisition", func(t *testing.T) { acquisition(t, s, f) })
		})
	}
	if len(names) == 0 || len(all) != len(names) {
		t.Errorf("%d sources, %d fixtures", len(names), len(all))
	}
	if sources.ByName("none") != nil {
		t.Error("a source by a name that none has")
	}
}

// description checks what a person reads, here and in docs/sources.md.
func description(t *testing.T, d acquire.Description, doc string) {
	if !evidence.IsWord(d.Name) || d.Title == "" || d.Asks == "" || len(d.Permissions) == 0 || len(d.Limits) == 0 {
		t.Errorf("incomplete: %+v", d)
	}
	_, section, ok := strings.Cut(doc, "\n## `"+d.Name+"`\n")
	if !ok {
		t.Fatal("no section in docs/sources.md")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	seen := map[string]bool{acquire.FlagBaseURL: true}
	for _, f := range d.Flags {
		if f.Name == "" || f.Usage == "" || f.Value == "" || seen[f.Name] {
			t.Errorf("flag %+v", f)
		}
		seen[f.Name] = true
		if !strings.Contains(section, "`--"+f.Name+"`") && !strings.Contains(section, "`--"+f.Name+" ") {
			t.Errorf("flag --%s is not in the source's section of docs/sources.md", f.Name)
		}
	}
}

func params(values map[string][]string) acquire.Params {
	return acquire.Params{Values: values, Now: time.Date(2018, 6, 11, 12, 0, 0, 0, time.UTC)}
}

const origin = "https://service.example"

// plans checks that a plan depends on its parameters alone, and that what cannot be used is refused.
func plans(t *testing.T, s acquire.Source, f fixture) {
	a, errA := s.Plan(params(f.values(origin)))
	b, errB := s.Plan(params(f.values(origin)))
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("two plans of one question: %+v and %+v", a, b)
	}
	if a.Origin != origin || a.Chains < 1 || len(a.Parameters) == 0 || (a.From == "") != (a.To == "") {
		t.Errorf("plan %+v", a)
	}
	for n := range a.Chains {
		r := a.Pager.First(n)
		if err := acquire.CheckURL(a.Origin, r.URL); err != nil {
			t.Errorf("chain %d begins with %q: %v", n, r.URL, err)
		}
		if !reflect.DeepEqual(r, a.Pager.First(n)) {
			t.Errorf("chain %d begins in two ways", n)
		}
	}
	var usage *acquire.UsageError
	unknown := f.values(origin)
	unknown["no-such-flag"] = []string{"1"}
	if _, err := s.Plan(params(unknown)); !errors.As(err, &usage) || usage.Flag != "no-such-flag" {
		t.Errorf("an unknown flag: %v", err)
	}
	if _, err := s.Plan(params(nil)); !errors.As(err, &usage) {
		t.Errorf("no flags at all: %v", err)
	}
	for _, flag := range s.Describe().Flags {
		v := f.values(origin)
		v[flag.Name] = []string{"\x00 \r\n"}
		if _, err := s.Plan(params(v)); !errors.As(err, &usage) {
			t.Errorf("flag --%s takes control characters: %v", flag.Name, err)
		}
	}
}

// steps checks that a step depends on the page alone, and what becomes of pages that are broken.
func steps(t *testing.T, s acquire.Source, f fixture) {
	plan, err := s.Plan(params(f.values(origin)))
	if err != nil {
		t.Fatal(err)
	}
	next := func(body string) (acquire.Step, error) {
		return plan.Pager.Next(&acquire.Page{Number: 1, URL: plan.Pager.First(0).URL, Status: 200,
			Header: httpblock.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: strings.NewReader(body)})
	}
	a, errA := next(f.page)
	b, errB := next(f.page)
	records := int64(2)
	if f.single {
		records = 1
	}
	if errA != nil || errB != nil || !reflect.DeepEqual(a, b) || a.Records != records || (a.Next == nil) != f.single || a.Defect != nil || a.Partial != nil {
		t.Errorf("steps %+v, %v and %+v, %v", a, errA, b, errB)
	}
	if c, err := next("\xef\xbb\xbf" + f.page); err != nil || !reflect.DeepEqual(a, c) {
		t.Errorf("with a byte order mark %+v, %v", c, err)
	}
	list := f.page
	if f.single { // every list is one too many
		list = `{"value":[{"Id":"a"}],"@odata.nextLink":"/x"}`
	}
	for _, broken := range []string{
		"", "{", f.page[:len(f.page)/2], f.page + "x", f.page + f.page, "\xef\xbb\xbf\xef\xbb\xbf" + f.page,
		strings.Replace(list, `{"value"`, `{"@odata.nextLink":"/other","value"`, 1),
		strings.Replace(list, `"@odata.nextLink"`, `"@odata.nextlink"`, 1),
		strings.Replace(list, `"@odata.nextLink":"`, `"@odata.nextLink":["`, 1),
		strings.Replace(list, `"value"`, `"value":[],"value"`, 1),
		`{"value":` + strings.Repeat("[", 100_000),
	} {
		var fault *acquire.PageError
		if step, err := next(broken); !errors.As(err, &fault) || fault.Reason != acquire.ReasonBrokenPage {
			t.Errorf("page %.80q: %+v, %v", broken, step, err)
		}
	}
	for status := 201; status < 600; status++ {
		if r := plan.Pager.Refused(&acquire.Page{Number: 1, Status: status, Body: strings.NewReader("{")}); !evidence.IsWord(r.Reason) || r.Text == "" {
			t.Errorf("status %d: %+v", status, r)
		}
	}
}

// acquisition acquires the fixture whole, again, and stopped at every page.
func acquisition(t *testing.T, s acquire.Source, f fixture) {
	whole := newCase(t, s, f)
	res, err := whole.run(0)
	if err != nil || res.State != evidence.Complete || res.Records != f.records || res.Pages < f.pages {
		t.Fatalf("%+v, %v; want %d records on at least %d pages", res, err, f.records, f.pages)
	}
	asked := len(whole.tenant.Requests())
	if res, err := whole.run(0); err != nil || !res.Finished || len(whole.tenant.Requests()) != asked {
		t.Errorf("the same again: %+v, %v, %d requests more", res, err, len(whole.tenant.Requests())-asked)
	}
	parts := newCase(t, s, f)
	err = acquire.ErrInterrupted
	for n := 0; errors.Is(err, acquire.ErrInterrupted) && n < 100; n++ {
		res, err = parts.run(1)
	}
	if err != nil || res.State != evidence.Complete || res.Records != f.records {
		t.Errorf("in parts: %+v, %v", res, err)
	}
	a, b := whole.targets(), parts.targets()
	slices.Sort(a) // short chains overtake each other; the pages of one follow from each other
	slices.Sort(b)
	if !slices.Equal(a, b) {
		t.Errorf("in parts it asks for\n%s\nand in one for\n%s", strings.Join(b, "\n"), strings.Join(a, "\n"))
	}
}

// caseOf is a case for one source and its fixture.
type caseOf struct {
	t      *testing.T
	source acquire.Source
	f      fixture
	tenant *simtenant.Tenant
	url    string
	roots  *x509.CertPool
	env    casefile.Env
	dir    string
	token  string
}

func newCase(t *testing.T, s acquire.Source, f fixture) *caseOf {
	t.Helper()
	env, err := casefile.System("test")
	if err != nil {
		t.Fatal(err)
	}
	env.ConfigDir = filepath.Join(t.TempDir(), "config")
	c := &caseOf{t: t, source: s, f: f, env: env, roots: x509.NewCertPool(), dir: filepath.Join(t.TempDir(), "case"), token: filepath.Join(t.TempDir(), "token")}
	if c.tenant, err = simtenant.New(f.options); err != nil {
		t.Fatal(err)
	}
	server, err := c.tenant.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	c.url = server.URL()
	c.roots.AppendCertsFromPEM(server.CAPEM())
	if err := os.WriteFile(c.token, []byte(c.tenant.Token()), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := casefile.New(context.Background(), env, c.dir, casefile.NewOptions{Fields: []evidence.Pair{{Name: "case-number", Value: "1"},
		{Name: "exhibit", Value: "E1"}, {Name: "examiner", Value: "A. Examiner"}}})
	if err == nil {
		err = k.Close(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// run acquires, at most pages of them if that is not 0.
func (c *caseOf) run(pages int) (*acquire.Result, error) {
	c.t.Helper()
	k, err := casefile.Open(context.Background(), c.env, c.dir, casefile.OpenOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() {
		if err := k.Close(context.Background()); err != nil {
			c.t.Error(err)
		}
	}()
	token, err := auth.TokenFile(c.token)
	if err != nil {
		c.t.Fatal(err)
	}
	stop := make(chan struct{})
	o := acquire.Options{Case: k, Env: c.env, SpoolDir: k.SpoolDir(), Source: c.source, Params: acquire.Params{Values: c.f.values(c.url)}, Credential: token, RootCAs: c.roots,
		Stop: stop}
	taken := 0
	if pages > 0 {
		o.Progress = func(e acquire.Event) {
			if e.Kind == acquire.EventPage {
				if taken++; taken == pages {
					close(stop)
				}
			}
		}
	}
	return acquire.Run(context.Background(), o)
}

// targets are the request targets that the tenant saw, in order.
func (c *caseOf) targets() (targets []string) {
	for _, r := range c.tenant.Requests() {
		targets = append(targets, strings.ReplaceAll(r.URL, c.url, ""))
	}
	return targets
}
