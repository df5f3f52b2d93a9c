package views

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// crowded makes activities of a few sessions, addresses and applications that get into each other's way, many of them at one time.
func crowded(r *rand.Rand, n int) (list []activity) {
	slots := []int{120, 12}[n%8/4] // how many times there are
	late := slots / 12             // and of their creation
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	for i := range n {
		session, app := pick("", "", "s1", "s2", "s3", "s4"), pick("Web", "Web", "Outlook")
		at := time.Date(2018, 6, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(slots))*20*time.Minute + time.Duration(r.IntN(3))*25*time.Second)
		var a activity
		switch r.IntN(6) {
		case 0:
			a = act("", app, "ServerLogon", "", "", "ClientIP", pick(home, abroad, phone), "Result", pick("Success", "Success", "success", "", "Failure"))
		case 1:
			a = act("", app, "Logon", session, "", "IPAddress", pick(home, abroad, phone))
		case 2:
			a = act("", "Exchange", "MessageDelivered", pick("", "s1"), pick("m1", "m2"), "Subject", "x")
		default:
			a = act("", app, pick("ReadingPaneDisplayStart", "ReadingPaneDisplayStart", "ReadingPaneDisplayEnd", "ReadingPaneDisplayEnd", "OpenedAnAttachment", "MarkAsRead", "Delete"), session, pick("m1", "m2", "m3"))
		}
		a.ID, a.TimeStamp = fmt.Sprintf("%04x-%d", r.IntN(1<<16), i), at.Format("2006-01-02T15:04:05.000Z")
		a.ActivityCreationTime = at.Add(time.Duration(r.IntN(1+late)-late/9) * 100 * time.Millisecond).Format("2006-01-02T15:04:05.000Z")
		list = append(list, a)
	}
	return list
}

// TestAttributionByOthers holds attributions against a program that looks through all logons for each event, in every view of single events.
func TestAttributionByOthers(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(16) {
		list := crowded(rand.New(rand.NewPCG(seed, 5)), 20+int(seed)*12)
		var want map[string][]any
		if err := json.Unmarshal(python(t, "attribute.py", []byte(body(t, list)+"\n")), &want); err != nil {
			t.Fatal(err)
		}
		c := container(t, one(list...))
		rows := 0
		for _, kind := range strings.Fields("logons reading reading-by-item attachments delivered read") {
			for _, r := range show(t, c, kind, Options{}) {
				if kind != "reading-by-item" {
					rows++
				}
				candidates := []any{}
				for _, k := range r["candidates"].([]any) {
					candidates = append(candidates, []any{k.(map[string]any)["address"], k.(map[string]any)["session"]})
				}
				gap := r["gap_seconds"]
				if s, ok := gap.(float64); ok {
					gap = s * 1000
				}
				got := []any{r["how"], gap, candidates}
				seen[r["how"].(string)]++
				if w := want[r["id"].(string)]; !reflect.DeepEqual(got, w) {
					t.Fatalf("seed %d, %s, %s at %s: got %v, want %v", seed, kind, r["id"], r["time"], got, w)
				}
			}
		}
		deleted := 0
		for _, a := range list {
			if a.ActivityIDType == "Delete" {
				deleted++
			}
		}
		if rows+deleted != len(list) {
			t.Errorf("seed %d: %d rows of %d", seed, rows, len(list)-deleted)
		}
	}
	for _, w := range HowWords() {
		if seen[w] < 10 {
			t.Errorf("only %d events are %q: the mailboxes show too little", seen[w], w)
		}
	}
}

// TestSessionsByOthers holds sessions against a program that goes through all activities for each.
func TestSessionsByOthers(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(16) {
		list := crowded(rand.New(rand.NewPCG(seed, 6)), 20+int(seed)*12)
		var want [][]any
		if err := json.Unmarshal(python(t, "sessions.py", []byte(body(t, list)+"\n")), &want); err != nil {
			t.Fatal(err)
		}
		byPlace := map[string]string{}
		for i, a := range list {
			byPlace[fmt.Sprintf("/value/%d", i)] = a.ID
		}
		var got [][]any
		for _, r := range show(t, container(t, one(list...)), "sessions", Options{}) {
			seen[r["kind"].(string)]++
			addresses, deleted, unended := []any{}, []any{}, 0.0
			for _, a := range r["addresses"].([]any) {
				addresses = append(addresses, a.(map[string]any)["address"])
			}
			for _, d := range r["deleted"].([]any) {
				deleted = append(deleted, d.(map[string]any)["item"])
			}
			for _, d := range r["items_displayed"].([]any) {
				unended += d.(map[string]any)["without_end"].(float64)
			}
			observed := []any{}
			for _, code := range slices.Sorted(slices.Values(strings.Fields(codes(r)))) {
				observed = append(observed, code)
				seen[code]++
			}
			got = append(got, []any{r["kind"], r["session"], byPlace[r["provenance_pointer"].(string)], byPlace[r["last_pointer"].(string)], r["events"], r["inferred_events"], r["logons"],
				addresses, r["displays"], r["displayed_seconds"].(float64) * 1000, unended, deleted, observed})
		}
		for i := range want {
			if i >= len(got) || !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("seed %d, session %d of %d: got\n%v\nwant %d\n%v", seed, i, len(got), got[min(i, len(got)-1)], len(want), want[i])
			}
		}
		if len(got) != len(want) {
			t.Errorf("seed %d: %d sessions, want %d", seed, len(got), len(want))
		}
	}
	for _, w := range append(strings.Fields("new-address address-change before-logon display-end before-delivery after-deletion created-before inferred ambiguous refused"), ofClient, ofNobody) {
		if seen[w] < 10 {
			t.Errorf("only %d of %q: the mailboxes show too little", seen[w], w)
		}
	}
}
