package custody

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

const (
	firstLine = "exhibit custody v1"
	maxSize   = 1<<53 - 1
)

// The events that a record may tell of.
const (
	Created     = "created"
	Sealed      = "sealed"
	Verified    = "verified"
	Copied      = "copied"
	Transferred = "transferred"
	Received    = "received"
	Accessed    = "accessed"
	Exported    = "exported"
	Redacted    = "redacted"
	Stored      = "stored"
	Destroyed   = "destroyed"
)

// Events lists them all.
func Events() []string {
	return []string{Created, Sealed, Verified, Copied, Transferred, Received, Accessed, Exported, Redacted, Stored, Destroyed}
}

// A Hash is a SHA-256.
type Hash = evidence.Hash

// A Party is a person who did something.
type Party struct {
	Name         string `json:"name"`
	Organisation string `json:"organisation"`
	Contact      string `json:"contact"`
}

// A Record is one event in the life of a sealed case. Fields that do not apply are empty.
type Record struct {
	Origin      string // of the case
	Sequence    int    // from 1
	ID          string // 32 hexadecimal digits
	Previous    Hash   // of the file of the record before
	Answers     *Hash  // of a receipt: of the file of the release
	Time        time.Time
	Zone        string // what the clock on the wall differed from UTC: "+02:00"
	Event       string
	Exhibit     string
	Description string
	Container   Hash  // of tagmanifest-sha256.txt as it was made again
	Size        int64 // bytes of data/

	By, ReleasedBy, ReceivedBy Party // By, or both others of a hand-over

	Purpose, Authority, Method, FromPlace, ToPlace, Storage, Condition, Changes, Result string

	Tool string
	Key  trust.VKey // of who signs
}

// Signer is the party that signs the record.
func (r *Record) Signer() Party {
	switch r.Event {
	case Transferred:
		return r.ReleasedBy
	case Received:
		return r.ReceivedBy
	}
	return r.By
}

// line is a line of the text: its name, and where its value is.
type line struct {
	name     string
	value    *string
	required bool
}

// texts is a record with the values that are not text as they are written.
type texts struct {
	sequence, previous, answers, time, container, size, key string
}

// lines are the lines of a record in their order (docs/container.md, 12.2).
func (r *Record) lines(t *texts) []line {
	handover := r.Event == Transferred || r.Event == Received
	return []line{{"sequence", &t.sequence, true}, {"id", &r.ID, true}, {"previous", &t.previous, true}, {"answers", &t.answers, false},
		{"time", &t.time, true}, {"zone", &r.Zone, true}, {"event", &r.Event, true}, {"exhibit", &r.Exhibit, true}, {"description", &r.Description, false},
		{"container", &t.container, true}, {"size", &t.size, true},
		{"by", &r.By.Name, !handover}, {"by-organisation", &r.By.Organisation, false}, {"by-contact", &r.By.Contact, false},
		{"released-by", &r.ReleasedBy.Name, handover}, {"released-by-organisation", &r.ReleasedBy.Organisation, false}, {"released-by-contact", &r.ReleasedBy.Contact, false},
		{"received-by", &r.ReceivedBy.Name, handover}, {"received-by-organisation", &r.ReceivedBy.Organisation, false}, {"received-by-contact", &r.ReceivedBy.Contact, false},
		{"purpose", &r.Purpose, false}, {"authority", &r.Authority, false}, {"method", &r.Method, false}, {"from-place", &r.FromPlace, false}, {"to-place", &r.ToPlace, false},
		{"storage", &r.Storage, false}, {"condition", &r.Condition, false}, {"changes", &r.Changes, false}, {"result", &r.Result, r.Event == Verified},
		{"tool", &r.Tool, true}, {"key", &t.key, true}}
}

// Text returns the text to sign. It fails where the record is none that [ParseRecord] reads.
func (r *Record) Text() (string, error) {
	t := texts{sequence: strconv.Itoa(r.Sequence), previous: r.Previous.String(), time: r.Time.UTC().Format(warc.DateLayout), container: r.Container.String(),
		size: strconv.FormatInt(r.Size, 10), key: r.Key.String()}
	if r.Answers != nil {
		t.answers = r.Answers.String()
	}
	var b strings.Builder
	b.WriteString(firstLine + "\n" + r.Origin + "\n")
	for _, l := range r.lines(&t) {
		if *l.value != "" {
			b.WriteString(l.name + ": " + *l.value + "\n")
		}
	}
	again, err := ParseRecord(b.String())
	if err != nil {
		return "", err
	}
	if again.Key != r.Key || !again.Time.Equal(r.Time.Truncate(time.Microsecond)) {
		return "", errors.New("malformed custody record: it would be read as another one")
	}
	return b.String(), nil
}

// ParseRecord reads the text of a record and accepts only what [Record.Text] writes.
func ParseRecord(text string) (*Record, error) {
	r, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("malformed custody record: %w", err)
	}
	return r, nil
}

func parse(text string) (*Record, error) {
	body, ended := strings.CutSuffix(text, "\n")
	rows := strings.Split(body, "\n")
	if !ended || len(rows) < 3 || rows[0] != firstLine {
		return nil, fmt.Errorf("it does not begin with %q", firstLine)
	}
	r := &Record{Origin: rows[1]}
	if err := trust.CheckName(r.Origin); err != nil {
		return nil, fmt.Errorf("origin: %w", err)
	}
	var t texts
	all := r.lines(&t)
	rows = rows[2:]
	for _, l := range all {
		if len(rows) == 0 {
			break
		}
		name, value, ok := strings.Cut(rows[0], ": ")
		if name != l.name {
			continue
		}
		if !ok {
			return nil, fmt.Errorf("line %q has no value", clip(rows[0]))
		}
		if err := bag.CheckValue(value); err != nil {
			return nil, fmt.Errorf("value of %s: %w", l.name, err)
		}
		*l.value, rows = value, rows[1:]
	}
	if len(rows) > 0 {
		return nil, fmt.Errorf("line %q is none that a record has there", clip(rows[0]))
	}
	for _, l := range r.lines(&t) {
		if l.required && *l.value == "" {
			return nil, fmt.Errorf("it has no %s", l.name)
		}
	}
	if err := r.fill(&t); err != nil {
		return nil, err
	}
	return r, r.check()
}

// fill reads what is not text.
func (r *Record) fill(t *texts) (err error) {
	if r.Sequence, err = strconv.Atoi(t.sequence); err != nil || r.Sequence < 1 || r.Sequence > maxRecords || strconv.Itoa(r.Sequence) != t.sequence {
		return fmt.Errorf("sequence %q is no number from 1 to %d", clip(t.sequence), maxRecords)
	}
	if r.Size, err = strconv.ParseInt(t.size, 10, 64); err != nil || r.Size < 0 || r.Size > maxSize || strconv.FormatInt(r.Size, 10) != t.size {
		return fmt.Errorf("size %q is no number of bytes", clip(t.size))
	}
	if r.Previous, err = parseHash(t.previous); err != nil {
		return fmt.Errorf("previous: %w", err)
	}
	if r.Container, err = parseHash(t.container); err != nil {
		return fmt.Errorf("container: %w", err)
	}
	if t.answers != "" {
		h, err := parseHash(t.answers)
		if err != nil {
			return fmt.Errorf("answers: %w", err)
		}
		r.Answers = &h
	}
	at, ok := warc.ParseDate(t.time)
	if !ok {
		return fmt.Errorf("time %q is no time", clip(t.time))
	}
	r.Time = at
	if r.Key, err = trust.ParseVKey(t.key); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	return nil
}

// isID reports whether s is 32 lower-case hexadecimal digits.
func isID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16 && hex.EncodeToString(b) == s
}

// isZone reports whether s is +hh:mm or -hh:mm.
func isZone(s string) bool {
	if len(s) != 6 || s[0] != '+' && s[0] != '-' {
		return false
	}
	at, err := time.Parse("15:04", s[1:])
	return err == nil && at.Format("15:04") == s[1:]
}

// check holds the values against each other.
func (r *Record) check() error {
	handover := r.Event == Transferred || r.Event == Received
	switch none := (Party{}); {
	case !slices.Contains(Events(), r.Event):
		return fmt.Errorf("event %q is none that is known", clip(r.Event))
	case !isID(r.ID):
		return fmt.Errorf("id %q is not 32 hexadecimal digits", clip(r.ID))
	case !isZone(r.Zone):
		return fmt.Errorf("zone %q is not +hh:mm or -hh:mm", clip(r.Zone))
	case r.Answers != nil && r.Event != Received:
		return fmt.Errorf("event %s answers nothing", r.Event)
	case handover && r.By != none, !handover && (r.ReleasedBy != none || r.ReceivedBy != none):
		return fmt.Errorf("event %s has other parties", r.Event)
	case r.Result != "" && r.Event != Verified:
		return fmt.Errorf("event %s has no result", r.Event)
	}
	return nil
}

func parseHash(s string) (h Hash, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != s {
		return h, fmt.Errorf("%q is not 64 lower-case hexadecimal digits", clip(s))
	}
	return Hash(b), nil
}

// clip shortens hostile input for an error.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
