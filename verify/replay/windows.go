package replay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/verify"
)

// window is a recorded window of the source, and what derived answers can rely on in it.
type window struct {
	verify.Window
	box    uint32 // its mailbox
	class  int    // which properties its rows have: an index of windows.classes
	covers bool   // it is known to hold all that it asked for
	why    string // it does not

	from, to    time.Time // if covers
	known       time.Time // likewise: from then on to may lie in the time after it was asked for
	types, apps []string  // likewise; nil for all

	pages, rows int64     // that were found
	oddCount    int64     // of them that are no plain listing, or no activity
	oddSeq      int64     // the first such page
	newest      time.Time // row
}

// odd notes something in a page that no query could be judged by.
func (w *window) odd(seq int64) {
	if w.oddCount == 0 {
		w.oddSeq = seq
	}
	w.oddCount++
}

// windows are all of them.
type windows struct {
	list    map[int64]*window
	order   []*window
	boxes   map[boxName]uint32 // by what was asked for
	classes []class
	ignored int64 // windows beyond maxWindows
}

// boxName tells mailboxes apart. Whose me is only the token knew, which is not there any more; where X-AnchorMailbox was sent with it, that names the owner.
type boxName struct {
	me   bool
	name string // the UPN, of me the value of X-AnchorMailbox; in lower case
}

// mes are the mailboxes that were acquired as me.
func (ws *windows) mes() (list []boxName) {
	for name := range ws.boxes {
		if name.me {
			list = append(list, name)
		}
	}
	return list
}

// class is a set of properties that was asked for; the first one is all of them.
type class struct{ names []string } // in order; nil for all

// Bounds. More windows than that are not looked at, which is said of them.
const (
	maxWindows = 4096
	maxClasses = 32
)

// readWindows reads what the case says of its windows. present has the exchanges of each that are there.
func readWindows(c *verify.Container, present map[int64]*asking) *windows {
	ws := &windows{list: map[int64]*window{}, boxes: map[boxName]uint32{}, classes: []class{{}}}
	for n := int64(1); ; n++ {
		of, ok := c.Window(n)
		if !ok {
			return ws
		}
		if of.Source != Source {
			continue
		}
		if len(ws.order) == maxWindows {
			ws.ignored++
			continue
		}
		w := &window{Window: of}
		w.Window.Window = n
		w.box = ws.boxOf(&of)
		w.interpret(ws, present[n])
		ws.list[n] = w
		ws.order = append(ws.order, w)
	}
}

func (ws *windows) of(n int64) *window { return ws.list[n] }

func (ws *windows) boxOf(w *verify.Window) uint32 {
	name := boxName{name: strings.ToLower(w.User)}
	if w.User == "me" {
		name = boxName{me: true}
		for _, p := range w.Parameters {
			if p.Name == "anchor" {
				name.name = strings.ToLower(p.Value)
			}
		}
	}
	box, ok := ws.boxes[name]
	if !ok {
		box = uint32(len(ws.boxes))
		ws.boxes[name] = box
	}
	return box
}

// interpret says what a window covers, as far as it can be told before its pages are read.
func (w *window) interpret(ws *windows, present *asking) {
	if present == nil {
		present = &asking{}
	}
	w.known = present.first // newest first, what comes meanwhile may be passed over
	refuse := func(format string, args ...any) { w.why = fmt.Sprintf(format, args...) }
	var fields []string
	var errs [2]error
	w.from, errs[0] = time.Parse(time.RFC3339Nano, w.From)
	w.to, errs[1] = time.Parse(time.RFC3339Nano, w.To)
	skipped := false
	for _, p := range w.Parameters {
		switch p.Name {
		case "type":
			w.types = append(w.types, p.Value)
		case "app":
			w.apps = append(w.apps, p.Value)
		case "select":
			fields = append(fields, p.Value)
		case "skip":
			skipped = p.Value != "0"
		case "order":
			if p.Value == "TimeStamp asc" {
				w.known = present.last
			}
		case "api-version", "metadata", "page-size", "anchor", "max", "origin":
		default:
			refuse("this version does not know what its parameter %.64q means", p.Name)
		}
	}
	class, ok := ws.classOf(fields)
	w.class = class
	switch {
	case w.Outcome != evidence.Complete && w.Outcome != evidence.Empty:
		refuse("it is %s%s", w.Outcome, because(w.Reason))
	case errs[0] != nil || errs[1] != nil || !w.from.Before(w.to):
		refuse("its bounds are no span of time")
	case skipped:
		refuse("it passed over the first rows")
	case !ok:
		refuse("there are more than %d selections of properties in this case", maxClasses)
	case present.count != w.Requests:
		refuse("exchanges of it are withheld")
	}
	w.covers = w.why == ""
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// classOf is the number of a selection.
func (ws *windows) classOf(fields []string) (n int, ok bool) {
	if len(fields) == 0 {
		return 0, true
	}
	fields = append(fields, columnName(colID)) // which comes back always
	slices.Sort(fields)
	fields = slices.Compact(fields)
	for i, c := range ws.classes {
		if i > 0 && slices.Equal(c.names, fields) {
			return i, true
		}
	}
	if len(ws.classes) == maxClasses {
		return maxClasses, false
	}
	ws.classes = append(ws.classes, class{fields})
	return len(ws.classes) - 1, true
}

// has reports whether rows of a class have all of the properties; nil stands for all that there are.
func (c class) has(names []string) bool {
	if c.names == nil {
		return true
	}
	return names != nil && !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(c.names, n) })
}

// settle says what a window covers once all of its pages were read.
func (ws *windows) settle() {
	for _, w := range ws.order {
		switch {
		case !w.covers:
		case w.oddCount > 0:
			w.why = fmt.Sprintf("%s, the first in entry %d, cannot be read as activities", count(w.oddCount, "place in its answers", "places in its answers"), w.oddSeq)
		case w.rows != w.Records:
			w.why = fmt.Sprintf("%s of it were found, where %d were counted", count(w.rows, "row", "rows"), w.Records)
		}
		w.covers = w.why == ""
		if !w.newest.Before(w.known) { // which shows that the clock of the case is slow, or that it came meanwhile
			w.known = w.newest.Add(1)
		}
	}
}

// ahead says that a window asks for a time that had not come; "" if it does not.
func (w *window) ahead() string {
	if !w.known.Before(w.to) {
		return ""
	}
	return "was asked for at " + stamp(w.known) + " and does not say what came after"
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}
