package verify

import (
	"slices"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/custody"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/warc"
)

// Custody is what the records in custody/ say (docs/container.md, section 12). Only records are in it that are in the one form and signed by the key that they name;
// what is wrong with others, or with the chain, is among the findings.
type Custody struct {
	Records []CustodyRecord `json:"records"` // in order
	Held    []CustodyHolder `json:"held"`    // who held the case when
	Last    string          `json:"last"`    // hash of the last record's file: whoever knows it elsewhere can tell that nothing was dropped since
	Limits  []string        `json:"limits"`  // what the records do not show
}

// CustodyRecord is one event.
type CustodyRecord struct {
	Sequence    int    `json:"sequence"`
	Time        string `json:"time"`
	Zone        string `json:"zone"`
	Event       string `json:"event"`
	Exhibit     string `json:"exhibit"`
	Description string `json:"description"`
	Container   string `json:"container"`
	Size        int64  `json:"size"`

	By         custody.Party `json:"by"`
	ReleasedBy custody.Party `json:"released_by"`
	ReceivedBy custody.Party `json:"received_by"`

	Purpose   string `json:"purpose"`
	Authority string `json:"authority"`
	Method    string `json:"method"`
	FromPlace string `json:"from_place"`
	ToPlace   string `json:"to_place"`
	Storage   string `json:"storage"`
	Condition string `json:"condition"`
	Changes   string `json:"changes"`
	Result    string `json:"result"`
	Tool      string `json:"tool"`
	Answers   string `json:"answers"` // hash of the release that a receipt acknowledges
	Hash      string `json:"hash"`    // of the record's file
	Key       string `json:"key"`     // verifier key that signed
	Pinned    bool   `json:"pinned"`  // the user gave that key
}

// CustodyHolder is somebody who held the case for a time.
type CustodyHolder struct {
	custody.Party
	From   string `json:"from"`
	Until  string `json:"until"` // "" if no release was acknowledged
	Record int    `json:"record"`
	Key    string `json:"key"`
	Pinned bool   `json:"pinned"`
}

// custody reads the records and holds them against the case.
func (c *checker) custody() {
	want := custody.Expect{Size: -1}
	if c.r.Case != "" {
		want.Origin = evidence.Origin(c.r.Case)
	}
	if c.statement != nil {
		container := custody.Hash(c.statement.TagManifest)
		want.Container, want.Size = &container, c.octets
	}
	chain := custody.Read(c.files, want)
	for _, p := range chain.Problems {
		c.r.find(p.Code, p.Path, "%s", p.Detail)
	}
	c.custodyKeys(chain.Links)
	if chain.Files == 0 {
		return
	}
	c.r.Custody = CustodyOf(chain, slices.Concat(c.opts.Keys, c.opts.CustodyKeys))
}

// custodyKeys requires a record by each key that the user pinned for that.
func (c *checker) custodyKeys(links []custody.Link) {
	for _, key := range c.opts.CustodyKeys {
		if !slices.ContainsFunc(links, func(l custody.Link) bool { return l.Key == key }) {
			c.r.find("custody-key-unmet", custody.Folder, "%s", key.Name())
		}
	}
}

// octetsOf is the number of bytes in data/ that bag-info.txt counts, -1 if it does not.
func octetsOf(r *bag.Report) int64 {
	if n, ok := r.Octets(); ok {
		return n
	}
	return -1
}

// CustodyOf is what a chain says, with the keys that the user pinned.
func CustodyOf(chain *custody.Chain, pinned []trust.VKey) *Custody {
	out := &Custody{Records: []CustodyRecord{}, Held: []CustodyHolder{}, Last: chain.Last.String(), Limits: custodyLimits()}
	for i := range chain.Links {
		out.Records = append(out.Records, custodyRecord(&chain.Links[i], pinned))
	}
	for _, s := range chain.Held() {
		h := CustodyHolder{Party: s.Party, From: s.From.Format(warc.DateLayout), Record: s.First, Key: s.Key.String(), Pinned: slices.Contains(pinned, s.Key)}
		if !s.Until.IsZero() {
			h.Until = s.Until.Format(warc.DateLayout)
		}
		out.Held = append(out.Held, h)
	}
	return out
}

func custodyRecord(l *custody.Link, pinned []trust.VKey) CustodyRecord {
	r := CustodyRecord{Sequence: l.Sequence, Time: l.Time.Format(warc.DateLayout), Zone: l.Zone, Event: l.Event, Exhibit: l.Exhibit, Description: l.Description,
		Container: l.Container.String(), Size: l.Size, By: l.By, ReleasedBy: l.ReleasedBy, ReceivedBy: l.ReceivedBy, Purpose: l.Purpose, Authority: l.Authority,
		Method: l.Method, FromPlace: l.FromPlace, ToPlace: l.ToPlace, Storage: l.Storage, Condition: l.Condition, Changes: l.Changes, Result: l.Result, Tool: l.Tool,
		Hash: l.Hash.String(), Key: l.Key.String(), Pinned: slices.Contains(pinned, l.Key)}
	if l.Answers != nil {
		r.Answers = l.Answers.String()
	}
	return r
}

// custodyLimits is what the records of no chain show.
func custodyLimits() []string {
	return []string{
		"that these are all records: whoever has the folder can take away the last ones, or all of them, and what is left agrees with itself; compare the hash of the last record with what the parties have kept",
		"that everybody who held the case, or a copy of it, has said so: nothing makes anybody write a record, and each copy goes on with a chain of its own",
		"who signed, unless you pinned the key: a key found in a record proves nothing",
		"when it was: times are those of the clocks of who signed",
	}
}
