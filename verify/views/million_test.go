package views

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/sample"
)

var (
	manyDir = flag.String("views.dir", "", "folder that TestWriteMany writes a case and its answers to")
	manyN   = flag.Int("views.n", 100_000, "how many activities TestWriteMany writes")
)

// TestWriteMany writes what docs/performance.md measures: a case of many activities below -views.dir, and its answers, one a line.
func TestWriteMany(t *testing.T) {
	if *manyDir == "" {
		t.Skip("not asked for with -views.dir")
	}
	out, err := os.Create(filepath.Join(*manyDir, "answers.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := bufio.NewWriterSize(out, 1<<20)
	var bodies []string
	life := newLife(7)
	for left := *manyN; left > 0; left -= 1000 {
		page := make([]activity, 0, 1000)
		for len(page) < min(left, 1000) {
			page = append(page, life.next())
		}
		text := body(t, page)
		bodies = append(bodies, text)
		if _, err := w.WriteString(text + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	m := sample.New(t, nil)
	writeBodies(t, m, []string{"kim@example.com"}, [][]string{bodies})
	m.Close()
	for name, content := range m.Folder.Files() {
		path := filepath.Join(*manyDir, "case", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// life makes activities of one mailbox, in the order of time, in the proportions of an ordinary one.
type life struct {
	r       *rand.Rand
	at      time.Time
	n       int
	session string
	items   []string
	typed   string
}

func newLife(seed uint64) *life {
	return &life{r: rand.New(rand.NewPCG(seed, seed)), at: time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC), session: "none", items: []string{"item"}}
}

func (l *life) hex(n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%016x", l.r.Uint64())
	}
	return b.String()[:n]
}

func (l *life) next() activity {
	l.n++
	l.at = l.at.Add(time.Duration(l.r.IntN(120_000)) * time.Millisecond)
	item := l.items[l.r.IntN(len(l.items))]
	clock := l.at.Format("2006-01-02T15:04:05.000Z")
	a := func(app, typ, session, item string, pairs ...string) activity {
		a := act("", app, typ, session, item, pairs...)
		a.ID, a.TimeStamp, a.ActivityCreationTime = "A"+l.hex(60)+"=", clock, l.at.Add(500*time.Millisecond).Format("2006-01-02T15:04:05.000Z")
		return a
	}
	address := fmt.Sprintf("198.51.100.%d", l.r.IntN(40))
	switch k := l.r.IntN(100); {
	case k < 25:
		return l.deliver(a)
	case k < 45:
		return a("Mobile", "MarkAsRead", "", item, "ReceivedTime", "6/1/2018 8:00:00 AM", "SenderAddress", "lee@example.net", "InternetMessageId", "<"+l.hex(32)+"@example.net>", "SourceFolder", "Inbox", "ItemClass", "IPM.Note")
	case k < 57:
		return a("Web", "ReadingPaneDisplayStart", l.session, item)
	case k < 69:
		return a("Web", "ReadingPaneDisplayEnd", l.session, item)
	case k < 80:
		return a("Outlook", "ServerLogon", "", "", "UserName", "kim@example.com", "ExceptionInfo", "", "NetworkPresenceLocation", "", "Result", "Success", "UserAgent", "Microsoft Office/16.0", "ClientIP", address)
	case k < 84:
		l.session = l.hex(36)
		return a("Web", "Logon", l.session, "", "Layout", "mouse", "InferenceUiReady", "True", "Timezone", "GMT Standard Time", "IPAddress", address, "Browser", "Mozilla/5.0 Firefox/60.0")
	case k < 92:
		l.typed = (l.typed + string(rune('a'+l.r.IntN(26))))
		if len(l.typed) > 8 {
			query := l.typed
			l.typed = ""
			return a("Web", "SearchResult", l.session, "", "Folders", "all", "Sid", l.hex(36), "Query", query, "Rid", l.hex(36))
		}
		return a("Web", "SearchSuggestionsDisplay", l.session, "", "SuggestionStimulus", l.typed)
	case k < 95:
		return a("Outlook", "OpenedAnAttachment", "", item, "AttachmentAction", "Open")
	}
	return a("Outlook", []string{"Move", "Delete", "MessageSent", "Reply", "Flag"}[l.r.IntN(5)], "", item)
}

func (l *life) deliver(a func(app, typ, session, item string, pairs ...string) activity) activity {
	item := "AAMk" + l.hex(100) + "="
	if len(l.items) < 2000 {
		l.items = append(l.items, item)
	} else {
		l.items[l.r.IntN(len(l.items))] = item
	}
	return a("Exchange", "MessageDelivered", "", item, "From", "Lee Gu", "DeliveredToInbox", "True", "InferenceClassification", "Focused", "DeliveredFolderType", "Inbox",
		"AddressingGroupMessage", "False", "ItemClass", "IPM.Note", "Recipients", "kim@example.com;sam@example.com", "ConversationId", l.hex(90), "isReply", "false",
		"MessageCardContext", "", "MessageGuid", l.hex(36), "ExchangeApplicationFlags", "0", "ReceivedTime", l.at.Format("1/2/2006 3:04:05 PM"), "DeliveredViaBcc", "False",
		"DeliveredToClutter", "False", "DeliveredFolderId", l.hex(20), "OrgAuthAs", "Anonymous", "SentTime", l.at.Format(time.RFC3339), "IsGroupEscalationMessage", "False",
		"Hashtags", "", "SenderSmtpAddress", fmt.Sprintf("sender%d@example.net", l.r.IntN(300)), "IsMentioned", "False", "InternetMessageId", "<"+l.hex(32)+"@example.net>",
		"MessageClientInfo", "", "Subject", fmt.Sprintf("Invoice %d, second version; it's \"due\"", l.r.IntN(9000)))
}

// TestLife: what TestWriteMany writes is JSON that the yardstick can read.
func TestLife(t *testing.T) {
	l := newLife(7)
	var page []activity
	for range 2000 {
		page = append(page, l.next())
	}
	var ours, theirs struct {
		Logons, Mails int
	}
	text := body(t, page)
	if err := json.Unmarshal(python(t, "yardstick.py", python(t, "tocsv.py", []byte(text+"\n"))), &theirs); err != nil {
		t.Fatal(err)
	}
	c := bodiesContainer(t, []string{"kim@example.com"}, [][]string{{text}})
	ours.Logons = len(show(t, c, "logons", Options{}))
	mails := map[string]bool{}
	for _, a := range page {
		for _, p := range a.CustomProperties {
			switch p.Name {
			case "Subject", "SenderSmtpAddress", "SenderAddress", "ReceivedTime":
				mails[a.ActivityItemID] = true
			}
		}
	}
	ours.Mails = len(mails)
	if ours != theirs || ours.Logons < 200 || ours.Mails < 400 {
		t.Errorf("ours are %+v, the yardstick's %+v", ours, theirs)
	}
}
