package views

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// crowded makes activities of a few sessions, addresses and applications that get into each other's way, many of them at one time.
func crowded(r *rand.Rand, n int) (list []activity) {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	for i := range n {
		session, app := pick("", "", "s1", "s2", "s3", "s4"), pick("Web", "Web", "Outlook")
		at := time.Date(2018, 6, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(120)) * 20 * time.Minute)
		var a activity
		switch r.IntN(6) {
		case 0:
			a = act("", app, "ServerLogon", "", "", "ClientIP", pick(home, abroad, phone), "Result", pick("Success", "Success", "success", "", "Failure"))
		case 1:
			a = act("", app, "Logon", session, "", "IPAddress", pick(home, abroad, phone))
		case 2:
			a = act("", "Exchange", "MessageDelivered", pick("", "s1"), "m1", "Subject", "x")
		default:
			a = act("", app, pick("ReadingPaneDisplayStart", "ReadingPaneDisplayEnd", "OpenedAnAttachment", "MarkAsRead", "Flag"), session, "m1")
		}
		a.ID, a.TimeStamp = fmt.Sprintf("%04x-%d", r.IntN(1<<16), i), at.Format("2006-01-02T15:04:05.000Z")
		a.ActivityCreationTime = at.Add(time.Duration(r.IntN(3)) * 100 * time.Millisecond).Format("2006-01-02T15:04:05.000Z")
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
		flags := 0
		for _, a := range list {
			if a.ActivityIDType == "Flag" {
				flags++
			}
		}
		if rows+flags != len(list) {
			t.Errorf("seed %d: %d rows of %d", seed, rows, len(list)-flags)
		}
	}
	for _, w := range HowWords() {
		if seen[w] < 10 {
			t.Errorf("only %d events are %q: the mailboxes show too little", seen[w], w)
		}
	}
}
