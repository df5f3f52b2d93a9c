package views

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

// activity is one activity as the API gives it.
type activity struct {
	ID                   string `json:"Id"`
	ActivityCreationTime string
	ActivityIDType       string `json:"ActivityIdType"`
	AppIDType            string `json:"AppIdType"`
	ClientSessionID      string `json:"ClientSessionId"`
	ActivityItemID       string `json:"ActivityItemId"`
	TimeStamp            string
	CustomProperties     []pair
}

type pair struct {
	Name  string
	Value any
}

// act makes an activity of 1 June 2018. The id is made of the rest, so that it is the same in whatever order activities come.
func act(clock, app, typ, session, item string, pairs ...string) activity {
	a := activity{ActivityIDType: typ, AppIDType: app, ClientSessionID: session, ActivityItemID: item, CustomProperties: []pair{}}
	a.TimeStamp = "2018-06-01T" + clock + ".000Z"
	a.ActivityCreationTime = "2018-06-01T" + clock + ".500Z"
	for i := 0; i+1 < len(pairs); i += 2 {
		a.CustomProperties = append(a.CustomProperties, pair{pairs[i], pairs[i+1]})
	}
	a.ID = fmt.Sprintf("id-%s-%s-%s-%s-%s-%s", clock, app, typ, session, item, strings.Join(pairs, "-"))
	return a
}

func webLogon(clock, session, address string) activity {
	return act(clock, "Web", "Logon", session, "", "Layout", "mouse", "IPAddress", address, "Browser", "Firefox 60")
}

func serverLogon(clock, app, address string) activity {
	return act(clock, app, "ServerLogon", "", "", "UserName", "kim@example.com", "Result", "Success", "UserAgent", "agent of "+app, "ClientIP", address)
}

func read(clock, app, session, item string) activity {
	return act(clock, app, "ReadingPaneDisplayStart", session, item)
}

func delivered(clock, item, subject, from string) activity {
	return act(clock, "Exchange", "MessageDelivered", "", item, "From", "A Person", "Recipients", "kim@example.com;sam@example.com", "DeliveredFolderType", "Inbox", "ReceivedTime", "6/1/2018 "+clock+" AM",
		"SenderSmtpAddress", from, "InternetMessageId", "<"+item+"@example.net>", "ConversationId", "c-"+item, "Subject", subject)
}

// body is a page of these activities.
func body(t testing.TB, list []activity) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"value": list})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// box is a mailbox with its pages.
type box struct {
	user  string
	pages [][]activity
}

func one(list ...activity) []box { return []box{{"kim@example.com", [][]activity{list}}} }

// reversed are the same activities, newest first.
func reversed(boxes []box) (out []box) {
	for _, b := range boxes {
		r := box{user: b.user}
		for i := len(b.pages) - 1; i >= 0; i-- {
			var page []activity
			for j := len(b.pages[i]) - 1; j >= 0; j-- {
				page = append(page, b.pages[i][j])
			}
			r.pages = append(r.pages, page)
		}
		out = append(out, r)
	}
	return out
}

// container is a verified case that holds these mailboxes, each in a window of its own.
func container(t testing.TB, boxes []box) *verify.Container {
	t.Helper()
	var bodies [][]string
	var users []string
	for _, b := range boxes {
		var list []string
		for _, p := range b.pages {
			list = append(list, body(t, p))
		}
		bodies, users = append(bodies, list), append(users, b.user)
	}
	return bodiesContainer(t, users, bodies)
}

func bodiesContainer(t testing.TB, users []string, bodies [][]string) *verify.Container {
	t.Helper()
	m := sample.New(t, nil)
	writeBodies(t, m, users, bodies)
	m.Close()
	_, c, err := verify.Check(t.Context(), m.Folder.FS(), verify.Options{})
	if err != nil || c == nil {
		t.Fatalf("the fixtures do not verify: %v", err)
	}
	return c
}

func writeBodies(t testing.TB, m *sample.Maker, users []string, bodies [][]string) {
	t.Helper()
	for i, list := range bodies {
		w := evidence.Window{State: evidence.Opened, User: users[i], Last: evidence.None}
		var err error
		if w.Acquisition, err = w.Name(Source); err != nil {
			t.Fatal(err)
		}
		n := int64(i + 1)
		m.Append(&evidence.Draft{Run: sample.Run, Source: Source, Window: n, Body: &w})
		parent := int64(evidence.None)
		for j, text := range list {
			parent = m.Exchange(sample.Answer{Source: Source, Window: n, Page: int64(j + 1), Parent: parent, RetryOf: evidence.None, Status: 200,
				Head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d", len(text)), Body: text})
		}
	}
}

// write makes a view in a format.
func write(t testing.TB, c *verify.Container, kind, format string, opt Options) (string, Summary) {
	t.Helper()
	k, err := FindKind(kind)
	if err != nil {
		t.Fatal(err)
	}
	f, err := FindFormat(format)
	if err != nil {
		t.Fatal(err)
	}
	if opt.TempDir == "" {
		opt.TempDir = t.TempDir()
	}
	if opt.Escape == nil {
		opt.Escape = func(s string) string { return s }
	}
	var out bytes.Buffer
	sum, err := Write(t.Context(), c, k, f, opt, &out)
	if err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(opt.TempDir)
	if err != nil || len(left) > 0 {
		t.Errorf("%d temporary files are left (%v)", len(left), err)
	}
	return out.String(), sum
}

// show makes a view as objects.
func show(t testing.TB, c *verify.Container, kind string, opt Options) (rows []map[string]any) {
	t.Helper()
	text, sum := write(t, c, kind, "jsonl", opt)
	for line := range strings.Lines(text) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rows = append(rows, r)
	}
	if int64(len(rows)) != sum.Rows {
		t.Errorf("%d lines, and the summary counts %d", len(rows), sum.Rows)
	}
	return rows
}

// pick shows some columns of rows, one row a line.
func pick(rows []map[string]any, columns ...string) string {
	var b strings.Builder
	for _, r := range rows {
		for i, c := range columns {
			if i > 0 {
				b.WriteString(" | ")
			}
			v, ok := r[c]
			if !ok {
				v = "NO SUCH COLUMN"
			}
			fmt.Fprint(&b, v)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// python runs a program of testdata with an input.
func python(t testing.TB, script string, in []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal("python3 is missing: the old tool's answers cannot be computed")
		}
		t.Skip("NOT TESTED: python3 is missing, so that the old tool's answers cannot be computed")
	}
	cmd := exec.Command(path, append([]string{"testdata/" + script}, args...)...)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.String())
	}
	return out
}

// old is what the old tool answers.
type old struct {
	Aborted     string
	Logons      [][]string
	Searches    [][]string
	Reading     [][]string
	ByItem      map[string][]string `json:"by_item"`
	Attachments [][]string
	LogonFile   string `json:"logon_file"`
}

// oldTool runs the old tool's algorithm over the pages of all mailboxes, in the order in which they are.
func oldTool(t testing.TB, boxes []box) (o old) {
	t.Helper()
	var lines strings.Builder
	for _, b := range boxes {
		for _, p := range b.pages {
			lines.WriteString(body(t, p) + "\n")
		}
	}
	answer := python(t, "oldtool.py", python(t, "tocsv.py", []byte(lines.String())))
	if err := json.Unmarshal(answer, &o); err != nil {
		t.Fatal(err)
	}
	return o
}
