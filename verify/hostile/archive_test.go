//go:build linux

package hostile

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// This file is row B5: packed cases whose names, headers or layout are others than packing gives. They are written by an encoder of its own, which for the good
// case gives what package bag gives.

// header is what a member says of itself in one of its two headers.
type header struct {
	name, comment       string
	extra               []byte
	needs, flags        uint16
	method, time, date  uint16
	crc, packed, size   uint32
	made, disk, intern  uint16 // of the directory alone, as are those below
	attributes, offset  uint32
	offsetSet, leaveOut bool
}

// item is a member of an archive: both of its headers and its bytes.
type item struct {
	local, central header
	data, behind   []byte
}

// archive is an archive as somebody may write one who minds no rule.
type archive struct {
	items                 []*item
	before, between       []byte // before everything; before the directory
	behindDirectory       []byte
	comment, behind       []byte
	count, size, offset   int64 // added to what is right
	disk                  uint16
	wide                  bool // with zip64 records
	wideCount, wideOffset int64
	wideSize              int64
	fieldsFull, noEnd     bool // the fields of the last record are all ones; there is none
}

func newItem(name string, data []byte) *item {
	h := header{name: name, needs: 10, date: 0x21, crc: crc32.ChecksumIEEE(data), packed: uint32(len(data)), size: uint32(len(data))}
	c := h
	c.made, c.attributes = 0x032d, 0o100644<<16
	return &item{local: h, central: c, data: data}
}

// both changes both headers.
func (i *item) both(change func(*header)) {
	change(&i.local)
	change(&i.central)
}

func le16(v uint16) []byte { return binary.LittleEndian.AppendUint16(nil, v) }
func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
func le64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

func (h *header) common() []byte {
	return slices.Concat(le16(h.needs), le16(h.flags), le16(h.method), le16(h.time), le16(h.date), le32(h.crc), le32(h.packed), le32(h.size),
		le16(uint16(len(h.name))), le16(uint16(len(h.extra))))
}

func (a *archive) bytes() []byte {
	out := bytes.Clone(a.before)
	var directory []byte
	count := int64(0)
	for _, i := range a.items {
		at := uint32(len(out))
		if !i.local.leaveOut {
			out = slices.Concat(out, []byte("PK\x03\x04"), i.local.common(), []byte(i.local.name), i.local.extra, i.data, i.behind)
		}
		c := &i.central
		if c.leaveOut {
			continue
		}
		if c.offsetSet {
			at = c.offset
		}
		count++
		directory = slices.Concat(directory, []byte("PK\x01\x02"), le16(c.made), c.common(), le16(uint16(len(c.comment))), le16(c.disk), le16(c.intern),
			le32(c.attributes), le32(at), []byte(c.name), c.extra, []byte(c.comment))
	}
	out = append(out, a.between...)
	offset, size := int64(len(out))+a.offset, int64(len(directory))+a.size
	out = slices.Concat(out, directory, a.behindDirectory)
	count += a.count
	if a.wide {
		at := uint64(len(out))
		out = slices.Concat(out, []byte("PK\x06\x06"), le64(44), le16(0x032d), le16(45), le64(0), le64(uint64(count+a.wideCount)), le64(uint64(count+a.wideCount)),
			le64(uint64(size+a.wideSize)), le64(uint64(offset+a.wideOffset)), []byte("PK\x06\x07"), le32(0), le64(at), le32(1))
	}
	if a.fieldsFull {
		count, size, offset = 0xffff, 0xffffffff, 0xffffffff
	}
	if !a.noEnd {
		out = slices.Concat(out, []byte("PK\x05\x06"), le16(a.disk), le16(a.disk), le16(uint16(count)), le16(uint16(count)), le32(uint32(size)), le32(uint32(offset)),
			le16(uint16(len(a.comment))), a.comment)
	}
	return append(out, a.behind...)
}

// order is the order of the format, written down for the small case.
func order(b bundle) (names []string) {
	first := []string{"package.note", "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"}
	var notes, rest []string
	for name := range b {
		switch {
		case strings.HasPrefix(name, "data/checkpoints/"):
			notes = append(notes, name)
		case strings.HasPrefix(name, "data/"):
			rest = append(rest, name)
		}
	}
	slices.Sort(notes)
	slices.Sort(rest)
	return slices.Concat(first, notes, rest)
}

// goodArchive is the small sealed case, and a file in custody/.
func goodArchive(b bundle) *archive {
	a := &archive{}
	for _, name := range order(b) {
		a.items = append(a.items, newItem(name, b[name]))
	}
	a.items = append(a.items, newItem("custody/m", []byte("received")))
	return a
}

// attempt is one case of the row.
type attempt struct {
	what string
	make func(a *archive)
	says string // part of what the finding says
	code int    // 3 unless it is something else
}

// hostileNames are names that no case has, and part of what is said about each.
func hostileNames(top string) map[string]string {
	return map[string]string{
		"../evil": "element", "../../evil": "element", "custody/../../evil": "element", "custody/..": "element", "custody/.": "element", "custody/./x": "element",
		"custody/a/../b": "element", "..": "element", ".": "element", "": "empty", "/": "element", "custody/": "element", "custody//x": "element",
		top + "/evil": "element", "/evil": "element", "//server/share/x": "element", `\\server\share\x`: `'\\'`, `C:\evil`: `':'`, "C:/evil": `':'`, "C:evil": `':'`,
		`custody\..\..\evil`: `'\\'`, `..\evil`: `'\\'`, "custody/x:stream": `':'`, "custody/a\x00b": `'\x00'`, "\x00": `'\x00'`, "custody/a\x00": `'\x00'`,
		"custody/" + strings.Repeat("a", 65_535-8): "65535 bytes", "custody/" + strings.Repeat("a", 256): "256 bytes", "custody/" + strings.Repeat("a/", 600) + "b": "1209 bytes",
		"custody/x.": "dot or a space", "custody/x ": "dot or a space", "custody/ /x": "dot or a space", "custody/x. .": "dot or a space",
		"custody/CON": "device", "custody/con.txt": "device", "custody/NUL": "device", "custody/aux.h/x": "device", "custody/COM1": "device", "custody/lpt9.log": "device",
		"custody/PRN.tar.gz": "device", "custody/CONIN$": "device", "custody/nul .txt": "device",
		"custody/\u00e9": "holds", "custody/e\u0301": "holds", "custody/\xff": "holds", "\xc0\xae\xc0\xae/evil": "holds", "\uff0e\uff0e/evil": "holds", "custody/a\u202etxt.exe": "holds",
		"custody/a\u200bb": "holds", "custody/a\nb": "holds", "custody/a\r": "holds", "\tcustody/a": "holds", "custody/\x1b[31m": "holds", "custody/\x7f": "holds",
		"custody/a*": "holds", "custody/a?": "holds", `custody/a"b`: "holds", "custody/a<b": "holds", "custody/a>b": "holds", "custody/a|b": "holds",
		"evil": "none of a sealed case", "work/lock": "none of a sealed case", "custody": "none of a sealed case", "data": "none of a sealed case", "Custody/x": "none of a sealed case",
		"DATA/x": "none of a sealed case", ".git/config": "none of a sealed case", "~/x": "none of a sealed case", "package.note/x": "none of a sealed case",
		"PACKAGE.NOTE": "none of a sealed case", "fetch.txt": "none of a sealed case",
		"custody/m/x": "both a file and a folder", "custody/M": "only in case", "custody/m": "there twice", "bagit.txt": "not in order", "data/zzz": "not in order",
	}
}

// nameAttempts put each of the names behind the rest: in both headers, and in one of them beside a name that is in order.
func nameAttempts(top string) (all []attempt) {
	for name, says := range hostileNames(top) {
		short := fmt.Sprintf("%.40q", name)
		data := []byte("evil")
		if name == "custody/M" || name == "bagit.txt" || name == "data/zzz" { // "custody/M" stands before "custody/m"
			says += "|not in order"
		}
		all = append(all,
			attempt{"name " + short, func(a *archive) { a.items = append(a.items, newItem(name, data)) }, says, 3},
			attempt{"name " + short + " in the directory alone", func(a *archive) {
				i := newItem("custody/x", data)
				i.central.name = name
				a.items = append(a.items, i)
			}, says, 3},
			attempt{"name " + short + " before the bytes alone", func(a *archive) {
				i := newItem("custody/x", data)
				i.local.name = name
				a.items = append(a.items, i)
			}, "|name|before the central directory|no room", 3})
	}
	slices.SortFunc(all, func(a, b attempt) int { return strings.Compare(a.what, b.what) })
	return all
}

// last is the file in custody/.
func last(a *archive) *item { return a.items[len(a.items)-1] }

// fieldAttempts give a file's headers values that packing does not.
func fieldAttempts() (all []attempt) {
	central := func(what, says string, change func(*header)) {
		all = append(all, attempt{what, func(a *archive) { change(&last(a).central) }, says, 3})
	}
	for what, mode := range map[string]uint32{"symbolic link": 0o120777, "folder": 0o040755, "character device": 0o020666, "block device": 0o060666, "FIFO": 0o010666,
		"socket": 0o140666, "setuid": 0o104755, "setgid": 0o102755, "sticky": 0o101777, "executable": 0o100755, "private": 0o100600, "no mode": 0} {
		central(what, "external attributes", func(h *header) { h.attributes = mode << 16 })
	}
	for _, low := range []uint32{0x01, 0x10, 0x20, 0xff} {
		central(fmt.Sprintf("DOS attributes %#x", low), "external attributes", func(h *header) { h.attributes |= low })
	}
	for _, made := range []uint16{0x002d, 0x0014, 0x0a2d, 0x132d, 0x031e, 0xffff} {
		central(fmt.Sprintf("made by %#x", made), "version made by", func(h *header) { h.made = made })
	}
	central("said to be text", "internal attributes", func(h *header) { h.intern = 1 })
	central("on another disk", "disk", func(h *header) { h.disk = 1 })
	central("comment of a file", "comment", func(h *header) { h.comment = "c" })
	central("offset of the first file", "offset", func(h *header) { h.offsetSet = true })
	central("offset beyond the end", "offset", func(h *header) { h.offsetSet, h.offset = true, 0xfffffff0 })
	fields := []struct {
		what, says string
		change     func(*header)
	}{{"encrypted", "flags", func(h *header) { h.flags |= 1 }}, {"sizes behind the bytes", "flags", func(h *header) { h.flags |= 8 }},
		{"patched data", "flags", func(h *header) { h.flags |= 0x20 }}, {"strongly encrypted", "flags", func(h *header) { h.flags |= 0x40 }},
		{"said to be UTF-8", "flags", func(h *header) { h.flags |= 0x800 }}, {"masked headers", "flags", func(h *header) { h.flags |= 0x2000 }},
		{"deflated", "method", func(h *header) { h.method = 8 }}, {"deflated with 64 KiB", "method", func(h *header) { h.method = 9 }},
		{"LZMA", "method", func(h *header) { h.method = 14 }}, {"zstd", "method", func(h *header) { h.method = 93 }}, {"AES", "method", func(h *header) { h.method = 99 }},
		{"version 2.0", "version needed", func(h *header) { h.needs = 20 }}, {"version 4.5", "version needed", func(h *header) { h.needs = 45 }},
		{"a time", "time", func(h *header) { h.time = 0x6000 }}, {"no date", "date", func(h *header) { h.date = 0 }}, {"a date", "date", func(h *header) { h.date = 0x5b76 }},
		{"another sum", "CRC-32", func(h *header) { h.crc ^= 1 }}, {"packed size and one", "size|no room", func(h *header) { h.packed++ }},
		{"size and one", "size|no room", func(h *header) { h.size++ }}, {"size of 4 GiB", "size|no room", func(h *header) { h.size, h.packed = 0xffffffff, 0xffffffff }}, {"no size", "size|before the central directory", func(h *header) { h.size, h.packed = 0, 0 }}}
	for _, f := range fields {
		all = append(all, attempt{f.what, func(a *archive) { last(a).both(f.change) }, f.says, 3},
			attempt{f.what + ", in the directory alone", func(a *archive) { f.change(&last(a).central) }, f.says, 3},
			attempt{f.what + ", before the bytes alone", func(a *archive) { f.change(&last(a).local) }, f.says, 3})
	}
	for what, extra := range map[string][]byte{"hard link": append(le16(0x000d), "\x0d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00/"...),
		"times": append(le16(0x5455), 1, 0, 0), "owner": append(le16(0x7875), 1, 0, 1), "mode and link": append(le16(0x756e), "\x0e\x00\x00\x00\x00\x00\xff\xa1\x00\x00\x00\x00\x00\x00\x00\x00"...),
		"another name": append(le16(0x7075), "\x09\x00\x01\x00\x00\x00\x00../e"...), "AES": append(le16(0x9901), "\x07\x00\x02\x00AE\x03\x08\x00"...),
		"zip64 for nothing": slices.Concat(le16(1), le16(16), le64(8), le64(8)), "zip64, empty": append(le16(1), 0, 0), "cut": {1}, "64 KiB": make([]byte, 65_500)} {
		all = append(all, attempt{"extra field: " + what, func(a *archive) { last(a).both(func(h *header) { h.extra = extra }) }, "extra fields|room", 3},
			attempt{"extra field in the directory alone: " + what, func(a *archive) { last(a).central.extra = extra }, "extra fields", 3},
			attempt{"extra field before the bytes alone: " + what, func(a *archive) { last(a).local.extra = extra }, "extra fields|before the central directory", 3})
	}
	for what, size := range map[string]uint64{"2^63": 1 << 63, "2^64-1": 1<<64 - 1, "2^62": 1 << 62, "8, which needs none": 8} {
		all = append(all, attempt{"zip64 size of " + what, func(a *archive) {
			last(a).both(func(h *header) {
				h.needs, h.size, h.packed, h.extra = 45, 0xffffffff, 0xffffffff, slices.Concat(le16(1), le16(16), le64(size), le64(size))
			})
		}, "room|size|version needed", 3})
	}
	slices.SortFunc(all, func(a, b attempt) int { return strings.Compare(a.what, b.what) })
	return all
}

// layoutAttempts move and add what is between the files and around them.
func layoutAttempts() []attempt {
	at := func(a *archive, name string) int {
		return slices.IndexFunc(a.items, func(i *item) bool { return i.local.name == name })
	}
	drop := func(name string) func(*archive) {
		return func(a *archive) { a.items = slices.Delete(a.items, at(a, name), at(a, name)+1) }
	}
	return []attempt{
		{"a byte behind it", func(a *archive) { a.behind = []byte{0} }, "no end record", 3},
		{"64 KiB behind it", func(a *archive) { a.behind = make([]byte, 65_536) }, "no end record", 3},
		{"a script before it", func(a *archive) { a.before = []byte("#!/bin/sh\n") }, "begins at|no room|offset", 3},
		{"a script before it, offsets without it", func(a *archive) { a.before, a.offset = []byte("#!/bin/sh\n"), -10 }, "begins at", 3},
		{"a spanning mark before it", func(a *archive) { a.before = []byte("PK00") }, "before the central directory|offset", 3},
		{"a comment", func(a *archive) { a.comment = []byte("c") }, "no end record", 3},
		{"a comment that is an end record", func(a *archive) { a.comment = append([]byte("PK\x05\x06"), make([]byte, 18)...) }, "begins at|end record|not package.note", 3},
		{"a whole archive as comment", func(a *archive) { a.comment = (&archive{items: a.items[:5]}).bytes() }, "begins at", 3},
		{"no end record", func(a *archive) { a.noEnd = true }, "no end record", 3},
		{"two archives", func(a *archive) { a.behind = (&archive{items: a.items}).bytes() }, "begins at", 3},
		{"a byte between the files", func(a *archive) { a.items[3].behind = []byte{0} }, "offset", 3},
		{"a byte before the directory", func(a *archive) { a.between = []byte{0} }, "belong to no file", 3},
		{"a data descriptor", func(a *archive) { a.items[3].behind = append([]byte("PK\x07\x08"), make([]byte, 12)...) }, "offset", 3},
		{"a signature behind the directory", func(a *archive) { a.behindDirectory = []byte("PK\x05\x05\x00\x00") }, "begins at", 3},
		{"an extra record before the directory", func(a *archive) { a.between = []byte("PK\x06\x08\x00\x00\x00\x00") }, "belong to no file", 3},
		{"a file that the directory has not", func(a *archive) { last(a).central.leaveOut = true }, "belong to no file", 3},
		{"a file between that the directory has not", func(a *archive) {
			i := newItem("custody/a", []byte("hidden"))
			i.central.leaveOut = true
			a.items = slices.Insert(a.items, 5, i)
		}, "offset", 3},
		{"a file that is in the directory alone", func(a *archive) { last(a).local.leaveOut = true }, "no room", 3},
		{"two names for the same bytes", func(a *archive) {
			i := newItem("custody/n", []byte("received"))
			i.local.leaveOut, i.central.offsetSet, i.central.offset = true, true, 0
			a.items = append(a.items, i)
		}, "no room", 3},
		{"a file twice, with other bytes", func(a *archive) { a.items = append(a.items, newItem("custody/m", []byte("another"))) }, "there twice", 3},
		{"package.note twice", func(a *archive) { a.items = slices.Insert(a.items, 1, newItem("package.note", []byte("another"))) }, "there twice", 3},
		{"two files in the other order", func(a *archive) { a.items[1], a.items[2] = a.items[2], a.items[1] }, "not in order", 3},
		{"the note last", func(a *archive) { a.items = append(a.items[1:], a.items[0]) }, "not in order", 3},
		{"a folder", func(a *archive) { a.items = append(a.items, newItem("stamps/", nil)) }, "element", 3},
		{"no package.note", drop("package.note"), "not package.note", 3},
		{"no bagit.txt", drop("bagit.txt"), "not bagit.txt", 3},
		{"no tagmanifest", drop("tagmanifest-sha256.txt"), "not tagmanifest-sha256.txt", 3},
		{"no ledger", drop("data/ledger.db"), "", 3},
		{"no segment", drop("data/evidence/00001.warc.zst"), "", 3},
		{"nothing", func(a *archive) { a.items = nil }, "not package.note", 3},
		{"a file that no case has", func(a *archive) {
			a.items = slices.Insert(a.items, at(a, "data/ledger.db"), newItem("data/extra", []byte("x")))
		}, "", 3},
		{"one file more than there are", func(a *archive) { a.count = 1 }, "ends in a record", 3},
		{"one file fewer", func(a *archive) { a.count = -1 }, "more in the central directory", 3},
		{"65,535 files", func(a *archive) { a.count = 0xffff - int64(len(a.items)) }, "zip64", 3},
		{"a directory one byte longer", func(a *archive) { a.size = 1 }, "begins at", 3},
		{"a directory one byte earlier", func(a *archive) { a.offset = -1 }, "begins at", 3},
		{"a directory one byte later", func(a *archive) { a.offset = 1 }, "begins at", 3},
		{"a directory of 4 GiB", func(a *archive) { a.fieldsFull = true }, "zip64", 3},
		{"another disk", func(a *archive) { a.disk = 1 }, "end record", 3},
		{"zip64 records for nothing", func(a *archive) { a.wide = true }, "begins at", 3},
		{"zip64 records for nothing, which count", func(a *archive) { a.wide, a.fieldsFull = true, true }, "end record", 3},
		{"250,001 files", func(a *archive) { a.wide, a.fieldsFull, a.wideCount = true, true, 250_001-int64(len(a.items)) }, "at most 250000", 3},
		{"2^62 files", func(a *archive) { a.wide, a.fieldsFull, a.wideCount = true, true, 1<<62 }, "at most 250000", 3},
		{"2^63 files and more", func(a *archive) { a.wide, a.fieldsFull, a.wideCount = true, true, -1<<63 }, "at most 250000", 3},
		{"a directory of 2^62 bytes", func(a *archive) { a.wide, a.fieldsFull, a.wideSize = true, true, 1<<62 }, "at most 33554432", 3},
		{"a directory at 2^62", func(a *archive) { a.wide, a.fieldsFull, a.wideOffset = true, true, 1<<62 }, "begins at", 3},
		{"a directory before the beginning", func(a *archive) { a.wide, a.fieldsFull, a.wideOffset = true, true, -1<<40 }, "begins at", 3},
		{"the end record alone", func(a *archive) { a.items, a.before = nil, nil }, "not package.note", 3},
		{"something between two scripts", func(a *archive) { a.before, a.behind = []byte("#!/bin/sh\n"), []byte("exit\n") }, "neither begins nor ends", 2},
		{"four bytes", func(a *archive) { *a = archive{noEnd: true, before: []byte("PK\x03\x04")} }, "no end record", 3},
		{"three bytes", func(a *archive) { *a = archive{noEnd: true, before: []byte("PK\x03")} }, "neither begins nor ends", 2},
		{"no byte", func(a *archive) { *a = archive{noEnd: true} }, "neither begins nor ends", 2},
	}
}

// archiveBench has the good case, as files and packed.
func archiveBench(t *testing.T) (b bundle, good []byte) {
	t.Helper()
	m := sample.Small(t)
	m.Seal()
	b = m.Folder.Files()
	key, err := trust.ParseVKey(m.Key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"custody/m": {Data: []byte("received")}}
	for name, content := range b {
		files[name] = &fstest.MapFile{Data: content}
	}
	var packed bytes.Buffer
	if err := bag.Pack(context.Background(), &packed, files, []trust.VKey{key}); err != nil {
		t.Fatal(err)
	}
	if good = goodArchive(b).bytes(); !bytes.Equal(good, packed.Bytes()) {
		t.Fatalf("the two encoders differ: %d and %d bytes", len(good), packed.Len())
	}
	return b, good
}

// TestArchives is row B5.
func TestArchives(t *testing.T) {
	b, good := archiveBench(t)
	d := newDesk(t)
	top := filepath.Dir(d.dir)
	path := filepath.Join(top, "case.zip")
	all := slices.Concat(nameAttempts(top), fieldAttempts(), layoutAttempts())
	commands := 0
	try := func(a *attempt, content []byte) error {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
		o := d.run("check", "--json", path)
		commands++
		if err := errors.Join(o.common(a.code), a.judge(o)); err != nil {
			return err
		}
		if !*full {
			return aside(top)
		}
		for _, args := range [][]string{{"extract", path}, {"extract", "--salvage", path}, {"show", path, "5"}} {
			commands++
			if err := d.run(args...).common(a.code); err != nil {
				return err
			}
		}
		return aside(top)
	}
	if err := try(&attempt{what: "the good case"}, good); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		a := goodArchive(b)
		all[i].make(a)
		if err := try(&all[i], a.bytes()); err != nil {
			t.Errorf("%s: %v", all[i].what, err)
		}
	}
	t.Logf("%d archives, %d commands", len(all), commands)
}

// judge holds what a check printed against the attempt.
func (a *attempt) judge(o *outcome) error {
	text := string(o.Stderr)
	if a.code != 2 {
		r, err := o.parse()
		if err != nil {
			return err
		}
		for _, f := range r.Findings {
			if a.says == "" || f.Code == "zip-form" {
				text += f.Code + f.Detail
			}
		}
	}
	if slices.ContainsFunc(strings.Split(a.says, "|"), func(s string) bool { return (s != "" || a.says == "") && strings.Contains(text, s) }) {
		return nil
	}
	return o.fail("it does not say %q", a.says)
}

// aside fails if there is anything in a folder that the bench did not put there.
func aside(top string) error {
	left, err := os.ReadDir(top)
	for _, e := range left {
		if !slices.Contains([]string{"case", "case.zip", "cwd", "tmp"}, e.Name()) {
			err = errors.Join(err, fmt.Errorf("%q was written", e.Name()))
		}
	}
	return err
}

// TestArchivesPlanted has the row catch parsers that are less strict, each behind the same check of what they find.
func TestArchivesPlanted(t *testing.T) {
	b, good := archiveBench(t)
	all := slices.Concat(layoutAttempts(), fieldAttempts(), nameAttempts("/tmp"))
	for name, intact := range map[string]func([]byte) bool{
		"ours": strictly,
		"planted: trailing bytes are left alone": func(b []byte) bool {
			if at := bytes.LastIndex(b, []byte("PK\x05\x06")); at >= 0 && at+22 < len(b) {
				b = b[:at+22]
			}
			return strictly(b)
		},
		"planted: the standard library": leniently,
	} {
		if !intact(good) {
			t.Errorf("%s: the good case is not intact", name)
		}
		first, accepted := 0, 0
		for i := range all {
			a := goodArchive(b)
			all[i].make(a)
			if intact(a.bytes()) {
				if accepted++; first == 0 {
					first = i + 1
				}
			}
		}
		if planted := strings.HasPrefix(name, "planted"); planted != (accepted > 0) {
			t.Errorf("%s: %d of %d archives are intact, the first after %d", name, accepted, len(all), first)
		}
		t.Logf("%s: %d of %d intact, the first after %d", name, accepted, len(all), first)
	}
}

func strictly(b []byte) bool {
	z, err := bag.OpenZip(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return false
	}
	r, _, err := verify.Check(context.Background(), z, verify.Options{})
	return err == nil && r.Exit() == verify.ExitVerified
}

// leniently reads with the standard library, and checks the files that it finds.
func leniently(b []byte) bool {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return false
	}
	files := fstest.MapFS{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			return false
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return false
		}
		files[f.Name] = &fstest.MapFile{Data: content, Mode: f.Mode()}
	}
	r, _, err := verify.Check(context.Background(), files, verify.Options{})
	return err == nil && r.Exit() == verify.ExitVerified
}
