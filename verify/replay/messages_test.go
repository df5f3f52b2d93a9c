package replay_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestMessageDetails asks for messages as EXOMailActivity did, and as answers of the service name them, each in every spelling that the service took: the recorded bytes are the answer.
func TestMessageDetails(t *testing.T) {
	b := newBench(t, "", simtenant.Options{})
	mails, _ := b.Items(simtenant.Apostrophe)
	if len(mails) < 2 {
		t.Fatalf("%d messages", len(mails))
	}
	const missing = "AAMkNoMessage-1"
	b.acquire(outlook.Messages{}, "base-url", b.url, "user", simtenant.Apostrophe, "item", mails[0], "item", mails[1], "item", missing, "api-version", "v1.0")
	p := b.replay()
	list := p.exchanges()
	if len(list) != 3 {
		t.Fatalf("%d exchanges", len(list))
	}
	// The line of the reference, and not how the source spells it.
	const names = "BccRecipients,BodyPreview,Categories,CcRecipients,ChangeKey,ConversationId,DateTimeCreated,DateTimeLastModified,DateTimeReceived,DateTimeSent,From,HasAttachments,Id,Importance," +
		"IsDeliveryReceiptRequested,IsDraft,IsRead,IsReadReceiptRequested,ParentFolderId,ReplyTo,Sender,Subject,ToRecipients,WebLink"
	for _, id := range []string{mails[0], mails[1], missing} {
		of := slices.IndexFunc(list, func(e *evidence.Entry) bool { return strings.Contains(p.block(e, 0), "/Messages/"+id+"?") }) // several were asked for at once
		if of < 0 {
			t.Fatalf("no exchange for %s", id)
		}
		want := p.block(list[of], 1)
		for _, target := range []string{
			"/api/v1.0/Users('o'neil@contoso.example')/Messages/" + id + "?$select=" + names,
			"/api/v1.0/Users('o''neil@contoso.example')/Messages/" + id + "?%24select=" + strings.ReplaceAll(names, ",", "%2C"),
			"/api/v1.0/Users(%27O%27Neil%40contoso.example%27)/Messages/" + strings.ReplaceAll(id, "-", "%2D") + "?$select=" + names,
			"/api/v1.0/Users%28%27o%27%27neil%40contoso.example%27%29/Messages('" + id + "')?$select=" + names + "&",
			"/api/v1.0/Users('o''neil@contoso.example')/Messages(%27" + id + "%27)?%24select=" + names,
		} {
			got := p.raw(head("outlook.office365.com", target, "Prefer", "", "Authorization", "Basic eDp5"))
			if got != want {
				t.Errorf("%s: %.200q", target, got)
			}
		}
		for _, target := range []string{
			"/api/v1.0/Users('o''neil@contoso.example')/Messages/" + id,
			"/api/v2.0/Users('o''neil@contoso.example')/Messages/" + id + "?$select=" + names,
			"/api/v1.0/Users('o''neil@contoso.example')/Messages/" + id + "?$select=Id",
			"/api/v1.0/Users('o''neil@contoso.example')/Messages/" + strings.ToLower(id) + "A?$select=" + names,
			"/api/v1.0/Users('adele.vance@contoso.example')/Messages/" + id + "?$select=" + names,
			"/api/v1.0/Users('o''neil@contoso.example')/Messages/" + id + "%00%24select=" + names,
			"/api/v1.0/Users('o''neil@contoso.example')/Messages/" + id + "?$select=" + names + "&$select=" + names,
			"/api/v1.0/me/Messages/" + id + "?$select=" + names,
			"/api/v1.0/Users('o''neil@contoso.example')/Messages/" + id + "/attachments?$select=" + names,
		} {
			if got := p.get("outlook.office365.com", target); got.StatusCode != 404 || !strings.HasPrefix(got.mark(), "not-recorded") {
				t.Errorf("%s: %d %q", target, got.StatusCode, got.mark())
			}
		}
	}
}
