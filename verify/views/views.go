package views

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"io"
	"sync"
	"time"

	"github.com/exhibit-dfir/exhibit/verify"
	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// Source is the one whose records views are made of.
const Source = "outlook-activities"

// Options direct a view. The zero value is ready for use.
type Options struct {
	// User narrows the view to the mailbox of this user, whatever the case of ASCII letters; empty means all mailboxes, one after another.
	User string
	// TempDir receives the files that sorting may need; empty means the system's. They have no names, or are removed at the end.
	TempDir string
	// Memory is how many bytes each of the up to ten sorters holds before it writes them; 0 means 6 MiB.
	Memory int
	// Filter chooses rows.
	Filter Filter
	// Workers is as in [extract.Options]. The view does not depend on it.
	Workers int
	// Escape makes a text safe for the terminal, on one line. The format table needs it.
	Escape func(string) string
}

// Summary says what was made.
type Summary struct {
	// Extract is of the records below, all of them.
	Extract extract.Summary
	// Rows is how many rows are shown.
	Rows int64
	// Left is what the filter left out. Rows and Left.Rows together are how many rows the view has.
	Left Left
	// First and Last are the times of the earliest and the latest event that the view has, shown or not; zero if there is none with a time.
	First, Last time.Time
	// Repeats is how many records were left out because another one has the same id, and Differing how many events have records that say different things.
	Repeats, Differing int64
	// How counts rows that are shown, or the events of the sessions that are, by how they were attributed.
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
	v := &view{Kind: k, room: room, user: opt.User, filter: newFilter(&opt.Filter), seed: maphash.MakeSeed(), events: room.sorter(), sum: &sum}
	brief := k.order == bySession
	v.linker, v.mails, v.places = newLinker(room, brief), newMails(room, brief), room.sorter()
	v.linker.addressed = v.filter.addressed()
	to := &frames{[3]*sorter{tagEvent: v.events, tagSign: v.linker.sessions, tagMail: v.mails.told}}
	sum.Extract, err = extract.Write(ctx, c, extract.Options{Sources: []string{Source}, TempDir: opt.TempDir, Workers: opt.Workers}, to,
		func() extract.Encoder { return &gatherer{view: v} })
	if err != nil {
		return sum, err
	}
	sum.How = make(map[string]int64)
	out := f.writer(w, k, c.CaseID(), &opt)
	err = v.write(out)
	sum.Rows = out.rows
	return sum, err
}

// view makes one view.
type view struct {
	Kind
	room   *scratch
	user   string
	filter *filter
	seed   maphash.Seed // of what records say, which is compared and not shown
	events *sorter      // by mailbox, time, time of creation, id
	linker *linker
	mails  *mails
	places *sorter  // by mailbox, address, time: logons
	rows   *sorter  // by n
	next   uint64   // the n of the next row
	first  *instant // of the rows that have a time, shown or not; nil if there is none
	last   *instant
	sum    *Summary
}

// write makes rows of what was gathered.
func (v *view) write(out *writer) error {
	v.rows = v.room.sorter()
	if err := v.number(); err != nil {
		return err
	}
	if v.first != nil {
		v.sum.First, v.sum.Last = v.first.time(), v.last.time()
	}
	if err := v.events.Close(); err != nil {
		return err
	}
	var err error
	if v.order == bySession {
		err = v.writeSessions(out)
	} else {
		err = v.writeRows(out)
	}
	if err != nil {
		return err
	}
	return out.end()
}

func (v *view) writeRows(out *writer) error {
	var values []value
	written := newLane(func(r *row) error {
		values = out.appendValues(values[:0], r)
		return out.write(values)
	})
	return written.end(v.join(written.send))
}

// collapse gives each event once, in the order of mailbox and time, however many records have its id. Records that say the same stand side by side by time; only
// where some do not, all are put in the order of their ids first.
func (v *view) collapse(emit func(*event) error) error {
	if v.sum.Extract.Flags["duplicate_id_other_bytes"] == 0 {
		return v.once(v.events, emit)
	}
	ids, sorted := v.room.sorter(), v.room.sorter()
	if err := v.events.each(func(key, value []byte) error {
		var e event
		decodeEvent(&e, value)
		group := groupOf(key, 1)
		id := appendKey(append([]byte(nil), group...), e.text[fID])
		return ids.add(append(id, key[len(group):]...), value)
	}); err != nil {
		return err
	}
	if err := v.events.Close(); err != nil {
		return err
	}
	if err := v.once(ids, func(e *event) error {
		key := append(e.orderKey(nil), e.sha[:]...)
		key = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(key, uint64(e.seq)), uint64(e.offset))
		return sorted.add(key, e.append(nil))
	}); err != nil {
		return err
	}
	if err := ids.Close(); err != nil {
		return err
	}
	return sorted.each(func(_, value []byte) error {
		var e event
		decodeEvent(&e, value)
		return emit(&e)
	})
}

// once makes one event of neighbours with the same id: the first, which knows of the others.
func (v *view) once(from *sorter, emit func(*event) error) error {
	var held event
	have := false
	put := func() error {
		if !have {
			return nil
		}
		if held.differs {
			v.sum.Differing++
		}
		return emit(&held)
	}
	err := from.each(func(_, value []byte) error {
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
	if err != nil {
		return err
	}
	return put()
}

// again notes another record of the event.
func (e *event) again(o *event) {
	e.copies++
	e.differs = e.differs || e.says != o.says
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
	return v.collapse(func(e *event) error { return v.place(e, nil) })
}

// place gives an event the next number. extra is what else belongs to its row.
func (v *view) place(e *event, extra func([]byte) []byte) error {
	v.next++
	e.n = v.next
	isRow := v.takes(e.text[fType], e.text[fSession])
	if err := v.linker.add(e, isRow); err != nil {
		return err
	}
	if v.fresh && isLogon(e.text[fType]) && e.text[fAddress] != "" {
		to := v.places
		to.key0 = appendInstant(appendKey(appendKey(to.key0[:0], e.text[fMailbox]), e.text[fAddress]), e.at)
		to.key0, to.value0 = binary.BigEndian.AppendUint64(to.key0, e.n), append(to.value0[:0], bit(e.admitted()))
		if err := to.put(); err != nil {
			return err
		}
	}
	if !isRow || !v.consider(e) {
		return nil
	}
	if v.dictionary {
		if err := v.mails.ask(e); err != nil {
			return err
		}
	}
	e.says = 0
	if v.order == bySession { // which has no use for them
		e.sha, e.text[fID] = [sha256.Size]byte{}, ""
	} else {
		e.made = instant{}
	}
	to := v.rows
	to.key0, to.value0 = binary.BigEndian.AppendUint64(to.key0[:0], e.n), e.append(to.value0[:0])
	if extra != nil {
		to.value0 = extra(to.value0)
	}
	return to.put()
}

// byItem puts the rows of each item together. Items come in the order of their first rows.
func (v *view) byItem() error {
	items, ordered := v.room.sorter(), v.room.sorter()
	at := uint64(0)
	err := v.collapse(func(e *event) error {
		if !v.row(e.text[fType]) {
			return v.place(e, nil)
		}
		at++
		return items.add(binary.BigEndian.AppendUint64(appendKey(appendKey(nil, e.text[fMailbox]), e.text[fItem]), at), e.append(nil))
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

// join brings together what belongs to each row. size is about how many bytes that is.
func (v *view) join(emit func(r *row, size int) error) error {
	firsts := v.room.sorter()
	var wait sync.WaitGroup
	var errs [3]error
	wait.Go(func() { errs[0] = v.linker.finish() })
	wait.Go(func() { errs[1] = v.mails.finish() })
	wait.Go(func() { errs[2] = v.firsts(firsts) })
	wait.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	links, err := numbered(v.linker.result)
	if err != nil {
		return err
	}
	mails, err := numbered(v.mails.result)
	if err != nil {
		return err
	}
	fresh, err := numbered(firsts)
	if err != nil {
		return err
	}
	words := howWords()
	return v.rows.each(func(_, value []byte) error {
		r := row{m: mail{delivered: noTime()}}
		in := reader{string(value)}
		in.event(&r.e)
		if v.order == bySearch {
			in.search(&r.s)
		}
		link, err := links.take(r.e.n)
		if err != nil {
			return err
		}
		size := len(value)
		if link != nil {
			size += len(link.s)
			link.attribution(&r.a)
		}
		if v.order != bySession {
			if !v.shows(&r) {
				return nil
			}
			v.sum.How[words[r.a.how]]++
		}
		m, err := mails.take(r.e.n)
		if err != nil {
			return err
		}
		if m != nil {
			size += len(m.s)
			m.mail(&r.m)
			r.m.fill(&r.e)
		}
		first, err := fresh.take(r.e.n)
		if err != nil {
			return err
		}
		r.fresh = first != nil
		return emit(&r, size)
	})
}

// firsts finds the first logon from each address of a mailbox, and the first that led to something. The result is by n.
func (v *view) firsts(result *sorter) error {
	var group []byte
	admitted := false
	return v.places.each(func(key, value []byte) error {
		g := groupOf(key, 2)
		same := string(g) == string(group)
		if same && (admitted || value[0] == 0) {
			return nil
		}
		group, admitted = append(group[:0], g...), value[0] != 0
		return result.add(key[len(key)-8:], nil)
	})
}
