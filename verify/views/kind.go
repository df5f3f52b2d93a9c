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
	link       bool                  // rows are attributed to logons
	dictionary bool                  // rows are told of which mail they are
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
		{"logons", "every logon, whatever the application", isLogon, true, false, byTime, logonColumns},
		{"searches", "searches as they were typed, letter by letter", isSearch, true, false, bySearch, searchColumns},
		{"reading", "mails that a reading pane displayed", isReading, true, true, byTime, readingColumns},
		{"reading-by-item", "the same, mail by mail", isReading, true, true, byItem, itemColumns},
		{"attachments", "attachments that were opened", is("OpenedAnAttachment"), true, true, byTime, attachmentColumns},
		{"delivered", "mails that were delivered", is(typeDelivered), true, true, byTime, deliveredColumns},
		{"read", "mails that were marked as read", is(typeMarkAsRead), true, true, byTime, readColumns},
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

const typeMarkAsRead = "MarkAsRead"

func is(typ string) func(string) bool { return func(t string) bool { return t == typ } }

func isSearch(typ string) bool { return strings.HasPrefix(typ, "Search") }

func isReading(typ string) bool { return strings.HasPrefix(typ, "ReadingPane") }
