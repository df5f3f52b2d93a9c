package views

import (
	"context"
	"encoding/binary"
	"io"

	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// Source is the one whose records views are made of.
const Source = "outlook-activities"

// Options direct a view. The zero value is ready for use.
type Options struct {
	// User narrows the view to the mailbox of this user, in any case of letters; empty means all mailboxes, one after another.
	User string
	// TempDir receives the files that sorting may need; empty means the system's. They have no names, or are removed at the end.
	TempDir string
	// Memory is how many bytes each of the up to ten sorters holds before it writes them; 0 means 8 MiB.
	Memory int
	// Workers is as in [extract.Options]. The view does not depend on it.
	Workers int
	// Escape makes a text safe for the terminal, on one line. The format table needs it.
	Escape func(string) string
}

// Summary says what was made.
type Summary struct {
	// Extract is of the records below, all of them.
	Extract extract.Summary
	// Rows is how many rows the view has.
	Rows int64
	// Repeats is how many records were left out because another one has the same id, and Differing how many events have records that say different things.
	Repeats, Differing int64
	// How counts rows by how they were attributed.
	How map[string]int64
}

// Write makes a view of a verified container's activities and writes it to w. The same activities give the same rows in whatever order they were acquired; only
// where they stand in the evidence then differs. It fails when ctx ends, when w fails, when the container is not any more what was verified, or when a temporary file cannot be used.
// The summary is valid beside an error, for what was done until then.
func Write(ctx context.Context, c *verify.Container, k Kind, f Format, opt Options, w io.Writer) (sum Summary, err error) {
	room := newScratch(ctx, &opt)
	defer func() {
		if cerr := room.close(); err == nil {
			err = cerr
		}
	}()
	v := &view{Kind: k, room: room, user: opt.User, events: room.sorter(), sum: &sum}
	v.linker, v.mails = newLinker(room), newMails(room)
	to := &frames{[3]*sorter{tagEvent: v.events, tagSign: v.linker.sessions, tagMail: v.mails.told}}
	sum.Extract, err = extract.Write(ctx, c, extract.Options{Sources: []string{Source}, TempDir: opt.TempDir, Workers: opt.Workers}, to,
		func() extract.Encoder { return &gatherer{view: v} })
	if err != nil {
		return sum, err
	}
	if sum.How, err = v.write(c.CaseID(), f.writer(w, k, &opt)); err != nil {
		return sum, err
	}
	return sum, nil
}

// view makes one view.
type view struct {
	Kind
	room   *scratch
	user   string
	events *sorter // by mailbox, time, id
	linker *linker
	mails  *mails
	rows   *sorter // by n
	next   uint64  // the n of the next row
	sum    *Summary
}

// write makes rows of what was gathered.
func (v *view) write(caseID string, out *writer) (map[string]int64, error) {
	if err := v.collapse(); err != nil {
		return nil, err
	}
	v.rows = v.room.sorter()
	if err := v.number(); err != nil {
		return nil, err
	}
	if err := v.events.close(); err != nil {
		return nil, err
	}
	how := make(map[string]int64)
	words := howWords()
	err := v.join(func(r *row) error {
		how[words[r.a.how]]++
		v.sum.Rows++
		r.caseID = caseID
		return out.row(r)
	})
	if err != nil {
		return nil, err
	}
	return how, out.end()
}

// collapse makes one event of records with the same id. Those that say the same stand side by side by time; only where some do not, all are put in the order of their ids.
func (v *view) collapse() error {
	if v.sum.Extract.Flags["duplicate_id_other_bytes"] > 0 {
		ids := v.room.sorter()
		if err := v.events.each(func(key, value []byte) error {
			var e event
			decodeEvent(&e, value)
			group := groupOf(key, 1)
			id := appendKey(append([]byte(nil), group...), e.text[fID])
			return ids.add(append(id, key[len(group):]...), value)
		}); err != nil {
			return err
		}
		if err := v.events.close(); err != nil {
			return err
		}
		v.events = ids
	}
	once := v.room.sorter()
	var held event
	have := false
	put := func() error {
		if !have {
			return nil
		}
		if held.differs {
			v.sum.Differing++
		}
		key := appendInstant(appendKey(nil, held.text[fMailbox]), held.at)
		key = append(appendKey(key, held.text[fID]), held.sha[:]...)
		key = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(key, uint64(held.seq)), uint64(held.offset))
		return once.add(key, held.append(nil))
	}
	err := v.events.each(func(_, value []byte) error {
		var e event
		decodeEvent(&e, value)
		if have && e.text[fID] != "" && e.text[fID] == held.text[fID] && e.text[fMailbox] == held.text[fMailbox] {
			held.again(&e)
			v.sum.Repeats++
			return nil
		}
		err := put()
		held, have = e, true
		return err
	})
	if err == nil {
		err = put()
	}
	if err == nil {
		err = v.events.close()
	}
	v.events = once
	return err
}

// again notes another record of the event.
func (e *event) again(o *event) {
	e.copies++
	e.differs = e.differs || e.sha != o.sha
	if len(e.also) < maxAlso {
		e.also = append(e.also, place{o.seq, o.text[fPointer]})
	}
}

// number gives each row its place in the view, and everything to those who link.
func (v *view) number() error {
	switch v.order {
	case byItem:
		return v.byItem()
	case bySearch:
		return v.bySearch()
	}
	return v.events.each(func(_, value []byte) error {
		var e event
		decodeEvent(&e, value)
		return v.place(&e, nil)
	})
}

// place gives an event the next number. extra is what else belongs to its row.
func (v *view) place(e *event, extra func([]byte) []byte) error {
	v.next++
	e.n = v.next
	isRow := v.row(e.text[fType])
	if v.link {
		if err := v.linker.add(e, isRow); err != nil {
			return err
		}
	}
	if !isRow {
		return nil
	}
	if v.dictionary {
		if err := v.mails.ask(e); err != nil {
			return err
		}
	}
	value := e.append(nil)
	if extra != nil {
		value = extra(value)
	}
	return v.rows.add(binary.BigEndian.AppendUint64(nil, e.n), value)
}

// byItem puts the rows of each item together. Items come in the order of their first rows.
func (v *view) byItem() error {
	items, ordered := v.room.sorter(), v.room.sorter()
	at := uint64(0)
	err := v.events.each(func(_, value []byte) error {
		var e event
		decodeEvent(&e, value)
		if !v.row(e.text[fType]) {
			return v.place(&e, nil)
		}
		at++
		return items.add(binary.BigEndian.AppendUint64(appendKey(appendKey(nil, e.text[fMailbox]), e.text[fItem]), at), value)
	})
	if err != nil {
		return err
	}
	var group, first []byte
	err = items.each(func(key, value []byte) error {
		g, own := key[:len(key)-8], key[len(key)-8:]
		if string(g) != string(group) || first == nil {
			group, first = append(group[:0], g...), append([]byte(nil), own...)
		}
		return ordered.add(append(append([]byte(nil), first...), own...), value)
	})
	if err != nil {
		return err
	}
	return ordered.each(func(_, value []byte) error {
		var e event
		decodeEvent(&e, value)
		return v.place(&e, nil)
	})
}

// join brings together what belongs to each row.
func (v *view) join(emit func(*row) error) error {
	var links, mails *byNumber
	var from *sorter
	var err error
	if v.link {
		if from, err = v.linker.finish(); err != nil {
			return err
		}
	}
	if links, err = numbered(from); err != nil {
		return err
	}
	from = nil
	if v.dictionary {
		if from, err = v.mails.finish(); err != nil {
			return err
		}
	}
	if mails, err = numbered(from); err != nil {
		return err
	}
	return v.rows.each(func(_, value []byte) error {
		var r row
		in := reader{string(value)}
		in.event(&r.e)
		if v.order == bySearch {
			in.search(&r.s)
		}
		link, err := links.take(r.e.n)
		if err != nil {
			return err
		}
		if link != nil {
			link.attribution(&r.a)
		}
		m, err := mails.take(r.e.n)
		if err != nil {
			return err
		}
		if m != nil {
			m.mail(&r.m)
			r.m.fill(&r.e)
		}
		return emit(&r)
	})
}
