package verify

import (
	"fmt"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// Report is what a check found.
type Report struct {
	Case          string         `json:"case"` // id
	Sealed        bool           `json:"sealed"`
	Entries       int64          `json:"entries"`
	Segments      int64          `json:"segments"`
	Bytes         int64          `json:"bytes"` // of the segments
	Root          string         `json:"root"`  // of the tree over all entries
	Exchanges     int64          `json:"exchanges"`
	Fields        []Pair         `json:"fields"`                  // of the case entry
	Keys          []Key          `json:"keys"`                    // that the case lists, in order
	Heads         []Head         `json:"heads"`                   // in order
	Cosignatures  []Cosignature  `json:"cosignatures"`            // well formed, and over heads of this case
	Tokens        []Token        `json:"tokens"`                  // timestamps, at most 2,000 of them
	KnownHeads    []Held         `json:"known_heads,omitempty"`   // that the user gave
	Witnesses     []Seen         `json:"witnesses,omitempty"`     // that the user pinned or that cosigned
	Installations []Installation `json:"installations,omitempty"` // what the case states about the log of cases on its installation
	Windows       []Window       `json:"windows"`                 // what was asked for and how it ended
	Statements    []Statement    `json:"statements"`              // what holds and what does not
	Caveats       []string       `json:"caveats"`                 // what none of this shows
	Findings      []Finding      `json:"findings"`
	More          int64          `json:"more_findings"` // beyond those listed

	Custody     *Custody     `json:"custody"`              // who held the case; null if there are no records
	Supplements *Supplements `json:"supplements"`          // the earlier case that this one supplements; null if there is none
	Production  *Production  `json:"production,omitempty"` // what is disclosed; absent of a case

	classes map[Class]int64  // all findings, also those not listed
	codes   map[string]int64 // likewise
	tokens  int64            // all timestamps, also those not listed

	newest      trust.Head // as the entries make it; zero if there is none
	tagManifest bag.Sum    // hash of tagmanifest-sha256.txt, as the folder was held against it; zero if it was not read
}

// NewestHead is what the newest head commits to, made of the entries. It is worth something only where nothing is altered or damaged. ok is false if there is none.
func (r *Report) NewestHead() (h trust.Head, ok bool) { return r.newest, r.newest.Size > 0 }

// Pair is a name and a value.
type Pair = evidence.Pair

// Key is one that the case lists. It proves nothing about who has it.
type Key struct {
	Key   string `json:"key"`   // verifier key
	Entry int64  `json:"entry"` // that allows it: 0, the case entry, or a key entry
	May   bool   `json:"may"`   // it may sign: of a key entry, once a head by a key that was allowed before covers it
}

// Head is a run of heads with the same signers.
type Head struct {
	From    int64    `json:"from"`    // first entry that no head before covers
	Size    int64    `json:"size"`    // entries under the last of them
	Heads   int64    `json:"heads"`   // how many they are
	Signers []string `json:"signers"` // allowed keys with a good signature, as verifier keys
}

// Window is one thing that was asked for.
type Window struct {
	Window      int64  `json:"window"`
	Acquisition string `json:"acquisition"`
	Source      string `json:"source"`
	User        string `json:"user"`
	From        string `json:"from"`
	To          string `json:"to"`
	Parameters  []Pair `json:"parameters"`
	Outcome     string `json:"outcome"` // opened, complete, partial, empty, failed
	Reason      string `json:"reason"`
	Text        string `json:"text"`
	Requests    int64  `json:"requests"`
	Pages       int64  `json:"pages"`
	Records     int64  `json:"records"`
	Superseded  bool   `json:"superseded"` // a later window of the same acquisition is complete or empty
}

// Asked says what the window asked for, in words.
func (w *Window) Asked() string {
	asked := w.Source
	if w.User != "" {
		asked += " of " + w.User
	}
	if w.From != "" || w.To != "" {
		asked += ", " + w.From + " to " + w.To
	}
	return asked
}

// Holds is the answer to a statement.
type Holds string

// The answers.
const (
	Yes        Holds = "yes"
	No         Holds = "no"
	NotChecked Holds = "not checked"
)

// Statement is one of the five things that a verdict is made of (docs/design.md, section 6).
type Statement struct {
	ID    string `json:"id"`
	Text  string `json:"text"`
	Holds Holds  `json:"holds"`
	Why   string `json:"why"`
}

// Exit codes that a check can end with.
const (
	ExitVerified   = 0
	ExitDamaged    = 3
	ExitIncomplete = 4
	ExitUnmet      = 8
)

// Exit is the exit code that the findings make: the gravest class counts.
func (r *Report) Exit() int {
	switch {
	case r.has(Damage):
		return ExitDamaged
	case r.has(Incomplete):
		return ExitIncomplete
	case r.has(Trust):
		return ExitUnmet
	}
	return ExitVerified
}

func (r *Report) has(c Class) bool { return r.classes[c] > 0 }

// Unmet reports whether something that the user gave is not met, also where something graver decides the exit code.
func (r *Report) Unmet() bool { return r.has(Trust) }

// OtherHistory reports whether a head that the user gave, or that somebody cosigned, shows another history than this one.
func (r *Report) OtherHistory() bool { return r.codes["fork"] > 0 || r.codes["rolled-back"] > 0 }

// Bounds of the list for a hostile case. All findings are counted, listed or not.
const (
	maxFindings = 2000
	maxOfACode  = 100
)

func (r *Report) add(f Finding) {
	f.Class = codeOf(f.Code).Class
	if r.classes == nil {
		r.classes, r.codes = map[Class]int64{}, map[string]int64{}
	}
	r.classes[f.Class]++
	r.codes[f.Code]++
	if len(r.Findings) < maxFindings && r.codes[f.Code] <= maxOfACode {
		r.Findings = append(r.Findings, f)
		return
	}
	if r.More == 0 {
		r.Findings = append(r.Findings, Finding{Code: "findings-capped", Class: Notice, Offset: -1, Seq: -1, Detail: fmt.Sprintf("%d of a kind and %d in all are listed", maxOfACode, maxFindings)})
	}
	r.More++
}

// find adds a finding about a file.
func (r *Report) find(code, path, format string, args ...any) {
	r.add(Finding{Code: code, Path: path, Offset: -1, Seq: -1, Detail: fmt.Sprintf(format, args...)})
}

// rule adds a finding about an entry.
func (r *Report) rule(code string, seq int64, format string, args ...any) {
	r.add(Finding{Code: code, Offset: -1, Seq: seq, Detail: fmt.Sprintf(format, args...)})
}

func ofFault(f *evidence.Fault) Finding {
	return Finding{Code: f.Code, Path: segmentPath(f.Segment), Offset: f.Offset, Seq: f.Seq, Detail: f.Detail}
}
