package views

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// onlySession makes the view of sessions, which must have one row.
func onlySession(t *testing.T, boxes []box) map[string]any {
	t.Helper()
	rows := show(t, container(t, boxes), "sessions", Options{})
	if len(rows) != 1 {
		t.Fatalf("%d sessions: %v", len(rows), rows)
	}
	return rows[0]
}

// items shows the displays of a session, and codes what is remarked about it.
func items(r map[string]any) string {
	var b strings.Builder
	for _, d := range r["items_displayed"].([]any) {
		d := d.(map[string]any)
		fmt.Fprintf(&b, "%v %v×%vs+%v ", d["item"], d["displays"], d["seconds"], d["without_end"])
	}
	return fmt.Sprintf("%v %vs %s%s", r["displays"], r["displayed_seconds"], &b, codes(r))
}

func codes(r map[string]any) string {
	var list []string
	for _, o := range r["observations"].([]any) {
		list = append(list, o.(map[string]any)["code"].(string))
	}
	return strings.Join(list, " ")
}

// TestDisplays holds how long items were displayed against what was worked out by hand. Ids are given such that starts and ends of one time come in either order.
func TestDisplays(t *testing.T) {
	start := func(id, clock, item string) activity {
		a := read(clock, "Web", "s1", item)
		a.ID = id
		return a
	}
	end := func(id, clock, item string) activity {
		a := act(clock, "Web", "ReadingPaneDisplayEnd", "s1", item)
		a.ID = id
		return a
	}
	created := func(a activity, at string) activity {
		a.ActivityCreationTime = at
		return a
	}
	untimed := func(a activity) activity {
		a.TimeStamp = "soon"
		return a
	}
	for _, c := range []struct {
		name string
		list []activity
		want string // displays, seconds, then for each item its own × seconds + those without end, and observations
	}{
		{"one after another", []activity{start("a", "09:00:00", "m1"), end("b", "09:00:10", "m1"), start("c", "09:00:10", "m2"), end("d", "09:01:10", "m2")}, "2 70s m1 1×10s+0 m2 1×60s+0 "},
		{"two windows that overlap: each for itself", []activity{start("a", "09:00:00", "m1"), start("b", "09:01:00", "m2"), end("c", "09:10:00", "m1"), end("d", "09:11:00", "m2")},
			"2 1200s m1 1×600s+0 m2 1×600s+0 "},
		{"never ended, and displayed again", []activity{start("a", "09:00:00", "m1"), start("b", "09:05:00", "m1"), end("c", "09:06:00", "m1"), start("d", "09:07:00", "m1")}, "3 60s m1 3×60s+2 "},
		{"for no time, the start first by its id", []activity{start("a", "09:00:00", "m1"), end("b", "09:00:00", "m1")}, "1 0s m1 1×0s+0 "},
		{"for no time, the end first by its id", []activity{start("b", "09:00:00", "m1"), end("a", "09:00:00", "m1")}, "1 0s m1 1×0s+0 "},
		{"an end and a start at once, the start first by its id", []activity{start("a", "09:00:00", "m1"), start("b", "09:05:00", "m1"), end("c", "09:05:00", "m1"), end("d", "09:06:00", "m1")}, "2 360s m1 2×360s+0 "},
		{"an end and a start at once, the end first by its id", []activity{start("a", "09:00:00", "m1"), start("c", "09:05:00", "m1"), end("b", "09:05:00", "m1"), end("d", "09:06:00", "m1")}, "2 360s m1 2×360s+0 "},
		{"at one time, but recorded one after another", []activity{start("a", "09:00:00", "m1"), created(start("c", "09:05:00", "m1"), "2018-06-01T09:05:00.7Z"), created(end("b", "09:05:00", "m1"), "2018-06-01T09:05:00.8Z")},
			"2 0s m1 2×0s+1 "},
		{"without a time: it is counted, and nobody can say how long", []activity{start("a", "09:00:00", "m1"), end("b", "09:00:10", "m1"), untimed(start("c", "", "m1")), untimed(end("d", "", "m1"))}, "2 10s m1 2×10s+0 "},
		{"an end alone", []activity{end("b", "09:00:10", "m1")}, "0 0s m1 0×0s+0 display-end"},
	} {
		for i, boxes := range [][]box{one(c.list...), reversed(one(c.list...)), one(append(c.list, c.list...)...)} {
			if got := items(onlySession(t, boxes)); got != c.want {
				t.Errorf("%s, order %d: got  %s\nwant %s", c.name, i, got, c.want)
			}
		}
	}
}

// TestManyDisplays: of more items than are listed, the time counts all the same.
func TestManyDisplays(t *testing.T) {
	var list []activity
	const n = sessionList + 200
	for i := range n {
		item := fmt.Sprint("m", i)
		list = append(list, read(fmt.Sprintf("%02d:%02d:%02d", 1+i/1800, i%1800/30, i%30*2), "Web", "s1", item),
			act(fmt.Sprintf("%02d:%02d:%02d", 1+i/1800, i%1800/30, i%30*2+1), "Web", "ReadingPaneDisplayEnd", "s1", item))
	}
	r := onlySession(t, one(list...))
	if r["displays"] != float64(n) || r["displayed_seconds"] != float64(n) || len(r["items_displayed"].([]any)) != sessionList || r["omitted"] != 200.0 || codes(r) != "" {
		t.Errorf("displays %v, seconds %v, listed %d, omitted %v, %s", r["displays"], r["displayed_seconds"], len(r["items_displayed"].([]any)), r["omitted"], codes(r))
	}
}

// TestAfterDeletion: what happens to an item at the time of its deletion, or at a time that nobody knows, is not said to come after it.
func TestAfterDeletion(t *testing.T) {
	gone := act("09:00:00", "Web", "Delete", "s1", "m1")
	with := func(clock, stamp string) []activity {
		a := act(clock, "Web", "MarkAsRead", "s1", "m1")
		if stamp != "" {
			a.TimeStamp = stamp
		}
		return []activity{gone, a}
	}
	undated := gone
	undated.TimeStamp = "soon"
	for _, c := range []struct {
		name string
		list []activity
		want string
	}{
		{"after it", with("09:00:01", ""), "after-deletion"},
		{"at the same time", with("09:00:00", ""), ""},
		{"at a time that nobody knows", with("09:00:01", "later"), ""},
		{"a deletion at a time that nobody knows", []activity{undated, act("09:00:01", "Web", "MarkAsRead", "s1", "m1")}, ""},
	} {
		if got := codes(onlySession(t, one(c.list...))); got != c.want {
			t.Errorf("%s: observed %q, want %q", c.name, got, c.want)
		}
	}
}

// TestLogonWithoutAddress: a logon that states no address is no change of address.
func TestLogonWithoutAddress(t *testing.T) {
	r := onlySession(t, one(act("08:00:00", "Web", "Logon", "s1", "", "Browser", "Firefox"), webLogon("08:10:00", "s1", home), act("08:20:00", "Web", "Logon", "s1", "", "IPAddress", "")))
	if got := codes(r); got != "new-address" || r["logons"] != 3.0 || fmt.Sprint(r["addresses"]) != "[map[address:192.0.2.1 logons:1 new:true since:2018-06-01T08:10:00.000Z]]" {
		t.Errorf("observed %q, %v logons, addresses %v", got, r["logons"], r["addresses"])
	}
}

// TestSessionRetains: what a session lists holds nothing of what it does not list.
func TestSessionRetains(t *testing.T) {
	long := strings.Repeat("x", maxText)
	var page bytes.Buffer
	const n = 600
	for i := range n {
		fmt.Fprintf(&page, `,{"Id":"i%d","ActivityIdType":%q,"AppIdType":"Web","ClientSessionId":"s1","ActivityItemId":"m%d","TimeStamp":"2018-06-01T09:00:00.%06dZ","CustomProperties":[{"Name":"Query","Value":%[5]q},{"Name":"Sid","Value":%[5]q},`+
			`{"Name":"ClientIP","Value":%[5]q},{"Name":"UserAgent","Value":%[5]q},{"Name":"Result","Value":%[5]q},{"Name":"From","Value":%[5]q}]}`, i, []string{"Delete", "Move", "Forward"}[i%3], i, i, long)
	}
	c := bodiesContainer(t, []string{"kim@example.com"}, [][]string{{`{"value":[` + page.String()[1:] + "]}"}})
	page = bytes.Buffer{}
	k, err := FindKind("sessions")
	if err != nil {
		t.Fatal(err)
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	calls := 0
	sum, err := Write(t.Context(), c, k, Formats()[3], Options{TempDir: t.TempDir(), Memory: 256 << 10}, writerFunc(func(b []byte) (int, error) {
		if calls++; calls == 1 {
			runtime.GC()
			runtime.ReadMemStats(&now)
		}
		return len(b), nil
	}))
	if err != nil || sum.Rows != 1 {
		t.Fatal(err, sum.Rows)
	}
	if held := int64(now.HeapAlloc) - int64(before.HeapAlloc); held > 12<<20 {
		t.Errorf("%d bytes held, of %d of texts that are not listed", held, n*5*maxText)
	}
}
