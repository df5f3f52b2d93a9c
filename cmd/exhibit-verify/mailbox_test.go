package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify/export/historic"
)

// activitiesCase writes a sealed case with a window of activities for each mailbox, each with one page.
func activitiesCase(t *testing.T, users []string, page string) (dir string) {
	t.Helper()
	m := sample.New(t, nil)
	m.Operator(evidence.ActionRunStart, "exhibit acquire", evidence.Pair{Name: evidence.FieldParallel, Value: "1"})
	m.Connect()
	for i, user := range users {
		n := int64(i + 1)
		w := evidence.Window{State: evidence.Opened, User: user, Parameters: []evidence.Pair{}, Last: evidence.None}
		var err error
		if w.Acquisition, err = w.Name(historic.Source); err != nil {
			t.Fatal(err)
		}
		window := func() {
			own := w
			m.Append(&evidence.Draft{Run: sample.Run, Source: historic.Source, Window: n, Body: &own})
		}
		window()
		w.Last = m.Exchange(sample.Answer{Source: historic.Source, Window: n, Page: 1, Parent: evidence.None, RetryOf: evidence.None, Status: 200,
			Head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d", len(page)), Body: page})
		w.State, w.Requests, w.Pages, w.Records = evidence.Complete, 1, 1, 1
		window()
	}
	m.Operator(evidence.ActionRunStop, "finished")
	m.Seal()
	dir = t.TempDir()
	for name, content := range m.Folder.Files() {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const oneActivity = `{"value":[{"Id":"a","TimeStamp":"2018-06-01T00:00:00Z","ActivityItemId":"AAMk=","CustomProperties":[{"Name":"Subject","Value":"=1+1"}]}]}`

// TestUnfinishedPairGoes interrupts the writing of a file and of what it leaves out: neither may lie there as if it were finished.
func TestUnfinishedPairGoes(t *testing.T) {
	dir := activitiesCase(t, []string{"a@x.example"}, oneActivity)
	cmd := newCheck()
	cmd.SetContext(t.Context())
	c, err := openChecked(cmd, dir, &given{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	g, _, err := historic.Formats()[0].Gather(t.Context(), c.container, historic.Options{User: "a@x.example", Windows: c.report.Windows, TempDir: t.TempDir()})
	if err != nil || g.Rows != 1 {
		t.Fatal(g, err)
	}
	defer g.Close()
	out := filepath.Join(t.TempDir(), "out.csv")
	o := &extractOptions{out: out}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.writeHistoric(interrupted, io.Discard, g); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(out)); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if err := os.WriteFile(o.lossesName(), []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := o.writeHistoric(t.Context(), io.Discard, g); err == nil {
		t.Error("a list that was there before is written over")
	}
	if b, err := os.ReadFile(o.lossesName()); err != nil || string(b) != "before" {
		t.Errorf("what was there before is %q, %v", b, err)
	}
	if _, err := os.Lstat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there without its list: %v", err)
	}
}

// TestHostileMailboxes: many mailboxes with names that would deceive a terminal are told in a line, escaped, some of them.
func TestHostileMailboxes(t *testing.T) {
	var users []string
	for i := range 30 {
		users = append(users, fmt.Sprintf("u%d\x1b[2J\u202e@x.example", i))
	}
	dir := activitiesCase(t, users, oneActivity)
	for _, format := range []string{"crowdstrike-csv", "item-ids"} {
		var out, talk bytes.Buffer
		code := run(context.Background(), []string{"extract", dir, "--format", format}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &talk})
		if code != cli.Usage || out.Len() > 0 || !strings.Contains(talk.String(), "30 mailboxes") || !strings.Contains(talk.String(), "and 20 more") || strings.ContainsAny(talk.String(), "\x1b\u202e") {
			t.Errorf("%s ends with %d: %q", format, code, &talk)
		}
		talk.Reset()
		code = run(context.Background(), []string{"extract", dir, "--format", format, "--user", users[7]}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &talk})
		if code != 0 || out.Len() == 0 || strings.ContainsAny(talk.String(), "\x1b\u202e") {
			t.Errorf("%s of one ends with %d: %q, %q", format, code, &talk, &out)
		}
	}
}

// TestWithoutRows: what cannot stand in a file of 2018 ends with 4, and what can be written is written.
func TestWithoutRows(t *testing.T) {
	page := strings.Replace(oneActivity, `{"value":[`, `{"value":["no activity",{"Id":"b","ActivityItemId":"a b","CustomProperties":7},`, 1)
	dir := activitiesCase(t, []string{"a@x.example"}, page)
	for format, says := range map[string]string{"lmg-csv": "2 activities cannot stand in such a file", "item-ids": "1 activity mentions an item that cannot be asked for"} {
		var out, talk bytes.Buffer
		code := run(context.Background(), []string{"extract", dir, "--format", format}, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &talk})
		if code != cli.Incomplete || !strings.Contains(talk.String(), says) || !strings.Contains(out.String(), "AAMk=") {
			t.Errorf("%s ends with %d: %s%s", format, code, &talk, &out)
		}
	}
}
