package extract

import (
	"strings"
	"testing"
)

// TestMessages states two records by hand: one with the names of v1.0, one with those of v2.0 and a body.
func TestMessages(t *testing.T) {
	const (
		first = `{"Id":"AAMk1=","DateTimeReceived":"2018-05-28T08:15:00Z","DateTimeSent":"2018-05-28T08:14:56Z","Subject":"=1+1","From":{"EmailAddress":{"Name":"N","Address":"n@x.example"}},"IsRead":true}`
		later = `{"@odata.context":"c","@odata.type":"#Microsoft.OutlookServices.EventMessage","Id":"AAMk2=","ReceivedDateTime":"2018-05-28T08:15:00Z","DateTimeReceived":"x","Subject":"",` +
			`"InternetMessageId":"<m@x.example>","Body":{"ContentType":"Text","Content":"a\r\nb"}}`
	)
	for _, c := range []struct {
		body string
		want Record
	}{
		{first, Record{ID: "AAMk1=", ItemID: "AAMk1=", Time: "2018-05-28T08:15:00Z", Subject: "=1+1",
			Details: []byte(`{"DateTimeSent":"2018-05-28T08:14:56Z","From":{"EmailAddress":{"Name":"N","Address":"n@x.example"}},"IsRead":true}`)}},
		{later, Record{ID: "AAMk2=", ItemID: "AAMk2=", Time: "2018-05-28T08:15:00Z", Type: "#Microsoft.OutlookServices.EventMessage", MessageID: "<m@x.example>",
			Details: []byte(`{"@odata.context":"c","DateTimeReceived":"x","Subject":"","Body":{"ContentType":"Text","Content":"a\r\nb"}}`)}},
	} {
		got, sum := keep(t, onePage("outlook-messages", c.body), Options{})
		if len(got) != 1 || sum.ProblemCount != 0 || sum.Flagged != 0 {
			t.Fatalf("%d records, %+v", len(got), sum)
		}
		r := got[0].Record
		if string(r.Details) != string(c.want.Details) {
			t.Errorf("details %s", r.Details)
		}
		if r.ID != c.want.ID || r.ItemID != c.want.ItemID || r.Time != c.want.Time || r.Subject != c.want.Subject || r.MessageID != c.want.MessageID || r.Type != c.want.Type ||
			r.User != "kim@example.com" || r.Mailbox != "kim@example.com" || r.Source != "outlook-messages" {
			t.Errorf("%+v", r)
		}
		if p := r.Provenance; p.Pointer != "" || p.Offset != 0 || p.Length != int64(len(c.body)) || p.SHA256 != sha(c.body) {
			t.Errorf("%+v", p)
		}
	}
	got, _ := keep(t, onePage("outlook-messages", `{"error":{"code":"x"}}`), Options{})
	if len(got) != 1 || !strings.Contains(got[0].Words, "error_object") || !strings.Contains(got[0].Words, "missing_id") {
		t.Errorf("an error object: %+v", got)
	}
}
