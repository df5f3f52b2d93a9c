package acquire_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// messages acquires details of items.
func (b *bench) messages(ids []string, flags ...string) (*acquire.Result, error) {
	b.t.Helper()
	return b.acquire(func(o *acquire.Options) {
		o.Source, o.Parallel, o.Confirmed = outlook.Messages{}, 4, "by a test"
		o.Params.Values = values(append([]string{"base-url", b.url, "user", simtenant.Owner}, flags...)...)
		o.Params.Values["item"] = ids
	}, flags...)
}

// TestSettled: items that are no messages, or not there, are answers. The window is complete, says how many they are, and a second run asks nothing of what has an answer.
func TestSettled(t *testing.T) {
	b := newBench(t, "503@2,disabled@8", simtenant.Options{Seed: 3})
	all, others := b.Items(simtenant.Owner)
	ids := slices.Concat(all[:3], others[:2], []string{"AAMknothing="}, all[3:6], all[:1])
	res, err := b.messages(ids)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Partial, acquire.ReasonAPIDisabled)
	before := len(b.Requests())
	if res, err = b.messages(ids); err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Complete, "")
	if res.Records != 6 || res.Pages != 6 || len(b.Requests()) != before+1 || before != 10 {
		t.Errorf("%+v after %d and %d requests", res, before, len(b.Requests()))
	}
	const text = "no-item: 1 of 9 requests, such as status 404, ErrorItemNotFound: The specified object was not found in the store.; " +
		"no-message: 2 of 9 requests, such as status 400, ErrorInvalidRequest: The item is not a message."
	if res.Text != text {
		t.Errorf("the window says %q", res.Text)
	}
	for _, r := range b.Requests() {
		if !strings.Contains(r.URL, "/Messages/") || strings.Contains(r.URL, "Body,") || !strings.Contains(r.URL, "?$select=BccRecipients,BodyPreview,") {
			t.Errorf("it asks for %s", r.URL)
		}
	}
	if res, err := b.messages(ids); err != nil || !res.Finished || len(b.Requests()) != before+1 {
		t.Errorf("what is complete is asked again: %+v, %v", res, err)
	}

	if res, err = b.messages(others[:2]); err != nil {
		t.Fatal(err)
	}
	closed(t, b.files(), res, evidence.Empty, acquire.ReasonNoData)
	if !strings.HasSuffix(res.Text, "no-message: 2 of 2 requests, such as status 400, ErrorInvalidRequest: The item is not a message.") {
		t.Errorf("the window says %q", res.Text)
	}
	for _, name := range []string{"text acquisition from outlook-messages, which reads content", "confirmed by a test"} {
		if !slices.Contains(b.runStart(), name) {
			t.Errorf("run-start does not say %q: %q", name, b.runStart())
		}
	}
}

// TestBodies: bodies are asked for only with the flag, and then with everything.
func TestBodies(t *testing.T) {
	b := newBench(t, "", simtenant.Options{Seed: 3})
	all, _ := b.Items(simtenant.Owner)
	for _, c := range []struct {
		flags []string
		url   string
	}{
		{nil, "/api/v2.0/Users('adele.vance@contoso.example')/Messages/" + all[0] + "?$select=BccRecipients,BodyPreview,Categories,CcRecipients,ChangeKey,ConversationId,CreatedDateTime," +
			"LastModifiedDateTime,ReceivedDateTime,SentDateTime,From,HasAttachments,Id,Importance,IsDeliveryReceiptRequested,IsDraft,IsRead,IsReadReceiptRequested,ParentFolderId,ReplyTo,Sender,Subject,ToRecipients,WebLink"},
		{[]string{"include-body", "true", "api-version", "beta"}, "/api/beta/Users('adele.vance@contoso.example')/Messages/" + all[0]},
		{[]string{"include-body", "true", "api-version", "v1.0"}, "/api/v1.0/Users('adele.vance@contoso.example')/Messages/" + all[0]},
	} {
		res, err := b.messages(all[:1], c.flags...)
		if err != nil || res.State != evidence.Complete || res.Records != 1 {
			t.Fatalf("%+v, %v", res, err)
		}
		if r := b.Requests(); r[len(r)-1].URL != c.url {
			t.Errorf("it asks for\n%s, want\n%s", r[len(r)-1].URL, c.url)
		}
	}
}

// runStart is what the latest run-start says: its text and its fields.
func (b *bench) runStart() (says []string) {
	b.t.Helper()
	entries, _ := read(b.t, b.files())
	for _, e := range entries {
		if op, ok := e.Body.(*evidence.Operator); ok && op.Action == evidence.ActionRunStart {
			says = []string{"text " + op.Text}
			for _, f := range op.Fields {
				says = append(says, f.Name+" "+f.Value)
			}
		}
	}
	return says
}
