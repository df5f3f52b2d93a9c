package odata_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/odata"
)

// filterSeeds and querySeeds are where the fuzz targets start. They stand in
// the source so that they cannot go missing; what fuzzing found is kept in
// testdata/fuzz beside them.
var (
	filterSeeds = []string{
		crowdStrike, exoMail, "", "not not (a)", "x eq 'O''Brien'", "a/b ne null and (c or not (d lt -1.5e-7))",
		"t le 2018-02-28T23:59:59.999999999-13:59", "x eq 9.223372036854775808e18", "'", "((", "a eq 1e-400",
	}
	querySeeds = []string{
		"%24filter=&%24top=1000&%24select=TimeStamp%2CAppIdType&%24skip=0",
		"$orderby=TimeStamp%20asc&$filter=(TimeStamp+ge+2018-05-01T00%3A00%3A00Z)+and+(AppIdType+eq+%27Web%27)",
		"$top=1&$top=1", "$select=a,b/c&$orderby=a desc,b", "&=&%24", "$filter=%",
	}
)

func TestFuzzSeedsAreThere(t *testing.T) {
	if len(filterSeeds) < 10 || len(querySeeds) < 5 {
		t.Error("fuzz targets have lost their seeds")
	}
	for _, target := range []string{"FuzzParse", "FuzzParseQuery"} {
		files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
		if err != nil || len(files) == 0 {
			t.Errorf("no seed files of %s: %v", target, err)
		}
		for _, name := range files {
			if b, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(b), "go test fuzz v1\n") {
				t.Errorf("seed %s: %v, starts %.20q", name, err, b)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range filterSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parsed, err := odata.Parse(s)
		if err != nil {
			return
		}
		canonical := parsed.String()
		again, err := odata.Parse(canonical)
		if err != nil {
			t.Fatalf("canonical form %q of %q: %v", canonical, s, err)
		}
		if again.String() != canonical {
			t.Fatalf("canonical form %q of %q becomes %q", canonical, s, again)
		}
		data := modelRow(t)
		a, errA := parsed.Eval(data)
		b, errB := again.Eval(data)
		if a != b || (errA == nil) != (errB == nil) {
			t.Fatalf("%q gives %v, %v; its canonical form %v, %v", s, a, errA, b, errB)
		}
	})
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range querySeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := odata.ParseQuery(s)
		if err != nil {
			return
		}
		canonical := q.String()
		if len(canonical) > odata.MaxQueryLength {
			return // percent-encoding made it longer than a query may be
		}
		again, err := odata.ParseQuery(canonical)
		if err != nil {
			t.Fatalf("canonical form %q of %q: %v", canonical, s, err)
		}
		if again.String() != canonical {
			t.Fatalf("canonical form %q of %q becomes %q", canonical, s, again)
		}
	})
}
