package historic

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/export"
	"github.com/exhibit-dfir/exhibit/verify/extract"
	"github.com/exhibit-dfir/exhibit/verify/sortfile"
)

// Source is the source whose activities the programs asked for.
const Source = "outlook-activities"

// recordLimit is the length in bytes of the longest activity that gets a row. It bounds the memory that one can take.
const recordLimit = 1 << 20

// Format is the file of one program.
type Format struct {
	Name   string // as on the command line
	About  string // one line for people
	bom    bool
	newest bool // first
}

// Formats lists them.
func Formats() []Format {
	return []Format{
		{"crowdstrike-csv", "activities as CrowdStrike's retriever of 2018 wrote them, newest first", true, true},
		{"lmg-csv", "activities as LMG's copy of it wrote them, oldest first", false, false},
	}
}

// Find returns the named format; ok is false if there is none.
func Find(name string) (f Format, ok bool) {
	for _, f := range Formats() {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// Options direct what is gathered.
type Options struct {
	User    string          // whose mailbox, as the windows name it but for the case of letters
	Windows []verify.Window // of the case: which of them asked for that mailbox
	TempDir string          // for temporary files; empty means the system's
}

// Gathered is what a file will hold: the activities of one mailbox, sorted.
type Gathered struct {
	Rows    int64            // of the file
	Without map[string]int64 // records without a row, by reason

	format       Format
	caseID, user string
	windows      map[int64]bool  // that asked for the mailbox
	elsewhere    []verify.Window // of which the file has nothing
	sorter       *sortfile.Sorter
	printable    printable
	parser       *parser
	key, data    []byte // scratch
	row          []byte
}

func (g *Gathered) without() (n int64) {
	for _, k := range g.Without {
		n += k
	}
	return n
}

// Gather reads the activities of one mailbox out of a verified container. Whoever gets a [Gathered] closes it.
func (f Format) Gather(ctx context.Context, c *verify.Container, o Options) (*Gathered, extract.Summary, error) {
	g := f.begin(c, o)
	sum, err := g.read(ctx, c, o)
	if err != nil {
		return nil, sum, errors.Join(err, g.Close())
	}
	return g, sum, nil
}

// begin makes one without records.
func (f Format) begin(c *verify.Container, o Options) *Gathered {
	g := &Gathered{Without: map[string]int64{}, windows: map[int64]bool{}, format: f, caseID: c.CaseID(), user: o.User, printable: newPrintable(), parser: newParser(),
		sorter: sortfile.New(sortfile.Options{Descending: f.newest, TempDir: o.TempDir})}
	for _, w := range o.Windows {
		if w.Source == Source && export.SameMailbox(w.User, o.User) {
			g.windows[w.Window] = true
		} else {
			g.elsewhere = append(g.elsewhere, w)
		}
	}
	return g
}

func (g *Gathered) read(ctx context.Context, c *verify.Container, o Options) (extract.Summary, error) {
	return extract.Extract(ctx, c, extract.Options{Sources: []string{Source}, Native: true, RecordLimit: recordLimit, TempDir: o.TempDir}, g.add)
}

// Close removes temporary files.
func (g *Gathered) Close() error { return g.sorter.Close() }

// add takes a record.
func (g *Gathered) add(r *extract.Record) error {
	if !g.windows[r.Window] { // a record that is not interpreted names no mailbox
		return nil
	}
	row, a, why, err := g.make(r)
	if err != nil {
		return err
	}
	if why == "" {
		g.Rows++
	} else {
		g.Without[why]++
	}
	g.data = binary.AppendUvarint(g.data[:0], uint64(len(row)))
	g.data = append(g.data, row...)
	g.data = appendLoss(g.data, r, a, why)
	g.key = appendKey(g.key[:0], r.Time, g.format.newest)
	return g.sorter.Add(g.key, g.data)
}

// make makes the row of a record, or says why it has none.
func (g *Gathered) make(r *extract.Record) (row []byte, a *activity, why string, err error) {
	if r.Native == nil || r.Flags&(extract.TooManyMembers|extract.TooLarge|extract.TooDeep) != 0 {
		return nil, nil, WhyNotInterpreted, nil
	}
	v, err := g.parser.parse(r.Native)
	if err != nil {
		return nil, nil, "", err
	}
	if a, why = g.printable.newActivity(v); why != "" {
		return nil, a, why, nil
	}
	if r.Flags.Has(extract.DuplicateID) && !r.Flags.Has(extract.DuplicateIDOtherBytes) {
		return nil, a, WhyRepeat, nil
	}
	g.row, why = g.printable.appendRow(g.row[:0], a)
	return g.row, a, why, nil
}

// appendKey appends what a time is sorted by. What has no time comes last, whatever the order.
func appendKey(b []byte, t string, newest bool) []byte {
	if t == "" {
		if newest {
			return append(b, 0)
		}
		return append(b, 1)
	}
	number := func(from, to int) int {
		n, _ := strconv.Atoi(t[from:to]) // an extracted time has digits there
		return n
	}
	at := time.Date(number(0, 4), time.Month(number(5, 7)), number(8, 10), number(11, 13), number(14, 16), number(17, 19), 0, time.UTC).Unix()
	fraction := strings.TrimRight(t[len("2006-01-02T15:04:05"):], "Z")
	if i := strings.IndexAny(fraction, "+-"); i >= 0 {
		zone := fraction[i:]
		minutes, hours := zone[4:], zone[1:3]
		h, _ := strconv.Atoi(hours)
		m, _ := strconv.Atoi(minutes)
		offset := int64(h*60+m) * 60
		if zone[0] == '+' {
			offset = -offset
		}
		at += offset
		fraction = fraction[:i]
	}
	class := byte(0)
	if newest {
		class = 1
	}
	b = binary.BigEndian.AppendUint64(append(b, class), uint64(at)+1<<63)
	fraction = strings.TrimRight(fraction, "0.")
	return append(b, fraction[:min(len(fraction), maxFraction)]...)
}

// maxFraction is how many digits of a second are looked at, with the point.
const maxFraction = 64

// Write writes the file, and to losses, unless that is nil, what it leaves out. It can be called once.
func (g *Gathered) Write(ctx context.Context, csv, losses io.Writer) error {
	out := &files{csv: newPen(csv), losses: newPen(io.Discard)}
	if losses != nil {
		out.losses = newPen(losses)
	}
	if g.format.bom {
		out.csv.WriteString("\ufeff")
	}
	out.csv.WriteString(strings.Join(columns(), ",") + "\n")
	out.losses.Write(g.appendHead(nil))
	for i := range g.elsewhere {
		out.losses.Write(appendWindow(nil, &g.elsewhere[i]))
	}
	err := g.sorter.Each(func(_, data []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return out.record(data)
	})
	if err != nil {
		return err
	}
	if out.rows != g.Rows {
		return fmt.Errorf("%d rows were gathered and %d written", g.Rows, out.rows)
	}
	return errors.Join(out.csv.Flush(), out.losses.Flush())
}
