package simulation

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// holdings are which rows the service held, by their ids.
type holdings struct {
	mu   sync.Mutex
	of   map[string][]string // id of a request → when it was answered, in the order that is asked for
	ever map[string]bool     // at any answer
}

// observed is the service, with a look at what it holds with each answer.
func (w *world) observed() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.tenant.ServeHTTP(&answering{rw, func() { w.holds(r.Header.Get("client-request-id")) }}, r)
	})
}

// answering calls at the instant at which an answer is made: it has its rows, and nothing of it is sent. Some are written as they are to the connection below.
type answering struct {
	http.ResponseWriter
	made func()
}

func (a *answering) Header() http.Header {
	a.made()
	return a.ResponseWriter.Header()
}

func (a *answering) Unwrap() http.ResponseWriter {
	a.made()
	return a.ResponseWriter
}

func (w *world) holds(request string) {
	w.held.mu.Lock()
	defer w.held.mu.Unlock()
	if _, ok := w.held.of[request]; ok {
		return
	}
	w.held.of[request] = w.ids(w.tenant)
	for _, id := range w.held.of[request] {
		w.held.ever[id] = true
	}
}

// all are the rows that were ever held.
func (h *holdings) all() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Keys(h.ever))
}

// when gives what was held when the page was answered.
func (w *world) when(page *evidence.Entry) []string {
	w.held.mu.Lock()
	defer w.held.mu.Unlock()
	return w.held.of[page.Body.(*evidence.Exchange).RequestID]
}

// ids are the rows of the window, in the order that is asked for.
func (w *world) ids(t *simtenant.Tenant) (ids []string) {
	all := t.Activities(simtenant.Apostrophe)
	if w.script.newest {
		slices.SortStableFunc(all, func(a, b simtenant.Activity) int { return b.Time.Compare(a.Time) })
	}
	for _, a := range all {
		if !a.Time.Before(w.since) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// windowOf tells of each recorded request for which window it was made.
func (w *world) windowOf() map[string]int64 {
	of := map[string]int64{}
	for _, e := range w.entries() {
		if x, ok := e.Body.(*evidence.Exchange); ok {
			of[x.RequestID] = e.Head.Window
		}
	}
	return of
}

// before remembers what must not be asked for again. A page with the rows of the page before may be.
func (w *world) before() {
	w.asked = len(w.tenant.Requests())
	w.taken = map[int64]map[string]bool{}
	var last []string
	for _, e := range pages(w.entries()) {
		if w.taken[e.Head.Window] == nil {
			w.taken[e.Head.Window], last = map[string]bool{}, nil
		}
		if w.script.arrives && !w.script.bent { // a page of rows may have moved the rest by a page
			rows := w.rows(e)
			again := len(rows) > 0 && slices.Equal(rows, last)
			if last = rows; again {
				continue
			}
		}
		w.taken[e.Head.Window][e.Body.(*evidence.Exchange).URL] = true
	}
}

// asks holds what the service was asked in a run against what stood in the case before it, and windows against those before them (I6): a page is asked for again only where a
// window begins anew because rows moved. A page whose content is wrong may be asked for again.
func (w *world) asks() {
	of, latest := w.windowOf(), int64(0)
	var closed *evidence.Window // the window before
	for _, e := range w.entries() {
		b, ok := e.Body.(*evidence.Window)
		if !ok {
			continue
		}
		if anew := e.Head.Window > latest; anew && latest > 0 && !w.script.bent && (closed == nil || !asksAnew(closed)) {
			w.say("window %d asks for everything again, and no rows had moved in the one before: %+v", e.Head.Window, closed)
		}
		latest, closed = max(latest, e.Head.Window), b
	}
	for _, r := range w.tenant.Requests()[w.asked:] {
		w.trace.note("service", "%d %s %s %d %s", r.Ordinal, r.URL, r.ClientRequestID, r.Status, r.Fault)
		window, ok := of[r.ClientRequestID]
		if !ok {
			window = latest // it was under way when the run died
		}
		if w.taken[window][w.origin()+r.URL] && !w.script.bent {
			w.say("%s is in window %d and was asked for again", r.URL, window)
		}
	}
	twice := map[int64]map[string]bool{}
	for _, e := range pages(w.entries()) {
		n, url := e.Head.Window, e.Body.(*evidence.Exchange).URL
		if twice[n] == nil {
			twice[n] = map[string]bool{}
		}
		if twice[n][url] && !w.script.bent {
			w.say("%s is twice in window %d", url, n)
		}
		twice[n][url] = true
	}
}

// asksAnew tells whether a window that was closed so may have lost rows that came where the run had been: they moved others, by a page perhaps.
func asksAnew(b *evidence.Window) bool {
	return b.State == evidence.Partial && (b.Reason == acquire.ReasonMovedRows || b.Reason == acquire.ReasonRepeatedPage)
}

// lied tells whether the service gave, in a window, the rows of the last listing again where there had been none, or one without rows: an empty page whose link leads past rows
// that nobody saw. No client can know. stale tells whether it gave rows again at all.
func (w *world) lied(window int64) (lied, stale bool) {
	of, now, empty := w.windowOf(), int64(0), true
	for _, r := range w.tenant.Requests() {
		if n, ok := of[r.ClientRequestID]; ok && n != now {
			now, empty = n, true
		}
		if r.Status != http.StatusOK {
			continue
		}
		if again := strings.Contains(r.Fault, "repeat"); again && now == window {
			lied, stale = lied || empty, true
		}
		empty = strings.Contains(r.Fault, "empty200")
	}
	return lied, stale
}

// complete holds a window that is said to be complete against what the service held (I6): it has each row once; everything that was there when its first page was answered, unless that
// went; and nothing that never was. What is more: it is what was there when its last page was answered.
func (w *world) complete(res *acquire.Result) {
	lied, stale := w.lied(res.Window)
	if lied {
		return
	}
	var list []*evidence.Entry
	var got []string
	for _, e := range pages(w.entries()) {
		if e.Head.Window == res.Window {
			list, got = append(list, e), append(got, w.rows(e)...)
		}
	}
	if int64(len(got)) != res.Records {
		w.say("%d records are told and %d rows are there", res.Records, len(got))
	}
	if len(list) == 0 {
		w.say("window %d is said to be %s and has no page", res.Window, res.State)
		return
	}
	first, last, now := w.when(list[0]), w.when(list[len(list)-1]), w.ids(w.tenant)
	if n := len(got) - len(set(got)); n > 0 {
		w.say("window %d is said to be %s, and %d rows are in it more than once", res.Window, res.State, n)
	}
	if w.script.vanishes {
		first = both(first, now)
	}
	if n := len(without(first, got)); n > 0 {
		w.say("window %d is said to be %s, and lacks %d of the %d rows that the service held when it answered its first page", res.Window, res.State, n, len(first))
	}
	if n := len(without(got, w.held.all())); n > 0 {
		w.say("window %d is said to be %s, and has %d rows that the service never held", res.Window, res.State, n)
	}
	switch original := w.ids(w.stage.tenant); {
	case w.script.vanishes: // some were there in time
		if len(got) < len(now) || len(got) > len(original) || !slices.Equal(got, original[:len(got)]) {
			w.say("window %d is said to be %s with %d rows; the service had %d at first, has %d, and they are not the same", res.Window, res.State, len(got), len(original), len(now))
		}
	case !stale && !slices.Equal(got, last):
		w.say("window %d is said to be %s with %d rows; the service held %d when it answered its last page, and they are not the same", res.Window, res.State, len(got), len(last))
	}
}

// extracted holds what the verifier extracts of the case as a whole against what the service held when it answered the first page.
func (w *world) extracted(c *verify.Container) {
	list := pages(w.entries())
	for _, window := range slices.Compact(slices.Sorted(maps.Values(w.windowOf()))) {
		if lied, _ := w.lied(window); lied {
			return
		}
	}
	var got []string
	if _, err := extract.Extract(context.Background(), c, extract.Options{TempDir: w.dir, Workers: 1}, func(r *extract.Record) error {
		got = append(got, r.ID)
		return nil
	}); err != nil {
		w.say("extraction: %v", err)
	}
	first := w.when(list[0])
	if w.script.vanishes {
		first = both(first, w.ids(w.tenant))
	}
	if n := len(without(first, got)); n > 0 {
		w.say("the case as a whole lacks %d of the %d rows that the service held when it answered the first page", n, len(first))
	}
}

// set are ids, each once.
func set(ids []string) map[string]bool {
	m := make(map[string]bool, len(ids))
	for _, id := range ids {
		m[id] = true
	}
	return m
}

// without are those of all that are not in some.
func without(all, some []string) []string {
	in := set(some)
	return slices.DeleteFunc(slices.Clone(all), func(id string) bool { return in[id] })
}

// both are those of a that are in b, too.
func both(a, b []string) []string {
	in := set(b)
	return slices.DeleteFunc(slices.Clone(a), func(id string) bool { return !in[id] })
}
