package simulation

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/boltread"
	"github.com/exhibit-dfir/exhibit/evidence/ledger"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
	"github.com/exhibit-dfir/exhibit/verify"
)

// entries are all entries of the case as it lies on the disk. They are read once for each state of it.
func (w *world) entries() (list []*evidence.Entry) {
	if w.read.disk == w.disk && w.read.ops == w.disk.Ops() {
		return w.read.entries
	}
	defer func() { w.read = reading{w.disk, w.disk.Ops(), list} }()
	for b, err := range evidence.Batches(context.Background(), w.disk.FS()) {
		if err != nil {
			break // a torn tail: what stands before it counts
		}
		list = append(list, b.Entries...)
	}
	return list
}

// reading is what was read of one state of the disk.
type reading struct {
	disk    *disk
	ops     int
	entries []*evidence.Entry
}

// pages are the exchanges that count as pages (docs/container.md, 4.9).
func pages(entries []*evidence.Entry) (list []*evidence.Entry) {
	replaced := map[int64]bool{}
	for _, e := range entries {
		if x, ok := e.Body.(*evidence.Exchange); ok && x.RetryOf >= 0 {
			replaced[x.RetryOf] = true
		}
	}
	for _, e := range entries {
		if x, ok := e.Body.(*evidence.Exchange); ok && e.Head.Status == 200 && x.Ended == "complete" && !replaced[e.Head.Seq] {
			list = append(list, e)
		}
	}
	return list
}

// check is what the verifier says of the case as it lies on the disk.
func (w *world) check(deep bool) (*verify.Report, *verify.Container) {
	r, c, err := verify.Check(context.Background(), w.disk.FS(), verify.Options{Deep: deep})
	if err != nil {
		w.say("check: %v", err)
		return nil, nil
	}
	return r, c
}

// incomplete requires that the verifier calls the case incomplete and nothing in it damaged (I2, I7).
func (w *world) incomplete(when string) {
	if r, _ := w.check(false); r != nil && r.Exit() != verify.ExitIncomplete {
		w.say("%s the check ends with %d: %v", when, r.Exit(), codes(r))
	}
}

func codes(r *verify.Report) (words []string) {
	for _, f := range r.Findings {
		words = append(words, fmt.Sprintf("%s (%s, %s)", f.Code, f.Path, f.Detail))
	}
	return words
}

// nothingLost requires that every byte that stood in a segment before the case was opened is still there, or is the record of a gap entry (I2).
func (w *world) nothingLost(before map[string][]byte) {
	now := w.disk.Files()
	for name, old := range before {
		if !strings.HasPrefix(name, evidence.SegmentsPath+"/") || bytes.HasPrefix(now[name], old) {
			continue
		}
		torn := map[string]bool{}
		for _, e := range w.entries() {
			if gap, ok := e.Body.(*evidence.Gap); ok && gap.Reason == evidence.GapTorn {
				torn[fmt.Sprintf("%s %d %s", evidence.SegmentPath(gap.Segment), gap.Offset, e.Detail.Records[0].Block)] = true
			}
		}
		cut := len(now[name])
		if !bytes.HasPrefix(old, now[name]) {
			cut = 0 // the whole file was replaced
		}
		if !torn[fmt.Sprintf("%s %d %x", name, cut, sha256.Sum256(old[cut:]))] {
			w.say("%d bytes of %s are gone and in no gap entry", len(old)-cut, name)
		}
	}
}

// openTwice opens and closes the case twice: the second time nothing changes (I9).
func (w *world) openTwice() {
	var files [2]map[string][]byte
	for k := range files {
		c, ok := w.openOrDie()
		if !ok {
			return
		}
		if err := c.close(); err != nil {
			w.say("opened and closed: %v", err)
		}
		w.disk = w.disk.next()
		files[k] = w.disk.Files()
	}
	for name, content := range files[1] {
		if !strings.HasPrefix(name, evidence.WorkPath+"/") && !bytes.Equal(files[0][name], content) {
			w.say("opening once more changes %s", name)
		}
	}
}

// blocks are the blocks of an entry's records.
func (w *world) blocks(e *evidence.Entry) (list [][]byte) {
	for _, at := range e.Located {
		var b bytes.Buffer
		file, size, err := evidence.OpenSegment(w.disk.FS(), int64(at.Segment))
		if err == nil {
			_, err = warc.CopyBlock(context.Background(), w.dec, file, at.Offset, min(size, at.Offset+at.Length), &b)
			file.Close()
		}
		if err != nil {
			w.say("record of entry %d: %v", e.Head.Seq, err)
		}
		list = append(list, b.Bytes())
	}
	return list
}

// rows are the ids on a page, read by net/http and encoding/json.
func (w *world) rows(e *evidence.Entry) (ids []string) {
	blocks := w.blocks(e)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(blocks[1])), nil)
	if err != nil {
		w.say("page %d: %v", e.Head.Seq, err)
		return nil
	}
	var body io.Reader = resp.Body
	if resp.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			w.say("page %d: %v", e.Head.Seq, err)
			return nil
		}
	}
	var list struct {
		Value []struct {
			ID string `json:"Id"`
		}
	}
	if err := json.NewDecoder(body).Decode(&list); err != nil {
		w.say("page %d: %v", e.Head.Seq, err)
	}
	for _, row := range list.Value {
		if row.ID != "" {
			ids = append(ids, row.ID)
		}
	}
	return ids
}

// judge holds the sealed case against all that happened.
func (w *world) judge(n *count) {
	r, c := w.check(true)
	if r == nil || c == nil {
		return
	}
	// A window that stayed partial and was asked for again is completed by the later one.
	if r.Exit() != verify.ExitVerified {
		w.say("sealed, and the check ends with %d: %v", r.Exit(), codes(r))
	}
	sealed := w.disk.Files()
	if c, err := w.open(false); !errors.Is(err, evidence.ErrSealed) {
		w.say("a sealed case is opened: %v", err)
		if err == nil {
			c.close()
		}
	}
	if !maps.EqualFunc(sealed, w.disk.Files(), bytes.Equal) {
		w.say("after the seal something changed")
	}
	entries := w.entries()
	n.entries, n.requests = len(entries), len(w.tenant.Requests())
	w.acknowledged(entries)
	w.declared(entries, n)
	w.verbatim(entries)
	w.heads(entries)
	w.sameIndex()
	w.extracted(c)
}

// acknowledged requires each entry that was acknowledged (I1), in the order in which that happened.
func (w *world) acknowledged(entries []*evidence.Entry) {
	last := int64(-1)
	for _, a := range w.acks {
		if a.seq >= int64(len(entries)) || string(entries[a.seq].HeadLine) != a.line {
			w.say("entry %d was acknowledged and is gone", a.seq)
		}
		if a.seq <= last {
			w.say("entry %d was acknowledged after entry %d", a.seq, last)
		}
		last = a.seq
	}
}

// declared requires of each run one end, its own or a gap, and of each request of the service an exchange, but for one with each gap (I6).
func (w *world) declared(entries []*evidence.Entry, n *count) {
	ends, recorded, gaps := map[string]int{}, map[string]bool{}, 0
	for _, e := range entries {
		switch b := e.Body.(type) {
		case *evidence.Exchange:
			recorded[b.RequestID] = true
		case *evidence.Operator:
			switch b.Action {
			case evidence.ActionRunStart:
				ends[e.Detail.Run] += 0
			case evidence.ActionRunStop:
				ends[e.Detail.Run]++
			}
		case *evidence.Gap:
			if b.Reason == evidence.GapTorn {
				n.torn++
			} else {
				ends[b.LostRun]++
				gaps++
			}
		}
	}
	for run, k := range ends {
		if k != 1 {
			w.say("run %s has %d ends", run, k)
		}
	}
	lost := 0
	for _, r := range w.tenant.Requests() {
		if !recorded[r.ClientRequestID] {
			lost++
		}
	}
	if lost > gaps {
		w.say("%d requests are in no exchange, %d gaps can explain %d", lost, gaps, gaps)
	}
}

// verbatim requires that what is recorded of a connection is what the client read from it, byte for byte. Of a run that died the end may be missing.
func (w *world) verbatim(entries []*evidence.Entry) {
	if w.script.tls {
		return // what crossed inside TLS, the network does not see
	}
	stopped := map[string]bool{}
	for _, e := range entries {
		if b, ok := e.Body.(*evidence.Operator); ok && b.Action == evidence.ActionRunStop {
			stopped[e.Detail.Run] = true
		}
	}
	got, run := map[int64][]byte{}, map[int64]string{}
	port := map[int64]int{}
	for _, e := range entries {
		switch b := e.Body.(type) {
		case *evidence.Connection:
			if local, err := netip.ParseAddrPort(b.Local); err == nil {
				port[e.Head.Seq], run[e.Head.Seq] = int(local.Port()), e.Detail.Run
			}
		case *evidence.Exchange:
			for _, block := range w.blocks(e)[1:] {
				got[b.Connection] = append(got[b.Connection], block...)
			}
		case *evidence.Operator:
			for _, f := range b.Fields {
				if seq, err := strconv.ParseInt(f.Value, 10, 64); f.Name == "connection" && err == nil {
					got[seq] = append(got[seq], bytes.Join(w.blocks(e), nil)...)
				}
			}
		}
	}
	for seq, p := range port {
		heard := w.heard[p]
		if !bytes.HasPrefix(heard, got[seq]) || stopped[run[seq]] && len(heard) != len(got[seq]) {
			w.say("connection %d: %d bytes came, %d are recorded, and the one is not the other", seq, len(heard), len(got[seq]))
		}
	}
}

// heads requires that no entry waited longer for a head than docs/container.md, 5.4, allows, whatever the wall clock said.
func (w *world) heads(entries []*evidence.Entry) {
	var sizes []int64
	for size := range w.disk.notes {
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	for _, a := range w.acks {
		k, _ := slices.BinarySearch(sizes, a.seq+1)
		end := time.Time{}
		for _, t := range w.ends {
			if t.After(a.at) {
				end = t
				break
			}
		}
		due := a.at.Add(time.Minute + time.Second)
		if !end.IsZero() && end.Before(due) {
			continue // the process ended before one was due
		}
		if k == len(sizes) || w.disk.notes[sizes[k]].After(due) {
			w.say("entry %d of %v had no head by %v", a.seq, a.at, due)
		}
	}
}

// sameIndex requires that the index that grew with the case holds the rows of the sealed one, which was made from the segments (I3).
func (w *world) sameIndex() {
	x, err := ledger.Open(w.indexPath(), ledger.Options{})
	if err != nil {
		w.say("%v", err)
		return
	}
	if err := errors.Join(evidence.CatchUp(context.Background(), w.disk.FS(), x, position(w)), x.Close()); err != nil {
		w.say("the index: %v", err)
		return
	}
	content, err := os.ReadFile(filepath.Clean(w.indexPath()))
	if err != nil {
		w.say("%v", err)
		return
	}
	have, err := rowsOf(content)
	want, werr := rowsOf(w.disk.Files()[evidence.LedgerPath])
	if err := errors.Join(err, werr); err != nil {
		w.say("the index: %v", err)
		return
	}
	for b, err := range evidence.Batches(context.Background(), w.disk.FS()) { // the index of an open case knows the places of batches besides
		if err != nil {
			w.say("the batches: %v", err)
			return
		}
		want[fmt.Sprintf("places %016x%016x", b.Segment, b.Offset)] = []byte{}
	}
	if !maps.EqualFunc(have, want, bytes.Equal) {
		w.say("the index differs from the segments")
	}
}

// position is the end of the container.
func position(w *world) (p evidence.Position) {
	for b, err := range evidence.Batches(context.Background(), w.disk.FS()) {
		if err == nil {
			p = evidence.PositionOf(b)
		}
	}
	return p
}

// rowsOf reads all rows of an index, by bucket and key.
func rowsOf(content []byte) (map[string][]byte, error) {
	f, err := boltread.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	buckets, err := f.Buckets()
	if err != nil {
		return nil, err
	}
	rows := map[string][]byte{}
	for _, b := range buckets {
		c := b.Cursor()
		for ok := c.First(); ok; ok = c.Next() {
			rows[fmt.Sprintf("%s %x", b.Name(), c.Key())] = bytes.Clone(c.Value())
		}
		if c.Err() != nil {
			return nil, c.Err()
		}
	}
	return rows, nil
}
