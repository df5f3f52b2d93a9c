package simtenant

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

func unknownProperty(name string) error {
	return fmt.Errorf("property %.80q: %w", name, odata.ErrUnknownProperty)
}

// messageField is one member of a message: its name in v1.0, its name since
// v2.0, and how it is written.
type messageField struct {
	v1, v2 string
	write  func(b []byte, m *message, upn string) []byte
}

// messageFields are those that the details client asked for [C], and the body,
// in an order of ours [A].
func messageFields() []messageField {
	none := func(b []byte, _ *message, _ string) []byte { return append(b, "[]"...) }
	no := func(b []byte, _ *message, _ string) []byte { return append(b, "false"...) }
	text := func(of func(m *message) string) func(b []byte, m *message, _ string) []byte {
		return func(b []byte, m *message, _ string) []byte { return appendString(b, of(m)) }
	}
	truth := func(of func(m *message) bool) func(b []byte, m *message, _ string) []byte {
		return func(b []byte, m *message, _ string) []byte { return strconv.AppendBool(b, of(m)) }
	}
	after := func(d time.Duration) func(b []byte, m *message, _ string) []byte {
		return text(func(m *message) string { return m.received.Add(d).Format("2006-01-02T15:04:05Z") })
	}
	sender := func(b []byte, m *message, _ string) []byte { return appendPerson(b, m.from) }
	return []messageField{
		{"Id", "Id", text(func(m *message) string { return m.id })},
		{"ChangeKey", "ChangeKey", text(func(m *message) string { return "CQAAABYAAAD" + m.id[len(m.id)-21:len(m.id)-1] + "=" })},
		{"Categories", "Categories", none},
		{"DateTimeCreated", "CreatedDateTime", after(0)},
		{"DateTimeLastModified", "LastModifiedDateTime", after(time.Minute)},
		{"Subject", "Subject", text(func(m *message) string { return m.subject })},
		{"BodyPreview", "BodyPreview", text(func(m *message) string { return "About: " + m.subject })},
		{"Body", "Body", func(b []byte, m *message, _ string) []byte {
			b = append(b, `{"ContentType":"Text","Content":`...)
			return append(appendString(b, "About: "+m.subject+"\r\n\r\nRegards\r\n"+m.from.name+"\r\n"), '}')
		}},
		{"Importance", "Importance", text(func(*message) string { return "Normal" })},
		{"HasAttachments", "HasAttachments", truth(func(m *message) bool { return m.attachment })},
		{"ParentFolderId", "ParentFolderId", text(func(m *message) string { return m.id[:80] + "AAEMAAA=" })},
		{"From", "From", sender},
		{"Sender", "Sender", sender},
		{"ToRecipients", "ToRecipients", func(b []byte, _ *message, upn string) []byte {
			return append(appendPerson(append(b, '['), person{upn, upn}), ']')
		}},
		{"CcRecipients", "CcRecipients", none},
		{"BccRecipients", "BccRecipients", none},
		{"ReplyTo", "ReplyTo", none},
		{"ConversationId", "ConversationId", text(func(m *message) string { return m.conversation })},
		{"DateTimeReceived", "ReceivedDateTime", after(0)},
		{"DateTimeSent", "SentDateTime", after(-4 * time.Second)},
		{"IsDeliveryReceiptRequested", "IsDeliveryReceiptRequested", no},
		{"IsReadReceiptRequested", "IsReadReceiptRequested", no},
		{"IsRead", "IsRead", truth(func(m *message) bool { return m.read })},
		{"IsDraft", "IsDraft", no},
		{"WebLink", "WebLink", text(func(m *message) string { return "https://outlook.office365.com/owa/?ItemID=" + m.id })},
	}
}

func appendPerson(b []byte, p person) []byte {
	b = appendString(append(b, `{"EmailAddress":{"Name":`...), p.name)
	b = appendString(append(b, `,"Address":`...), p.address)
	return append(b, "}}"...)
}

// answerMessage is GET …/Messages/{id}. Something that is no message, and what
// was deleted, answers with an error; their codes and words are ours [A].
func answerMessage(c *call, p path, m mailbox) *answer {
	q, err := odata.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return failure(http.StatusBadRequest, "ErrorInvalidUrlQuery", err.Error())
	}
	if m.items[p.message] {
		return failure(http.StatusBadRequest, "ErrorInvalidRequest", "The item is not a message.")
	}
	mail := m.messages[p.message]
	if mail == nil {
		return failure(http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
	}
	fields := messageFields()
	name := func(f messageField) string {
		if p.version == "v1.0" {
			return f.v1
		}
		return f.v2
	}
	for _, s := range q.Select {
		if !slices.ContainsFunc(fields, func(f messageField) bool { return name(f) == s }) {
			return failure(http.StatusBadRequest, "ErrorInvalidUrlQuery", unknownProperty(s).Error())
		}
	}
	b := []byte{'{'}
	if !c.noMetadata() {
		root := c.origin() + "/api/" + p.version + "/"
		b = appendString(append(b, `"@odata.context":`...), root+"$metadata#"+userURL(p.user, m.upn)+"/Messages/$entity")
		b = appendString(append(b, `,"@odata.id":`...), root+userURL(p.user, m.upn)+"/Messages("+odata.Quote(mail.id)+")")
		b = append(b, `,"@odata.etag":"W/\"CQAAAA==\"",`...)
	}
	first := true
	for _, f := range fields {
		if q.Select != nil && f.v1 != "Id" && !slices.Contains(q.Select, name(f)) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, name(f)), ':')
		b = f.write(b, mail, m.upn)
	}
	return newAnswer(http.StatusOK, c.contentType(), append(b, '}'))
}
