package views

import (
	"errors"
	"fmt"
	"strings"
)

// Kind is a view: what an investigator asks of the activities of a mailbox.
type Kind struct {
	Name  string // as on the command line
	About string // one line for people

	row        func(typ string) bool // whether a type of activity is a row of the view
	dictionary bool                  // rows are told of which mail they are
	fresh      bool                  // logons are told whether their address is new to the mailbox
	order      order
	columns    func() []column
}

// order is how the rows of a view stand. Mailboxes stand one after another in each.
type order int

const (
	byTime order = iota
	byItem       // the items by their first row
	bySearch
	bySession
)

// Kinds lists all views.
func Kinds() []Kind {
	return []Kind{
		{Name: "logons", About: "every logon, whatever the application", row: isLogon, fresh: true, columns: logonColumns},
		{Name: "searches", About: "searches as they were typed, letter by letter", row: isSearch, order: bySearch, columns: searchColumns},
		{Name: "reading", About: "mails that a reading pane displayed", row: isReading, dictionary: true, columns: readingColumns},
		{Name: "reading-by-item", About: "the same, mail by mail", row: isReading, dictionary: true, order: byItem, columns: itemColumns},
		{Name: "attachments", About: "attachments that were opened", row: is(typeAttachment), dictionary: true, columns: attachmentColumns},
		{Name: "delivered", About: "mails that were delivered", row: is(typeDelivered), dictionary: true, columns: deliveredColumns},
		{Name: "read", About: "mails that were marked as read", row: is(typeMarkAsRead), dictionary: true, columns: readColumns},
		{Name: "sessions", About: "what was done in each session, from its first event to its last", row: everything, dictionary: true, fresh: true, order: bySession, columns: sessionColumns},
	}
}

// ErrUnknownKind is returned for a name that Kinds does not list.
var ErrUnknownKind = errors.New("unknown view")

// FindKind returns the named view.
func FindKind(name string) (Kind, error) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
	}
	return Kind{}, fmt.Errorf("%w %q", ErrUnknownKind, name)
}

const (
	typeMarkAsRead = "MarkAsRead"
	typeAttachment = "OpenedAnAttachment"
	readingStart   = "ReadingPaneDisplayStart"
	readingEnd     = "ReadingPaneDisplayEnd"
)

func is(typ string) func(string) bool { return func(t string) bool { return t == typ } }

func everything(string) bool { return true }

func isSearch(typ string) bool { return strings.HasPrefix(typ, "Search") }

func isReading(typ string) bool { return strings.HasPrefix(typ, "ReadingPane") }
