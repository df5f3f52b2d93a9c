package items

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

// TestWrite: each id once, in order; what cannot be asked for is counted.
func TestWrite(t *testing.T) {
	m := sample.New(t, nil)
	var rows, want []string
	for i := range 5000 {
		id := fmt.Sprintf("AAMk%04d=", i*7%2000)
		rows = append(rows, fmt.Sprintf(`{"Id":"%d","ActivityItemId":%q}`, i, id))
		want = append(want, id)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	for _, odd := range []string{"#a", "a b", "a\\nb", "é", strings.Repeat("x", 1025), "\\u0000"} {
		rows = append(rows, `{"Id":"x","ActivityItemId":"`+odd+`"}`)
	}
	rows = append(rows, `{"Id":"y","ActivityItemId":""}`, `{"Id":"z"}`)
	body := `{"value":[` + strings.Join(rows, ",") + "]}"
	m.Exchange(sample.Answer{Source: "outlook-activities", Page: 1, Parent: evidence.None, RetryOf: evidence.None, Status: 200,
		Head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d", len(body)), Body: body})
	m.Close()
	_, c, err := verify.Check(t.Context(), m.Folder.FS(), verify.Options{})
	if err != nil || c == nil {
		t.Fatal(err)
	}
	var out strings.Builder
	l, sum, err := Write(t.Context(), c, Options{Source: "outlook-activities", TempDir: t.TempDir()}, &out)
	if err != nil || l.Items != int64(len(want)) || l.Odd != 6 || sum.Records != 5008 {
		t.Errorf("%+v, %d records, %v", l, sum.Records, err)
	}
	if got := out.String(); got != strings.Join(want, "\n")+"\n" {
		t.Errorf("got %.200s", got)
	}
	out.Reset()
	if l, _, err := Write(t.Context(), c, Options{Source: "outlook-activities", User: "other", TempDir: t.TempDir()}, &out); err != nil || l != (Listed{}) || out.Len() > 0 {
		t.Errorf("of another mailbox %+v, %v", l, err)
	}
}
