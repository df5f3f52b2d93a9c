package simtenant_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/simtenant"
)

func tenant(t *testing.T, seed uint64) *simtenant.Tenant {
	t.Helper()
	v, err := simtenant.New(simtenant.Options{Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func fingerprint(rows []simtenant.Activity) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", rows))
	return hex.EncodeToString(sum[:8])
}

// The mailbox of a seed is pinned: a change of the generator, of Go or of the
// machine that alters it must be seen.
func TestSameSeedSameBytes(t *testing.T) {
	const want = "81171cc9ff5905bf"
	if got := fingerprint(tenant(t, 1).Activities(simtenant.Owner)); got != want {
		t.Errorf("mailbox of seed 1 is %s, want %s", got, want)
	}
	if fingerprint(tenant(t, 2).Activities(simtenant.Owner)) == want {
		t.Error("another seed gives the same mailbox")
	}
	if a, b := tenant(t, 1), tenant(t, 2); a.Token() == b.Token() {
		t.Error("another seed gives the same token")
	}
}

// properties are the reference's table of custom properties, by type.
var properties = map[string]string{
	"ServerLogon":              "UserName ExceptionInfo NetworkPresenceLocation Result UserAgent ClientIP",
	"Logon":                    "Layout InferenceUiReady InferenceUiOnKeyName Flights Timezone IPAddress Browser",
	"MessageDelivered":         "From DeliveredToInbox InferenceClassification DeliveredFolderType AddressingGroupMessage ItemClass Recipients ConversationId isReply MessageCardContext MessageGuid ExchangeApplicationFlags ReceivedTime DeliveredViaBcc DeliveredToClutter DeliveredFolderId OrgAuthAs SentTime IsGroupEscalationMessage Hashtags SenderSmtpAddress IsMentioned InternetMessageId MessageClientInfo Subject",
	"MarkAsRead":               "ReceivedTime SenderAddress InternetMessageId SourceFolder ItemClass",
	"ReplyAll":                 "ReceivedTime SenderAddress InternetMessageId SourceDefaultFolderType",
	"SearchResult":             "Folders Ver MaxRes App Pos Item NetworkPresenceLocation Params ResIds Sid Query Rid AltResIds Trunc",
	"SearchSessionStart":       "SearchSessionId ConversionErrors MissingProperties",
	"SearchQueryExecute":       "SearchSessionId IsSuggestion RetrieveRefiners",
	"SearchSuggestionsDisplay": "SuggestionStimulus",
	"OpenedAnAttachment":       "AttachmentAction",
}

func value(a simtenant.Activity, name string) string {
	for _, p := range a.Properties {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

func TestCustomPropertiesAreTheReferences(t *testing.T) {
	seen := map[string]int{}
	for _, a := range tenant(t, 0).Activities(simtenant.Owner) {
		seen[a.Type]++
		want, known := properties[a.Type]
		if !known {
			continue
		}
		have := map[string]bool{}
		for _, p := range a.Properties {
			have[p.Name] = true
			if !slices.Contains(strings.Fields(want), p.Name) && !p.Null {
				t.Errorf("%s has %s", a.Type, p.Name)
			}
		}
		for _, name := range strings.Fields(want) {
			if !have[name] {
				t.Errorf("%s of %s lacks %s", a.Type, a.Time, name)
			}
		}
	}
	for kind := range properties {
		if seen[kind] == 0 {
			t.Errorf("no %s", kind)
		}
	}
	for _, kind := range strings.Fields("ReadingPaneDisplayStart ReadingPaneDisplayEnd Delete Move Forward Reply MessageSent DraftCreated LinkClicked AcceptCalendarEvent QuickStepInvoked") {
		if seen[kind] == 0 {
			t.Errorf("no %s", kind)
		}
	}
}

func TestMailboxIsSound(t *testing.T) {
	v := tenant(t, 0)
	rows := v.Activities(simtenant.Owner)
	if len(rows) < 2700 || len(rows) > 3500 {
		t.Errorf("%d activities, want about 3,000", len(rows))
	}
	if n := len(v.Activities(simtenant.Apostrophe)); n < 100 || n > 400 {
		t.Errorf("the small mailbox has %d activities", n)
	}
	if q, l := v.Activities(simtenant.Quiet), v.Activities(simtenant.Locked); q == nil || len(q) != 0 || l != nil {
		t.Errorf("quiet: %v, locked: %v", q, l)
	}
	var documentation []netip.Prefix
	for _, s := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"} {
		documentation = append(documentation, netip.MustParsePrefix(s))
	}
	guid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	item := regexp.MustCompile(`^AAMk[A-Za-z0-9_-]{140,}=*$`)
	from, to := time.Date(2018, 5, 21, 0, 0, 0, 0, time.UTC), time.Date(2018, 6, 11, 0, 0, 0, 0, time.UTC)
	ids, apps, addresses := map[string]bool{}, map[string]int{}, map[string]int{}
	for i, a := range rows {
		if ids[a.ID] || len(a.ID) != 64 {
			t.Errorf("id %q stands twice or has another length", a.ID)
		}
		ids[a.ID] = true
		apps[a.App]++
		if a.Time.Before(from) || !a.Time.Before(to) || a.Time.Location() != time.UTC || a.Time.Nanosecond()%1e6 != 0 || !a.Created.After(a.Time) {
			t.Errorf("times of row %d: %s, created %s", i, a.Time, a.Created)
		}
		if i > 0 && a.Time.Before(rows[i-1].Time) {
			t.Errorf("row %d is not in order", i)
		}
		if a.Session != "" && !guid.MatchString(a.Session) || a.Item != "" && !item.MatchString(a.Item) {
			t.Errorf("session %q, item %q", a.Session, a.Item)
		}
		for _, name := range []string{"ClientIP", "IPAddress"} {
			if s := value(a, name); s != "" {
				addresses[s]++
				ip, err := netip.ParseAddr(s)
				if err != nil || !slices.ContainsFunc(documentation, func(p netip.Prefix) bool { return p.Contains(ip) }) {
					t.Errorf("address %q is not for documentation: %v", s, err)
				}
			}
		}
	}
	for _, app := range []string{"Web", "Outlook", "Mobile", "Exchange", "IMAP", "POP3"} {
		if apps[app] == 0 {
			t.Errorf("no activity by %s", app)
		}
	}
	if len(addresses) != 7 {
		t.Errorf("addresses are %v, want four of the owner and three of the intruder", addresses)
	}
}

// The story that the views must find again.
func TestTheIntrusion(t *testing.T) {
	rows := tenant(t, 0).Activities(simtenant.Owner)
	var typed, queries []string
	var sessions, firstUses []string
	failed, repeated, hostile := 0, 0, ""
	for _, a := range rows {
		if strings.HasPrefix(value(a, "IPAddress"), "203.0.113.") || strings.HasPrefix(value(a, "IPAddress"), "2001:db8:bad:") {
			sessions = append(sessions, a.Session)
			firstUses = append(firstUses, value(a, "IPAddress"))
		}
		if a.Type == "ServerLogon" && value(a, "Result") == "Failure" {
			failed++
		}
		if a.Type == "SearchSuggestionsDisplay" && len(queries) == 0 {
			typed = append(typed, value(a, "SuggestionStimulus"))
		}
		if a.Type == "SearchResult" {
			queries = append(queries, value(a, "Query"))
		}
		names := map[string]bool{}
		for _, p := range a.Properties {
			if names[p.Name] {
				repeated++
			}
			names[p.Name] = true
		}
		hostile += value(a, "Subject")
	}
	if want := []string{"203.0.113.77", "2001:db8:bad:1::5", "203.0.113.77"}; !slices.Equal(firstUses, want) {
		t.Errorf("the intruder's sessions are from %v, want %v", firstUses, want)
	}
	if want := []string{"i", "in", "inv", "invo", "invoi", "invoic", "invoice"}; !slices.Equal(typed, want) {
		t.Errorf("typed: %q", typed)
	}
	if want := []string{"invoice", "O'Brien, W-9; 2017 \"bank\"", "wire transfer"}; !slices.Equal(queries, want) {
		t.Errorf("queries: %q", queries)
	}
	if failed != 3 || repeated < 10 {
		t.Errorf("%d failed logons, %d repeated names", failed, repeated)
	}
	for _, s := range []string{"=cmd|", "\x1b[2J", "\u202e", "<script>", "\x00", "会議", "\"Project", "; please"} {
		if !strings.Contains(hostile, s) {
			t.Errorf("no subject holds %q", s)
		}
	}
	last := ""
	for _, a := range rows {
		if a.Session != "" && a.Session == sessions[2] {
			last = a.Type
		}
	}
	if last != "SetConversationAlwaysClutterState" {
		t.Errorf("the last session ends with %q", last)
	}
}

// TestAgain: another tenant of the same data goes its own way.
func TestAgain(t *testing.T) {
	first, err := simtenant.New(simtenant.Options{Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	faults, err := simtenant.ParseFaults("arrive@1:3,vanish@2:7")
	if err != nil {
		t.Fatal(err)
	}
	second, err := first.Again(simtenant.Options{Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	want := first.Activities(simtenant.Owner)
	if got := second.Activities(simtenant.Owner); !reflect.DeepEqual(got, want) {
		t.Fatal("the mailbox is another one")
	}
	for range 2 {
		r := httptest.NewRequest("GET", "/api/v2.0/me/Activities", nil)
		r.Header.Set("Authorization", "Bearer "+second.Token())
		second.ServeHTTP(httptest.NewRecorder(), r)
	}
	if got := second.Activities(simtenant.Owner); len(got) != len(want)-4 {
		t.Errorf("%d activities, of %d", len(got), len(want))
	}
	if got := first.Activities(simtenant.Owner); !reflect.DeepEqual(got, want) || len(first.Requests()) != 0 {
		t.Error("what one tenant does changes the other")
	}
}
