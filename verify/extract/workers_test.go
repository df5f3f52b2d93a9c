package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// manyPages are pages of both sources: all fixtures, one after another, with plain pages and ids that repeat between them.
func manyPages(t testing.TB) (bodies []string, sources []string) {
	t.Helper()
	add := func(source, body string) { sources, bodies = append(sources, source), append(bodies, body) }
	for _, pattern := range []string{"../../testdata/records/*/*.json", "testdata/seeds/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) < 10 {
			t.Fatalf("%d files for %s (%v)", len(files), pattern, err)
		}
		for i, f := range files {
			body := string(mustRead(t, f))
			add("http", body)
			add(act, body)
			add("http", fmt.Sprintf(`{"value":[{"id":"%d","Timestamp":"2018-06-01T00:00:00Z","n":%d},{"id":"x"}]}`, i%7, i))
		}
	}
	add(act, string(fixture(t, "activities.json")))
	add(act, string(bigPage(t)))
	add("http", "[1,"+strings.Repeat(" ", quickLimit)+`{"id":"behind much"}]`)
	return bodies, sources
}

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// offer offers pages anew: bodies are read once.
func offer(bodies, sources []string) fakePages {
	var all fakePages
	for i := range bodies {
		all = append(all, fakePage{source: sources[i], user: "kim@example.com", body: strings.NewReader(bodies[i])})
	}
	return all
}

// TestWorkersMakeTheSame extracts all fixtures with one worker that reads every page as a stream, and with more that do not.
func TestWorkersMakeTheSame(t *testing.T) {
	bodies, sources := manyPages(t)
	want, wantSum := keepSlowly(t, offer(bodies, sources), Options{Workers: 1})
	if len(want) < 900 || wantSum.ProblemCount < 10 || wantSum.Flags["duplicate_id"] < 100 {
		t.Fatalf("the fixtures make %d records, %d problems, %v", len(want), wantSum.ProblemCount, wantSum.Flags)
	}
	for _, workers := range []int{1, 2, 3, 8, 100} {
		got, sum := keep(t, offer(bodies, sources), Options{Workers: workers})
		if err := same(got, want); err != nil {
			t.Errorf("%d workers: %v", workers, err)
		}
		if fmt.Sprint(sum) != fmt.Sprint(wantSum) {
			t.Errorf("%d workers: summary %+v, want %+v", workers, sum, wantSum)
		}
	}
}

// same compares records one by one.
func same(got, want []kept) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			return fmt.Errorf("record %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	return nil
}

// TestSameNotices plants what a comparison of two orders must not miss: neighbours exchanged, anywhere.
func TestSameNotices(t *testing.T) {
	bodies, sources := manyPages(t)
	want, _ := keep(t, offer(bodies, sources), Options{})
	for i := 1; i < len(want); i += 13 {
		bad := slices.Clone(want)
		bad[i-1], bad[i] = bad[i], bad[i-1]
		if same(bad, want) == nil {
			t.Fatalf("records %d and %d are exchanged: not noticed", i-1, i)
		}
	}
}

// late is a body that takes its time.
type late struct {
	after time.Duration
	io.Reader
}

func (l late) Read(p []byte) (int, error) {
	time.Sleep(l.after) // of a synctest bubble
	return l.Reader.Read(p)
}

// reversed offers n pages of which the first takes longest.
func reversed(n int) fakePages {
	var all fakePages
	for i := range n {
		body := fmt.Sprintf(`[{"id":"same"},{"id":"%d"}]`, i)
		all = append(all, fakePage{source: "http", body: late{time.Duration(n-i) * time.Hour, strings.NewReader(body)}})
	}
	return all
}

// checkOrder extracts n pieces, each with a worker of its own, and holds the records against the order of the pieces.
func checkOrder(t *testing.T, from pages, n int) error {
	var ids []string
	var duplicates int
	_, err := extract(t.Context(), from, Options{Workers: n}, func(r *Record) error {
		if r.Flags.Has(DuplicateID) {
			duplicates++
		} else {
			ids = append(ids, r.ID)
		}
		return nil
	})
	want := []string{"same"}
	for i := range n {
		want = append(want, fmt.Sprint(i))
	}
	if err == nil && (!slices.Equal(ids, want) || duplicates != n-1) {
		err = fmt.Errorf("%v with %d duplicates", ids, duplicates)
	}
	return err
}

// TestOrder lets the last piece be ready first, and so on: every one has to wait for the one before it.
func TestOrder(t *testing.T) {
	for _, n := range []int{1, 2, 3, 20} {
		synctest.Test(t, func(t *testing.T) {
			if err := checkOrder(t, reversed(n), n); err != nil {
				t.Errorf("%d pieces: %v", n, err)
			}
		})
	}
}

// exchanged gives two neighbours out under each other's number, as a writer would that does not wait for its turn.
type exchanged struct{ pages }

func (e exchanged) Reader() (pageReader, error) {
	r, err := e.pages.Reader()
	return exchangedReader{r}, err
}

type exchangedReader struct{ pageReader }

func (e exchangedReader) Read(ctx context.Context, source string, piece int) (int, error) {
	return e.pageReader.Read(ctx, source, piece^1)
}

// TestOrderNotices plants a change of order: with two pieces, the first that can show it.
func TestOrderNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if checkOrder(t, exchanged{reversed(2)}, 2) == nil {
			t.Error("two pieces exchanged: not noticed")
		}
	})
}

// TestFirstErrorCounts lets two pieces fail, the later one first: the earlier one's error is reported, and all before it is emitted.
func TestFirstErrorCounts(t *testing.T) {
	early, lateOne := errors.New("early"), errors.New("late")
	for _, workers := range []int{1, 3, 8} {
		synctest.Test(t, func(t *testing.T) {
			from := reversed(8)
			from[3] = fakePage{source: "http", err: early, none: true}
			from[6] = fakePage{source: "http", err: lateOne, none: true}
			var ids []string
			sum, err := extract(t.Context(), from, Options{Workers: workers}, func(r *Record) error {
				ids = append(ids, r.ID)
				return nil
			})
			if !errors.Is(err, early) || errors.Is(err, lateOne) || !slices.Equal(ids, []string{"same", "0", "same", "1", "same", "2"}) || sum.Pages != 3 || sum.Records != 6 {
				t.Errorf("%d workers: %v, %v, %+v", workers, ids, err, sum)
			}
		})
	}
}

// TestEmitFails checks that nothing is emitted after emit has failed, whoever works on what.
func TestEmitFails(t *testing.T) {
	full := errors.New("full")
	for _, workers := range []int{1, 3, 8} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			sum, err := extract(t.Context(), reversed(8), Options{Workers: workers}, func(r *Record) error {
				if calls++; calls == 5 {
					return full
				}
				return nil
			})
			if !errors.Is(err, full) || calls != 5 || sum.Records != 5 {
				t.Errorf("%d workers: %d calls, %v, %+v", workers, calls, err, sum)
			}
		})
	}
}

// TestManySmallRecords is about a page that is short but makes so many records that they are not staged as a whole.
func TestManySmallRecords(t *testing.T) {
	body := "[" + strings.Repeat("{},", 30_000) + "{}]"
	for _, workers := range []int{1, 2} {
		got, sum := keep(t, offer([]string{body, body}, []string{"http", "http"}), Options{Workers: workers})
		if len(got) != 60_002 || sum.ProblemCount != 0 || got[30_000].Provenance.Pointer != "/30000" || got[30_001].Provenance.Seq != 2 {
			t.Errorf("%d workers: %d records, %+v", workers, len(got), sum)
		}
	}
}
