package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/verify"
)

// Options direct the opening of an archive. The zero value is ready for use.
type Options struct {
	// TempDir receives the files that answers are made of, which nobody else can open; empty means the system's. They take about as much room as the recorded
	// answers of the Outlook Activities API, decoded, and a kilobyte for each exchange.
	TempDir string
}

// Archive answers requests from a verified container. Any number of goroutines may use it. It must be closed, before its container.
type Archive struct {
	c         *verify.Container
	caseID    string
	exchanges *exchanges
	windows   *windows
	rows      *rows
	orders    *orders
	room      chan struct{} // one for each large answer that may be in memory
}

// largeAnswers is how many answers of up to 4 MiB may be in memory at the same time.
const largeAnswers = 6

// Open reads the container once and makes ready. An error is ctx's, that of a temporary file, or says that the container is not any more what was verified.
func Open(ctx context.Context, c *verify.Container, o Options) (a *Archive, err error) {
	a = &Archive{c: c, caseID: c.CaseID(), room: make(chan struct{}, largeAnswers)}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
			a = nil
		}
	}()
	if a.exchanges, err = indexExchanges(ctx, c, o.TempDir); err != nil {
		return a, err
	}
	a.windows = readWindows(c, a.exchanges.perWin)
	if a.rows, err = indexRows(ctx, c, a.windows, o.TempDir); err != nil {
		return a, err
	}
	a.windows.settle()
	a.orders = &orders{rows: a.rows}
	return a, nil
}

// Close frees what the archive holds. Nobody may be reading answers.
func (a *Archive) Close() (err error) {
	if a.orders != nil {
		err = a.orders.close()
	}
	err = errors.Join(err, a.rows.close())
	if a.exchanges != nil {
		err = errors.Join(err, a.exchanges.close())
	}
	return err
}

// Answer answers a request. An error means that the answer could not be made although it is recorded: the container changed, or a temporary file cannot be used.
func (a *Archive) Answer(ctx context.Context, r *Request) (*Answer, error) {
	found, err := a.exchanges.find(ctx, a.c, r.Method, r.Target)
	if err != nil {
		return nil, err
	}
	path, _, _ := strings.Cut(r.Target, "?")
	if p, ok := activitiesPath(path); ok {
		return a.listing(ctx, r, p, found)
	}
	return a.document(ctx, r, found)
}

// Hosts are those that were asked, with their ports, in the order in which they were: a client that reaches the replay by one of these names gets the links in recorded answers
// to lead here as well.
func (a *Archive) Hosts() []string { return a.exchanges.hosts }

// CaseID is the id of the case, as the header of answers that were not recorded has it.
func (a *Archive) CaseID() string { return a.caseID }

// Exchanges is how many exchanges can be replayed.
func (a *Archive) Exchanges() int64 { return a.exchanges.count }

// Activities is how many activities answers can be derived of.
func (a *Archive) Activities() int64 { return a.rows.base.count }

// Coverage says, a line for each window of the source, of what listings are derived, and why others are not.
func (a *Archive) Coverage() []string {
	var lines []string
	for _, w := range a.windows.order {
		line := fmt.Sprintf("window %d, %s", w.Window.Window, w.Asked())
		if len(w.types) > 0 {
			line += ", types " + strings.Join(w.types, " ")
		}
		if len(w.apps) > 0 {
			line += ", applications " + strings.Join(w.apps, " ")
		}
		if w.class > 0 && w.class < len(a.windows.classes) {
			line += ", properties " + strings.Join(a.windows.classes[w.class].names, " ")
		}
		if ahead := w.ahead(); ahead != "" && w.covers {
			line += ": it " + ahead
		}
		if !w.covers {
			line += ": requests that were recorded alone, because " + w.why
		}
		lines = append(lines, line)
	}
	if a.windows.ignored > 0 {
		lines = append(lines, fmt.Sprintf("%s more: requests that were recorded alone, because %d are looked at", count(a.windows.ignored, "window", "windows"), maxWindows))
	}
	return lines
}

// maxListed is how many windows an error lists.
const maxListed = 20

// appendRecorded writes what is recorded, for the error that something is not.
func (a *Archive) appendRecorded(b []byte) []byte {
	b = append(b, '[')
	for i, line := range a.Coverage() {
		if i == maxListed {
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, line)
	}
	return append(b, ']')
}

func epoch() time.Time { return time.Unix(0, 0) }
