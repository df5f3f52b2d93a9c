package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify/views"
)

// setupMailboxes writes "mailboxes", a sealed case with the activities of two mailboxes, and "mailboxes.zip" and "mailboxes.age" of it. One query means harm.
func setupMailboxes(e *testscript.Env, t testing.TB) error {
	m := sample.New(t, nil)
	for i, box := range []struct{ user, activities string }{
		{"adele@contoso.example", activity("08:00:00", "Logon", "s1", `{"Name":"IPAddress","Value":"192.0.2.1"},{"Name":"Browser","Value":"Firefox"}`) + "," +
			activity("08:10:00", "SearchResult", "s1", `{"Name":"Sid","Value":"q1"},{"Name":"Query","Value":"=cmd|' /C calc'!A0 \u001b[31m"}`)},
		{"sam@contoso.example", activity("09:00:00", "ServerLogon", "", `{"Name":"ClientIP","Value":"203.0.113.9"},{"Name":"Result","Value":"Success"}`)},
	} {
		n := int64(i + 1)
		w := evidence.Window{User: box.user, Last: evidence.None}
		var err error
		if w.Acquisition, err = w.Name(views.Source); err != nil {
			return err
		}
		window := func(state string, last, records int64) {
			w := w
			w.State, w.Last, w.Records = state, last, records
			if state == evidence.Complete {
				w.Requests, w.Pages = 1, 1
			}
			m.Append(&evidence.Draft{Run: sample.Run, Source: views.Source, Window: n, Body: &w})
		}
		window(evidence.Opened, evidence.None, 0)
		body := `{"value":[` + box.activities + `]}`
		last := m.Exchange(sample.Answer{Source: views.Source, Window: n, Page: 1, Parent: evidence.None, RetryOf: evidence.None, Status: 200,
			Head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d", len(body)), Body: body})
		window(evidence.Complete, last, int64(2-i))
	}
	m.Seal()
	for name, content := range m.Folder.Files() {
		path := filepath.Join(e.WorkDir, "mailboxes", filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
			return err
		}
	}
	key, err := trust.ParseVKey(m.Key.VerifierKey())
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	var to bag.Recipients
	if err := errors.Join(bag.Pack(context.Background(), &packed, m.Folder.FS(), []trust.VKey{key}), to.Add("age1tc9w5sexdkth8a78dszf3578vdnrmddajhfe9k3wa90w0yxwy5vs0rkk9q")); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(e.WorkDir, "mailboxes.zip"), packed.Bytes(), 0o600), encrypted(e, "mailboxes.age", packed.Bytes(), &to))
}

func activity(clock, typ, session, properties string) string {
	return fmt.Sprintf(`{"Id":"%s %s","ActivityCreationTime":"2018-06-01T%[1]s.500Z","ActivityIdType":%[2]q,"AppIdType":"Web","ClientSessionId":%[3]q,"ActivityItemId":"","TimeStamp":"2018-06-01T%[1]s.000Z","CustomProperties":[%[4]s]}`,
		clock, typ, session, properties)
}
