package outlook

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/listing"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/httpblock"
)

// MessagesName is the name of the source outlook-messages.
const MessagesName = "outlook-messages"

const (
	flagItem        = "item"
	flagItems       = "items"
	flagIncludeBody = "include-body"

	maxItems     = 200_000
	maxItem      = 1 << 10  // bytes of an id
	maxItemsFile = 64 << 20 // bytes
)

// Messages is the source outlook-messages.
type Messages struct{}

// Describe tells what the source asks.
func (Messages) Describe() acquire.Description {
	return acquire.Description{
		Name:   MessagesName,
		Title:  "Outlook messages by id: the details of what activities are about (service ended in July 2018)",
		Asks:   "GET /api/VERSION/USER/Messages/ID, for each id of a list, without the body unless it is asked for.",
		Origin: origin, Permissions: permissions(" with Mail.Read"),
		Limits: []string{
			"at most 200,000 ids of 1 KiB",
			"an item that is no message, or is not there any more, has no details; the window says how many those are",
			"a message is shown as it is when it is asked for, not as it was at the time of an activity",
		},
		Content: true,
		Flags: []acquire.Flag{
			{Name: acquire.FlagUser, Value: "UPN", Usage: "mailbox that the items are in; me is the owner of the token", Required: true},
			{Name: flagItem, Value: "ID", Usage: "item to ask for: an ActivityItemId", Many: true},
			{Name: flagItems, Value: "FILE", Usage: "file with one id a line, such as `exhibit-verify extract --format item-ids` writes; empty lines and lines starting with # are passed over"},
			{Name: flagIncludeBody, Value: "BOOL", Usage: "ask for the bodies, too", Default: "false", Switch: true},
			flagVersionOf("; v1.0 has other names"),
			flagMetadataOf(),
		},
	}
}

// messages is a list of items.
type messages struct {
	mailbox
	body  bool
	items []string
}

// Plan reads the list and checks it. An id that stands twice is asked for once.
func (s Messages) Plan(p acquire.Params) (*acquire.Plan, error) {
	if err := p.Only(s.Describe()); err != nil {
		return nil, err
	}
	var m messages
	if err := m.take(p); err != nil {
		return nil, err
	}
	body, err := p.Word(flagIncludeBody, "false", "false", "true")
	if err != nil {
		return nil, err
	}
	m.body = body == "true"
	if err := m.read(p); err != nil {
		return nil, err
	}
	sum := sha256.New()
	for _, id := range m.items {
		_, _ = io.WriteString(sum, id+"\n") // a hash takes everything
	}
	if err := m.check(m.url(m.items[0])); err != nil {
		return nil, err
	}
	return &acquire.Plan{Origin: m.origin, User: m.user, Chains: int64(len(m.items)), Short: true, Pager: &m, Parameters: []evidence.Pair{
		{Name: flagVersion, Value: m.version}, {Name: flagMetadata, Value: m.metadata}, {Name: flagIncludeBody, Value: strconv.FormatBool(m.body)},
		{Name: flagItems, Value: strconv.Itoa(len(m.items))}, {Name: "items-sha256", Value: hex.EncodeToString(sum.Sum(nil))},
	}}, nil
}

// read collects the ids.
func (m *messages) read(p acquire.Params) error {
	seen := map[string]struct{}{}
	add := func(flag, id string) error {
		if err := checkText(flag, id, maxItem); err != nil {
			return err
		}
		if _, ok := seen[id]; ok {
			return nil
		}
		seen[id] = struct{}{}
		if m.items = append(m.items, id); len(m.items) > maxItems {
			return &acquire.UsageError{Flag: flag, Text: fmt.Sprintf("more than %d ids", maxItems)}
		}
		return nil
	}
	for _, id := range p.Values[flagItem] {
		if err := add(flagItem, id); err != nil {
			return err
		}
	}
	if name, ok := p.Values[flagItems]; ok {
		if err := readLines(p, name[0], func(id string) error { return add(flagItems, id) }); err != nil {
			return err
		}
	}
	if len(m.items) == 0 {
		return &acquire.UsageError{Text: fmt.Sprintf("no id: at least one is needed, by --%s or --%s", flagItem, flagItems)}
	}
	return nil
}

// readLines gives each line of a file that is neither empty nor a remark.
func readLines(p acquire.Params, name string, each func(string) error) error {
	fail := func(err error) error {
		return &acquire.UsageError{Flag: flagItems, Text: fmt.Sprintf("%q: %v", name, err)}
	}
	if p.Open == nil {
		return fail(errors.New("files cannot be read here"))
	}
	f, err := p.Open(name)
	if err != nil {
		return &acquire.UsageError{Flag: flagItems, Text: err.Error()}
	}
	defer f.Close()
	in := &io.LimitedReader{R: f, N: maxItemsFile + 1}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := each(line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fail(err)
	}
	if in.N == 0 {
		return fail(fmt.Errorf("more than %d bytes", maxItemsFile))
	}
	return nil
}

// First asks for an item of the list. No header Prefer is sent: it belongs to activities.
func (m *messages) First(chain int64) acquire.Request {
	return acquire.Request{URL: m.url(m.items[chain]), Header: []httpblock.Field{m.accept()}}
}

func (m *messages) url(id string) string {
	u := m.at("Messages/" + url.PathEscape(id))
	if m.body {
		return u
	}
	return u + "?$select=" + strings.Join(detailNames(m.version), ",")
}

// detailNames are the properties that the details client of the time asked for where the body was not wanted. Four dates have other names since v2.0.
func detailNames(version string) []string {
	names := []string{"BccRecipients", "BodyPreview", "Categories", "CcRecipients", "ChangeKey", "ConversationId",
		"DateTimeCreated", "DateTimeLastModified", "DateTimeReceived", "DateTimeSent",
		"From", "HasAttachments", "Id", "Importance", "IsDeliveryReceiptRequested", "IsDraft", "IsRead", "IsReadReceiptRequested",
		"ParentFolderId", "ReplyTo", "Sender", "Subject", "ToRecipients", "WebLink"}
	if version == "v1.0" {
		return names
	}
	for i, name := range names {
		if rest, ok := strings.CutPrefix(name, "DateTime"); ok {
			names[i] = rest + "DateTime"
		}
	}
	return names
}

// Next takes one message, which is all that a page holds.
func (*messages) Next(p *acquire.Page) (acquire.Step, error) {
	page, err := listing.Read(p.Body, listing.Form{Bare: true})
	switch {
	case err != nil:
		return acquire.Step{}, err
	case page.List || page.HasNext:
		return acquire.Step{}, &acquire.PageError{Reason: acquire.ReasonBrokenPage, Text: "the answer is a list, where one item was asked for"}
	case page.Failed:
		return acquire.Step{Defect: &acquire.PageError{Reason: acquire.ReasonErrorRow, Text: "the answer is an error object, with status 200"}}, nil
	}
	return acquire.Step{Records: 1}, nil
}

// Refused interprets any other status. That an item is no message, or not there, is an answer like another.
//
// How the service answered for what is no message was never published: any 400 with a code is taken for that, unless the code is about the query.
func (*messages) Refused(p *acquire.Page) acquire.Refusal {
	r := acquire.Refuse(p)
	switch code := strings.ToLower(r.Code); {
	case p.Status == 404 && code == "erroritemnotfound":
		r.Reason, r.Settled = acquire.ReasonNoItem, true
	case p.Status == 400 && code != "" && !strings.Contains(code, "query") && !strings.Contains(code, "uri"):
		r.Reason, r.Settled = acquire.ReasonNoMessage, true
	}
	return r
}
