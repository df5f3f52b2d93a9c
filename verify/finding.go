package verify

import (
	"fmt"
	"slices"
	"strings"
)

// Class says what a finding does to the verdict.
type Class string

// The classes, gravest first.
const (
	Damage     Class = "damage"     // altered or damaged: exit 3
	Incomplete Class = "incomplete" // something is missing and the case says so, or it is not sealed: exit 4
	Trust      Class = "trust"      // something that the user asked for beside the case's own word is not met: exit 8
	Notice     Class = "notice"     // worth knowing
)

// Finding is one thing that verification has to say.
type Finding struct {
	Code   string `json:"code"`
	Class  Class  `json:"class"`
	Path   string `json:"path"`   // in the case folder; "" if no file is meant
	Offset int64  `json:"offset"` // in that file, -1 if none is meant
	Seq    int64  `json:"seq"`    // of the entry, -1 if none is meant
	Detail string `json:"detail"` // what was found; may quote the evidence, escape it for its medium
}

// Place is where the finding is, in words.
func (f *Finding) Place() string {
	var parts []string
	if f.Path != "" {
		parts = append(parts, f.Path)
	}
	if f.Offset >= 0 {
		parts = append(parts, fmt.Sprintf("offset %d", f.Offset))
	}
	if f.Seq >= 0 {
		parts = append(parts, fmt.Sprintf("entry %d", f.Seq))
	}
	if len(parts) == 0 {
		return "the case"
	}
	return strings.Join(parts, ", ")
}

// Meaning says what the finding means for the evidence.
func (f *Finding) Meaning() string { return codeOf(f.Code).Meaning }

// Next says what to do about it.
func (f *Finding) Next() string { return codeOf(f.Code).Next }

// Code is a kind of finding. Codes are never reused for anything else.
type Code struct {
	Code    string
	Class   Class
	Meaning string
	Next    string
}

const (
	askAgain     = "ask whoever handed the case over for another copy and check that; compare the two files' SHA-256"
	keepAndWrite = "keep this copy as it is, write down this output, and ask for another copy"
	useSegments  = "the segments are the authority: read the case through exhibit-verify, not through this file"
	custodyAsk   = "ask every party of the chain for their own copy of the records and compare; check a copy of the case without custody/ to see what holds without them"
	runSeal      = "run `exhibit seal` on the acquiring host, or go on with what is proven for an unsealed case"
	runAcquire   = "if the case is not sealed, run the same `exhibit acquire` again; else acquire what is missing into another case, or say in the report what is missing"
)

// Codes lists every code, in the order of docs/findings.md.
func Codes() []Code { return codes[:] }

var codes = [...]Code{
	{"frame-magic", Damage, "bytes that are no frame stand where the next record should begin; what they were cannot be told", askAgain},
	{"frame-skippable", Damage, "bytes that every decoder skips were put between records; no writer of this format makes them", keepAndWrite},
	{"frame-cut", Damage, "the segment ends inside a record; what followed is missing", askAgain},
	{"frame-reserved", Damage, "a frame header was altered", askAgain},
	{"frame-dictionary", Damage, "a frame header was altered or comes from another program", askAgain},
	{"frame-no-checksum", Damage, "a frame was altered or comes from another program", askAgain},
	{"frame-no-size", Damage, "a frame was altered or comes from another program", askAgain},
	{"frame-window", Damage, "a frame asks for more memory than the format allows; it was altered or made to do harm", askAgain},
	{"frame-block", Damage, "a frame's block structure was altered", askAgain},
	{"frame-size", Damage, "a frame's length does not fit its content; it was altered", askAgain},
	{"frame-content", Damage, "a record cannot be decoded or its checksum differs; its bytes were altered", askAgain},
	{"record-header", Damage, "a record's header is not in the format's one form; it was altered or comes from another program", keepAndWrite},
	{"record-length", Damage, "a record's header and its bytes disagree on its length", keepAndWrite},
	{"record-end", Damage, "a record does not end as records do", keepAndWrite},
	{"record-digest", Damage, "a record's bytes are not those that its own header names", keepAndWrite},
	{"record-mismatch", Damage, "a record is not the one that its entry names: it was altered, exchanged, moved or removed", keepAndWrite},
	{"record-unclaimed", Damage, "a record stands in the segment that no entry names: it was put there later", keepAndWrite},
	{"warcinfo", Damage, "the first record of a segment is not the one that the ledger names", keepAndWrite},
	{"segment-missing", Damage, "a whole segment is missing; exchanges are missing with it", askAgain},
	{"segment-read", Damage, "a segment could not be read to its end", "check the disk, copy the case to another one and check again"},
	{"batch-form", Damage, "a batch is not in the format's one form; the entries in it are not proven", keepAndWrite},
	{"batch-order", Damage, "batches are missing, repeated, exchanged or from another case", keepAndWrite},
	{"batch-chain", Damage, "a batch does not follow from the one before it: one of the two was altered", keepAndWrite},
	{"batch-frontier", Damage, "a segment does not go on where the one before ended", keepAndWrite},
	{"after-seal", Damage, "something was added after the case was sealed", keepAndWrite},
	{"entry-rule", Damage, "an entry contradicts the ones before it", keepAndWrite},
	{"seal-rule", Damage, "the seal does not count what is there: entries were added or removed", keepAndWrite},
	{"head-form", Damage, "a signed head is no head of this case", keepAndWrite},
	{"head-signature", Damage, "a head carries no good signature by a key that the case allows, or a bad one", keepAndWrite},
	{"head-root", Damage, "the entries are not those that a signed head commits to: something before it was altered", keepAndWrite},
	{"head-beyond", Damage, "a signed head commits to more entries than there are: the end was cut off", askAgain},
	{"head-missing", Damage, "a head that the ledger tells of, or the final one, is not in data/checkpoints", askAgain},
	{"head-unlisted", Damage, "a head that the ledger should tell of has no entry", keepAndWrite},
	{"head-unproven", Damage, "entries before a head are unreadable, so that nothing can be held against it", askAgain},
	{"token-form", Damage, "a timestamp is none over what it is named after: it was altered, exchanged, or put there later; it proves nothing, and what else is signed is not touched by it", keepAndWrite},
	{"token-missing", Damage, "a timestamp that the ledger tells of is not in data/checkpoints; the ledger's record still holds it", askAgain},
	{"fork", Damage, "there are two histories of this case: the holder of a signing key, or a witness, committed to other entries than these, so that one of the two was made after the fact", "keep both: this case and that head, with its signatures, are the proof; ask the operator for the history that the head commits to"},
	{"rolled-back", Damage, "a head that was signed for this case commits to more entries than there are: the end was cut off, or this is an older copy", "ask whoever handed the case over for the whole of it; keep this copy and that head"},
	{"package-note", Damage, "package.note is not a signed statement over this folder and this case", keepAndWrite},
	{"cosignature-form", Damage, "a file in stamps/ says that it is a cosignature and is none: its name or its content is not in the format's one form", "find out who put it there; ask the cosigner for the file that was made"},
	{"cosignature-head", Damage, "somebody signed another head than the case holds: the file belongs to another case, or case and cosigner do not have the same history", keepAndWrite},
	{"cosignature-signature", Damage, "the signature in the name of a key that you pinned, or that the case allows, was not made by that key over this head", keepAndWrite},
	{"bag-missing", Damage, "a file that the manifest lists, or that a sealed case must have, is not there", askAgain},
	{"bag-extra", Damage, "a file lies in the sealed payload that the manifest does not list", "find out who put it there; it is not part of the evidence"},
	{"bag-changed", Damage, "a file is not the one that was sealed", askAgain},
	{"bag-form", Damage, "a tag file of the bag is not in the format's one form", keepAndWrite},
	{"path-unexpected", Damage, "something lies in the case folder that no case has", "find out who put it there and check a copy without it; it is not part of the evidence"},
	{"path-type", Damage, "a link, device or pipe lies where a file or folder belongs; it was not followed", keepAndWrite},
	{"path-read", Damage, "a file or folder could not be read", "check permissions and disk, then check again"},
	{"zip-form", Damage, "the file is not, byte for byte, what packing a sealed case gives: it was altered or damaged, or another program packed it", "ask whoever handed it over for another copy, or for the case folder; what another program packed, unpack into an empty folder and check that"},
	{"age-form", Damage, "the encrypted file cannot be decrypted to its end: it was cut, altered, or made otherwise than packing a case makes it; nothing in it was looked at", "ask whoever handed it over for another copy, and compare its SHA-256 with theirs"},
	{"custody-missing", Damage, "a custody record is not there, and later ones are; what was sealed is not touched by that", custodyAsk},
	{"custody-form", Damage, "a file by the name of a custody record is none; what was sealed is not touched by that", custodyAsk},
	{"custody-signature", Damage, "the key that a custody record names did not sign it: the record was altered or made up; what was sealed is not touched by that", custodyAsk},
	{"custody-chain", Damage, "a custody record does not follow from those before it: one was altered, replaced or put in, or two chains were mixed; what was sealed is not touched by that", custodyAsk},
	{"custody-case", Damage, "a custody record is one of another case; what was sealed is not touched by that", custodyAsk},
	{"custody-container", Damage, "whoever signed this custody record found another container than was sealed", "ask who signed it what they had before them; what is there now is judged by the other findings"},
	{"production-form", Damage, "a line of production.jsonl is not in its one form, or a segment holds nothing; what it says of an entry is not proven", keepAndWrite},
	{"production-order", Damage, "lines of production.jsonl are missing, repeated or out of order: not every entry is accounted for", keepAndWrite},
	{"production-level", Damage, "an entry is withheld that no production may withhold so far", "ask the producing party for a production that discloses it"},
	{"ledger-differs", Damage, "ledger.db does not say what the segments say; the segments remain intact", useSegments},
	{"ledger-form", Damage, "ledger.db is not a readable ledger; the segments remain intact", useSegments},
	{"deep-layout", Damage, "the entry tells another framing, status or extent than the recorded bytes", keepAndWrite},
	{"deep-redaction", Damage, "a declared redaction does not hold the word REDACTED", keepAndWrite},
	{"unsealed", Incomplete, "the case is not sealed: it is proven by its content and its heads, not file by file", runSeal},
	{"sealing", Incomplete, "a seal was begun and not finished; nothing can be added any more", "run `exhibit seal` again on the acquiring host"},
	{"torn-tail", Incomplete, "bytes after the last whole batch: a write was interrupted; nothing acknowledged is in them", "open the case on the acquiring host, with `exhibit note` or `exhibit acquire`: recovery keeps these bytes as evidence"},
	{"unsigned-tail", Incomplete, "the entries after the newest head are chained and not signed: anybody could have added, changed or cut them", "let the acquiring host sign them: open the case there with `exhibit note`, or seal it"},
	{"window-open", Incomplete, "an acquisition was begun and has not ended", runAcquire},
	{"window-partial", Incomplete, "an acquisition brought part of what was asked for, and nothing later completed it", runAcquire},
	{"window-failed", Incomplete, "an acquisition failed, and nothing later completed it", runAcquire},
	{"gap", Notice, "the case itself declares that something may be missing here", "read the entry; compare with the windows' outcome"},
	{"roots-private", Notice, "servers were trusted because of certificates that the operator supplied, not the system's: a private authority, a proxy that inspects, or a simulated service", "ask whose authority that is; the certificates are in the connection entries"},
	{"plain-http", Notice, "answers came without TLS: anybody on the way could have made or changed them", "ask why; the connection entries say which"},
	{"key-unmet", Trust, "a key that you pinned did not sign this case's newest head and package note, and has not cosigned that head either", "compare the key with the one that its owner gave you; without it the signer is not known"},
	{"cosignature-unchecked", Notice, "somebody signed this head beside the case's keys; which key that was is not known to this check, so it proves nothing", "get the verifier key from its owner, on another way than the case, and give it with --key"},
	{"tsa-unmet", Trust, "an authority that you pinned did not stamp this case's newest state; its times are the operator's clock", "compare the certificate with the one that the authority publishes; whoever holds a sealed case can have it stamped late with `exhibit stamp`"},
	{"token-order", Notice, "a later timestamp states an earlier time than one that it covers: a clock of one of the authorities was wrong", "ask the authorities; rely on the later of the two times"},
	{"known-head-unmet", Trust, "a head that you gave says nothing about this case: it is one of another case, or no key signed it that the case allows or that you pinned", "compare the case ids; if the head is of this case, pin the key that signed it with --key"},
	{"witness-unmet", Trust, "fewer of the witnesses that you pinned have cosigned this history up to its newest head than you asked for", "run `exhibit witness` on the acquiring host, or ask the witnesses what they have seen: one that refuses to cosign has seen another history"},
	{"witness-form", Notice, "a file in stamps/ that should hold a cosignature of a witness holds none that counts; it proves nothing", "if you expected one, ask the operator for another copy of the file"},
	{"installation-unproven", Notice, "the case says which of the cases on its installation it is, and what it gives for that does not prove it", "ask the operator for the installation log (`exhibit installation`); without it nobody knows what other cases were opened"},
	{"custody-key-unmet", Trust, "a key that you pinned for custody signed no custody record", "compare the key with the one that its owner gave you; ask its owner for their copy of the records"},
	{"custody-other", Notice, "a file lies in custody/ that is no custody record; nothing covers it, and anybody could have put it there or changed it", "ask whose it is, and read it as what it is worth by itself"},
	{"custody-handover", Notice, "a receipt answers no signed release, or one between other parties, or is signed with the same key as the release: only one side stands for this hand-over", "ask the other side"},
	{"custody-open", Notice, "the case was released to somebody, and no record says that it arrived: that is so until they sign, and in the copy that stays behind", "ask for their receipt"},
	{"custody-holder", Notice, "somebody signed a custody record who did not hold the case by the records before", "ask how they had it"},
	{"custody-time", Notice, "a custody record has a time before that of the record before: the order is that of the chain, and a clock was wrong", "ask whose clock it was"},
	{"withheld", Notice, "part of the case is withheld from this production, and all of it accounted for: by head lines, or by hashes alone", "compare the reasons and head lines with what you asked for; whoever holds the case can show what is withheld under the same root"},
	{"page-replaced", Notice, "a whole answer with status 200 was asked for again, and the later one counts as the page; extraction leaves the earlier one out", "compare the two with `exhibit-verify show`"},
	{"ledger-uncompared", Notice, "some rows of ledger.db were not held against the segments, because this computer could not sort them; everything else of the case was checked, and the manifest covers the bytes of the file", "check again with TMPDIR naming a folder that has room; until then, read the case through exhibit-verify, not through this file"},
	{"unknown-kind", Notice, "the case holds entries of a kind that this version does not know; they are hashed and counted, and nothing is made of them", "check with a newer exhibit-verify as well"},
	{"findings-capped", Notice, "there are more findings than are listed; all of them count", "read the first of each kind"},
}

func codeOf(code string) Code {
	i := slices.IndexFunc(codes[:], func(c Code) bool { return c.Code == code })
	if i < 0 {
		return Code{Code: code, Class: Damage}
	}
	return codes[i]
}
