package extract

import (
	"fmt"
	"io"
	"runtime"
	"testing"
)

// endless gives a page of n small records, made while it is read.
type endless struct {
	n, next int
	rest    []byte
}

func (e *endless) Read(p []byte) (int, error) {
	for len(e.rest) == 0 {
		switch {
		case e.next > e.n:
			return 0, io.EOF
		case e.next == e.n:
			e.rest = []byte("]}")
		default:
			comma := `{"value":[`
			if e.next > 0 {
				comma = ","
			}
			e.rest = fmt.Appendf(nil, `%s{"Id":"%d","TimeStamp":"2018-06-01T00:00:00.000Z","ActivityIdType":"MarkAsRead",`+
				`"CustomProperties":[{"Name":"ItemClass","Value":"IPM.Note"}]}`, comma, e.next)
		}
		e.next++
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// TestMemory reads one page of 40 MB. What is held on the way must be far less
// than the page.
func TestMemory(t *testing.T) {
	const records, most = 300_000, 4 << 20
	pages := fakePages{{source: "outlook-activities", body: &endless{n: records}}}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	seen, peak := 0, uint64(0)
	opt := Options{MemoryKeys: 10_000, TempDir: t.TempDir()}
	sum, err := extract(t.Context(), pages, opt, func(*Record) error {
		if seen++; seen%100_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
		return nil
	})
	if err != nil || sum.Records != records || sum.Flagged != 0 || sum.ProblemCount != 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	// The filter before the file takes 8 MiB.
	if held := int64(peak) - int64(before.HeapAlloc) - bloomBits/8; held > most {
		t.Errorf("%d bytes held, want at most %d", held, most)
	}
}
