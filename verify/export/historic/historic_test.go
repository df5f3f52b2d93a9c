package historic

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/verify"
)

// act is an activity with what matters here.
func act(id, time, more string) string {
	return fmt.Sprintf(`{"Id":%q,"TimeStamp":%q,"AppIdType":%q%s}`, id, time, id, more)
}

func page(activities ...string) string { return `{"value":[` + strings.Join(activities, ",") + "]}" }

// ids are the rows of a file, by AppIdType.
func ids(csv string) (list []string) {
	for _, line := range strings.Split(strings.TrimSuffix(csv, "\n"), "\n")[1:] {
		list = append(list, strings.Split(line, ",")[1])
	}
	return list
}

// TestOrder: from pages in either order, rows of one instant stay as they came, whatever spelling their times have; without a time comes last.
func TestOrder(t *testing.T) {
	acts := []string{
		act("a", "2018-06-01T00:00:00.019Z", ""), act("b", "2018-06-01T00:00:00.01Z", ""), act("c", "2018-06-01T00:00:00.010Z", ""),
		act("n", "none", ""), act("d", "2018-06-01T02:00:00.0100+02:00", ""), act("e", "2018-05-31T23:59:60Z", ""), act("f", "1601-01-01T00:00:00Z", ""),
		act("g", "2018-05-31T23:59:59.999999999999Z", ""), act("m", "", ""), act("h", "9999-12-31T23:59:59-00:30", ""), act("i", "2018-06-01T00:00:00", ""),
	}
	newest, oldest := Formats()[0], Formats()[1]
	for _, c := range []struct {
		f     Format
		pages []string
		want  string
	}{
		{newest, []string{page(acts[:4]...), page(acts[4:]...)}, "h a b c d e i g f n m"},
		{oldest, []string{page(acts[:4]...), page(acts[4:]...)}, "f g e i b c d a h n m"},
		{newest, []string{page(acts[4:]...), page(acts[:4]...)}, "h a d b c e i g f m n"},
		{oldest, []string{page(acts[4:]...), page(acts[:4]...)}, "f g e i d b c a h m n"},
	} {
		csv, _ := written(t, c.f, c.pages, nil)
		if got := strings.Join(ids(csv), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.f.Name, got, c.want)
		}
	}
}

// TestWithoutRow: what has no row, and why.
func TestWithoutRow(t *testing.T) {
	const time = "2018-06-01T00:00:00Z"
	properties := func(s string) string { return `,"CustomProperties":` + s }
	acts := []string{
		act("a", time, ""), act("b", time, properties(`{"a":1}`)), act("c", time, properties(`["x"]`)), act("d", time, properties(`[{"Name":"x"}]`)),
		act("e", time, properties(`[{"Value":"x"}]`)), act("f", time, properties(`[{"Name":[],"Value":"x"}]`)), act("g", time, properties(`"x"`)), act("h", time, properties(`1`)),
		act("i", time, properties(`true`)), act("j", time, properties(`0.0`)), act("k", time, properties(`[{"Name":"x","Value":1,"Other":2}]`)),
		act("l", time, `,"ClientSessionId":"\ud800"`), act("a", time, ""), act("a", time, `,"x":1`), `"text"`, "7", "null", `["a"]`,
		act("m", time, properties(`[{"Name":"x","Value":"`+strings.Repeat("x", recordLimit)+`"}]`)), `{"error":{"code":"x"}}`, act("o", time, properties(`1e-400`)),
	}
	for _, f := range Formats() {
		csv, losses := written(t, f, []string{page(acts...)}, nil)
		if got := strings.Join(ids(csv), " "); got != "a j k a o " { // the last one is the error object
			t.Errorf("rows %q", got)
		}
		why := map[string]int{}
		for _, l := range lossLines(t, losses)[1:] {
			if (l.Why == "") != (l.Row > 0) {
				t.Errorf("%+v", l)
			}
			why[l.Why]++
		}
		if got := fmt.Sprint(why); got != "map[:6 custom_properties:8 not_an_object:4 not_interpreted:1 repeat:1 surrogate:1]" {
			t.Errorf("reasons %s", got)
		}
	}
}

// loss is a line of the list.
type loss struct {
	Format, CSV, Case, User string
	Rows                    int
	WithoutRow              int `json:"without_row"`
	Window                  int
	Source                  string
	Records                 int
	Row                     int
	Why, ID                 string
	Members                 map[string]json.RawMessage
	Repeated                []struct {
		Name   string
		Values []json.RawMessage
	}
	Flags      []string
	Provenance map[string]any
}

func lossLines(t *testing.T, losses string) (list []loss) {
	t.Helper()
	for line := range strings.Lines(losses) {
		var l loss
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		list = append(list, l)
	}
	return list
}

// TestLosses states a list by hand; the hash is sha256sum's.
func TestLosses(t *testing.T) {
	p := page(act("a", "2018-06-01T00:00:00Z", `,"@odata.etag":"W/\"C\"","ActivityItemId":null,"n":1.50,"n":[{"q":1,"q":"\ud800"}],"CustomProperties":[{"Name":"Q","Value":"1"},{"Name":"Q","Value":2}]`))
	m := container(t, []string{p})
	f := Formats()[0]
	g, sum, err := f.Gather(t.Context(), m, Options{TempDir: t.TempDir(), Windows: []verify.Window{{Window: 0, Source: Source}, {Window: 2, Source: Source, User: "other", Records: 3}, {Window: 3, Source: "http", Records: 4}}})
	if err != nil || sum.Records != 1 || g.Rows != 1 {
		t.Fatal(sum, err)
	}
	var csv, losses strings.Builder
	if err := g.Write(t.Context(), &csv, &losses); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	const want = `{"format":"exhibit-csv-losses/1","csv":"crowdstrike-csv","case":"00112233445566778899aabbccddeeff","user":"","rows":1,"without_row":0}
{"window":2,"source":"outlook-activities","user":"other","records":3}
{"window":3,"source":"http","user":"","records":4}
{"row":1,"why":"","id":"a","members":{"@odata.etag":"W/\"C\"","ActivityItemId":null,"n":[{"q":1,"q":"\ud800"}],"CustomProperties":[{"Name":"Q","Value":"1"},{"Name":"Q","Value":2}]},` +
		`"missing":["ActivityIdType","ActivityCreationTime","ClientSessionId"],"repeated":[{"name":"n","values":[1.50,[{"q":1,"q":"\ud800"}]]},{"name":"Q","values":["1",2]}],"flags":["duplicate_key","lone_surrogate","repeated_property"],` +
		`"provenance":{"seq":1,"pointer":"/value/0","offset":10,"length":LENGTH,"sha256":"HASH"}}
`
	text := p[len(`{"value":[`) : len(p)-2]
	hash := string(tool(t, text, "sha256sum"))[:64]
	if got := losses.String(); got != strings.NewReplacer("LENGTH", fmt.Sprint(len(text)), "HASH", hash).Replace(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestDocs: docs/records.md says why a record may have no row, and names both formats.
func TestDocs(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/records.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n### "+Formats()[0].Name+", "+Formats()[1].Name+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, word := range []string{WhyRepeat, WhyNotInterpreted, WhyNotAnObject, WhyProperties, WhySurrogate} {
		if !strings.Contains(section, "\n| `"+word+"` | ") {
			t.Errorf("%s is not explained", word)
		}
	}
	for _, text := range []string{strings.Join(columns(), ","), lossesFormat} {
		if !strings.Contains(section, "`"+text+"`") {
			t.Errorf("%s is not there", text)
		}
	}
}

func TestFind(t *testing.T) {
	for _, name := range []string{"csv", "crowdstrike", ""} {
		if _, ok := Find(name); ok {
			t.Errorf("%q is no format of 2018", name)
		}
	}
}
