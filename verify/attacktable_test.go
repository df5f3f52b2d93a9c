package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire/simwitness"
	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/evidence/trust/rfc3161/authority"
	"github.com/exhibit-dfir/exhibit/verify"
)

// This file runs the table "operator who edits after the fact" end to end: each attack on a whole case, held against what each kind of verifier has. A cell says whether the
// check must notice, and where it must not, which words of the verdict say so.

// The columns: what the verifier has beside the case.
const (
	colHashes  = "C"      // nothing: hashes, tree and chain alone
	colKey     = "S"      // the key that he got from its owner
	colHead    = "K"      // heads that were kept elsewhere: an early one and the last
	colTime    = "T"      // the root of the time-stamping authority that stamped the case while it grew
	colAnew    = "T anew" // the same, and the operator had what he made stamped once more, afterwards
	colWitness = "W"      // keys of witnesses, offline
	colAskThem = "W asked"
)

// columns in the order of the table, without the one that asks.
func columns() []string {
	return []string{colHashes, colKey, colHead, colTime, colAnew, colWitness}
}

// cell is what must become of one attack before one verifier.
type cell struct {
	exit   int    // of the check
	code   string // a finding that must be there; "" where the attack is not noticed
	caveat string // words of the verdict that say what it does not show, where the attack is not noticed
}

// noticed reports whether a verifier learns of the attack.
func (c cell) noticed() bool { return c.code != "" }

// attack is a row.
type attack struct {
	name  string
	make  func(*testing.T, *scene)
	cells map[string]cell
	asked error // what a witness says that is asked to cosign the newest head; nil if it cosigns. The column "W asked"
}

// scene is what there is when the verifier gets a case: the case, and what others saw of its history, or of the one that was before.
type scene struct {
	files   map[string][]byte // the case as the verifier gets it
	key     byte              // seed of the key whose owner handed it over as his
	anew    map[string][]byte // the same case, stamped once more afterwards; nil where an operator has no need of that
	heads   [][]byte          // kept elsewhere
	witness *simwitness.Witness
	tsa     *authority.Identity
}

// newScene has a witness that knows the keys of the operator.
func newScene(t *testing.T) *scene {
	t.Helper()
	var logs []trust.VKey
	for _, seed := range []byte{9, 5} {
		key, err := trust.ParseVKey(sample.Key(t, seed).VerifierKey())
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, key)
	}
	w, err := simwitness.New(simwitness.Options{Name: "witness.example/table", Rand: sample.Rand(3), Now: func() time.Time { return witnessed }, Logs: logs})
	if err != nil {
		t.Fatal(err)
	}
	return &scene{key: 9, witness: w, tsa: sample.Authority(t, tsaSeed, authority.Options{})}
}

// live makes the case while the others look on: the authority stamps each head, the witness cosigns each, one after the other, and the second and the last are kept
// elsewhere.
func (s *scene) live(t *testing.T, st story) {
	t.Helper()
	if st.stamps == nil {
		st.stamps = &stamper{}
	}
	st.stamps.by = s.tsa
	s.files, s.heads, s.key = st.tell(t), nil, st.key
	sizes := noteSizes(s.files)
	for i, size := range sizes {
		if i == 1 || i == len(sizes)-1 {
			s.heads = append(s.heads, s.files[evidence.NotePath(size)])
		}
		note, err := s.show(t, size)
		if err != nil {
			t.Fatalf("the witness does not cosign an honest head over %d entries: %v", size, err)
		}
		s.files[evidence.WitnessPath(size, s.witness.Key().ID())] = note
	}
}

// show asks the witness to cosign a head of the case.
func (s *scene) show(t *testing.T, size int64) ([]byte, error) {
	t.Helper()
	w := trust.Witness{Key: s.witness.Key(), URL: "https://witness.example"}
	return w.Cosign(t.Context(), s.witness, s.files[evidence.NotePath(size)], 0, func(ctx context.Context, old int64) ([][32]byte, error) {
		return consistency(ctx, mapFS(s.files), old, size)
	})
}

func consistency(ctx context.Context, files fs.FS, old, size int64) ([][32]byte, error) {
	p, err := evidence.ProveConsistency(old, size)
	if err != nil {
		return nil, err
	}
	for b, err := range evidence.Batches(ctx, files) {
		if err != nil {
			return nil, err
		}
		for _, e := range b.Entries {
			p.Add(evidence.LeafHash(e.HeadLine))
		}
	}
	_, path, err := p.Proof()
	var out [][32]byte
	for _, h := range path {
		out = append(out, h)
	}
	return out, err
}

// swap puts another case in place of the one that the others saw. Of cosignatures and tokens the operator keeps those that still fit; other tokens he has none, or, in a
// second case that is otherwise the same, later ones.
func (s *scene) swap(t *testing.T, st story) {
	t.Helper()
	before := s.files
	st.stamps = &stamper{by: s.tsa, before: before}
	s.files = keepFitting(st.tell(t), before)
	st.stamps = &stamper{by: s.tsa, before: before, at: stampedAnew}
	s.anew = keepFitting(st.tell(t), before)
}

// keepFitting adds what others gave to one case and what fits another as well: they have the same head.
func keepFitting(files, before map[string][]byte) map[string][]byte {
	for name, b := range before {
		if size, _ := evidence.WitnessName(strings.TrimPrefix(name, evidence.StampsPath+"/")); size > 0 {
			head, rest, _ := bytes.Cut(files[evidence.NotePath(size)], []byte("\n\n"))
			if len(rest) > 0 && bytes.HasPrefix(b, append(head, "\n\n"...)) {
				files[name] = b
			}
		}
		size := evidence.TokenSize(strings.TrimPrefix(name, evidence.CheckpointsPath+"/"))
		if note := files[evidence.NotePath(size)]; size > 0 && note != nil && bytes.Equal(note, before[evidence.NotePath(size)]) {
			files[name] = b
		}
	}
	return files
}

// options are what the verifier of a column has.
func (s *scene) options(t *testing.T, column string) (o verify.Options) {
	t.Helper()
	switch column {
	case colKey:
		key, err := trust.ParseVKey(sample.Key(t, s.key).VerifierKey())
		if err != nil {
			t.Fatal(err)
		}
		o.Keys = []trust.VKey{key}
	case colHead:
		for i, note := range s.heads {
			h, err := verify.ParseKnownHead(fmt.Sprintf("head-%d", i+1), note)
			if err != nil {
				t.Fatal(err)
			}
			o.KnownHeads = append(o.KnownHeads, h)
		}
	case colTime, colAnew:
		o.Authorities = []verify.Authority{pinned(t, "tsa.pem", s.tsa)}
	case colWitness:
		o.Witnesses = []trust.WitnessKey{s.witness.Key()}
	}
	return o
}

// Words of the verdict. Each is checked against what a check prints.
const (
	sayKey      = "signer not checked: give --key; a key found in the bundle proves nothing"
	sayHolder   = "the holder of the signing key did not make this history anew: against him a signature alone proves nothing"
	sayCut      = "nothing was cut off after the newest head, unless you hold a later head"
	sayLater    = "whether anybody has seen a later head than these, a check cannot ask"
	sayBeside   = "keeps no other case beside this one"
	sayRecorded = "the operator recorded every exchange"
	sayClock    = "the clock of the host were honest"
	sayServer   = "the server told the truth"
	sayTool     = "that the tool and the clock of the host were honest"
	sayAnew     = "existed before 2027-01-01T00:00:00Z"
	sayStamped  = "existed before 2026-11-22T10:00:0"
)

// stampedAnew is when the operator has a case stamped that he altered: long after the honest one.
const stampedAnew = "20270101000000Z"

// forked goes back to the third head and continues differently.
func forked() story {
	s := honest()
	s.pages[2] = strings.Replace(s.pages[2], "MailItemsAccessed", "MailItemsDisposed", 1)
	s.note = "handed over by the custodian"
	return s
}

func reordered() story { s := honest(); s.pages[0], s.pages[1] = s.pages[1], s.pages[0]; return s }

// seen is a row: what becomes of it in the columns C, S, K, T and W.
func seen(c, s, k, t, w cell) map[string]cell {
	return map[string]cell{colHashes: c, colKey: s, colHead: k, colTime: t, colWitness: w}
}

// everywhere is a row whose attack nobody notices, with the words that say so; of a verifier who has trusted time there may be others.
func everywhere(caveat, time string) map[string]cell {
	no := cell{0, "", caveat}
	return seen(no, no, no, cell{0, "", time}, no)
}

// anew adds what becomes of the attack where the operator has it stamped once more.
func anew(row map[string]cell, c cell) map[string]cell {
	row[colAnew] = c
	return row
}

// instead is a row's attack: the honest case is made while the others look on, and afterwards another one put in its place.
func instead(st story) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		s.live(t, honest())
		s.swap(t, st)
	}
}

// meanwhile is a row's attack like that, made while the case still grows: the authority, which does not know what it stamps, stamps both.
func meanwhile(st story) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) {
		s.live(t, honest())
		before := s.files
		st.stamps = &stamper{by: s.tsa}
		s.files = keepFitting(st.tell(t), before)
	}
}

// fromTheStart is a row's attack that begins with the first entry: the others look on and see nothing wrong.
func fromTheStart(st story) func(*testing.T, *scene) {
	return func(t *testing.T, s *scene) { s.live(t, st) }
}

// prepared is a case that was made in advance, under a clock that was set forward, and stamped when that time had come.
func prepared() story {
	s := dated(2031)
	s.stamps = &stamper{at: "20310302000000Z", final: true}
	return s
}

var anyAhead = &trust.AheadError{}

// headsLeft edits the case without the key: what the key and others signed is left.
func headsLeft(t *testing.T, s *scene) {
	s.live(t, honest())
	before := s.files
	st := edited()
	st.stamps = &stamper{by: s.tsa}
	s.files = st.tell(t)
	for name, b := range before {
		if strings.HasSuffix(name, ".note") || strings.HasSuffix(name, ".tsr") {
			s.files[name] = b
		}
	}
}

func attacks() []attack {
	damage := func(code string) cell { return cell{3, code, ""} }
	unmet := func(code string) cell { return cell{8, code, ""} }
	later, holder, cutOff := cell{0, "", sayAnew}, cell{0, "", sayHolder}, cell{4, "", sayCut}
	retold := func(code string) map[string]cell {
		return anew(seen(holder, holder, damage(code), unmet("tsa-unmet"), unmet("witness-unmet")), later)
	}
	changed, root := damage("bag-changed"), damage("head-root")
	return []attack{
		{"edit one byte, leave hashes", func(t *testing.T, s *scene) {
			s.live(t, honest())
			s.files[seg1] = edit(bytes.Clone(s.files[seg1]), 2000, s.files[seg1][2000]^1)
		}, seen(changed, changed, changed, changed, changed), nil},
		{"edit and re-hash, no key: the heads are left", headsLeft, seen(root, root, damage("fork"), root, root), nil},
		{"edit and re-hash, no key: signed with another one", instead(otherKey()),
			anew(seen(cell{0, "", sayKey}, unmet("key-unmet"), unmet("known-head-unmet"), unmet("tsa-unmet"), unmet("witness-unmet")), later), trust.ErrWitness},
		{"edit, re-hash, re-sign with the same key", instead(edited()), retold("fork"), trust.ErrFork},
		{"remove a middle exchange, re-sign", instead(removed()), retold("rolled-back"), anyAhead},
		{"reorder middle exchanges, re-sign", instead(reordered()), retold("fork"), trust.ErrFork},
		{"truncate the tail at a checkpoint", instead(cut(3)), anew(seen(cutOff, cutOff, damage("rolled-back"), cutOff, cell{4, "", sayLater}), cutOff), anyAhead},
		{"roll back and continue differently (fork)", meanwhile(forked()), seen(holder, holder, damage("fork"), holder, unmet("witness-unmet")), trust.ErrFork},
		{"two cases from one (new origin, new key)", func(t *testing.T, s *scene) {
			s.live(t, honest()) // the case that is never shown
			s.live(t, otherCase())
		}, everywhere(sayBeside, sayBeside), nil},
		{"back-date the local clock", fromTheStart(dated(2020)), everywhere(sayClock, sayStamped), nil},
		{"prepare in advance, claim that it is newer", fromTheStart(prepared()), everywhere(sayClock, sayClock), nil},
		{"never record an inconvenient exchange", fromTheStart(removed()), everywhere(sayRecorded, sayRecorded), nil},
		{"invent the server's answers", fromTheStart(edited()), everywhere(sayServer, sayServer), nil},
		{"compromised tool binary", fromTheStart(honest()), everywhere(sayTool, sayTool), nil},
	}
}

// TestAttackTable runs every row against every column, and prints the table (-v).
func TestAttackTable(t *testing.T) {
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			s := newScene(t)
			a.make(t, s)
			for _, column := range columns() {
				files, want, ok := s.files, cell{}, false
				if column == colAnew {
					files = s.anew
				}
				if want, ok = a.cells[column]; ok != (files != nil) {
					t.Fatalf("column %s: there is a case: %v, and a cell: %v", column, files != nil, ok)
				}
				if files == nil {
					continue
				}
				r, _, err := verify.Check(t.Context(), mapFS(files), s.options(t, column))
				if err != nil {
					t.Fatal(err)
				}
				if problem := want.judge(r); problem != "" {
					t.Errorf("%s: %s", column, problem)
				}
			}
			if a.nothingToShow() {
				return
			}
			_, err := s.show(t, noteSizes(s.files)[len(noteSizes(s.files))-1])
			var ahead *trust.AheadError
			if a.asked == nil && err != nil || a.asked == error(anyAhead) && !errors.As(err, &ahead) || a.asked != nil && a.asked != error(anyAhead) && !errors.Is(err, a.asked) {
				t.Errorf("%s: the witness answers %v, expected %v", colAskThem, err, a.asked)
			}
		})
	}
	t.Log("\n" + tableText())
}

// nothingToShow says that the case is damaged as it stands, so that nobody would show its heads to a witness.
func (a *attack) nothingToShow() bool { return a.cells[colHashes].exit == verify.ExitDamaged }

// judge says what is wrong with a verdict: "" if nothing.
func (c cell) judge(r *verify.Report) string {
	said := strings.Join(r.Caveats, "\n")
	for _, s := range r.Statements {
		said += "\n" + s.Why
	}
	trouble := slices.DeleteFunc(distinct(codesOf(r)), func(code string) bool {
		return code == "unsealed" || code == "window-open" // a case that was cut says that it is not finished, as an honest one would
	})
	switch {
	case r.Exit() != c.exit:
		return fmt.Sprintf("exit %d with %v, expected %d", r.Exit(), codesOf(r), c.exit)
	case c.noticed() && !slices.Contains(trouble, c.code):
		return fmt.Sprintf("%v, and not %s", trouble, c.code)
	case !c.noticed() && len(trouble) > 0:
		return fmt.Sprintf("it is noticed: %v", trouble)
	case !c.noticed() && (c.caveat == "" || !strings.Contains(said, c.caveat)):
		return fmt.Sprintf("the verdict does not say %q", c.caveat)
	}
	return ""
}

// TestAttackTablePlanted shows that the table can fail: an attack that is not made, words that are not said, and a finding that is another one.
func TestAttackTablePlanted(t *testing.T) {
	s := newScene(t)
	s.live(t, honest())
	r, _, err := verify.Check(t.Context(), mapFS(s.files), s.options(t, colHead))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]cell{"no attack": {3, "fork", ""}, "another exit code": {8, "", sayHolder}, "another finding": {0, "fork", ""}, "words that are not said": {0, "", "the operator is honest"}, "no words": {0, "", ""}} {
		if c.judge(r) == "" {
			t.Errorf("%s is not noticed", name)
		}
	}
	s = newScene(t)
	instead(edited())(t, s)
	for _, column := range []string{colHead, colTime, colWitness} {
		if r, _, err = verify.Check(t.Context(), mapFS(s.files), s.options(t, column)); err != nil || (cell{0, "", sayHolder}).judge(r) == "" {
			t.Errorf("%s: an attack that is noticed is taken for one that is not: %v", column, err)
		}
	}
	if r, _, err = verify.Check(t.Context(), mapFS(s.anew), s.options(t, colTime)); err != nil || (cell{0, "", sayStamped}).judge(r) == "" {
		t.Errorf("a case that was stamped anew is taken for one that was stamped in time: %v", err)
	}
}
