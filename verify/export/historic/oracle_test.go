package historic

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

// tool runs another program.
func tool(t *testing.T, stdin, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(name + " is required and missing")
		}
		t.Skip("NOT TESTED: files of the programs of 2018 against " + name + " itself, which is missing")
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, &stderr)
	}
	return out
}

func python(t *testing.T, stdin, what string) []byte {
	t.Helper()
	return tool(t, stdin, "python3", "testdata/retriever.py", what)
}

// pythonPrintable is what this Python shows, which knows a later Unicode than that of 2018.
func pythonPrintable(t *testing.T) (p printable) {
	t.Helper()
	for line := range strings.Lines(string(python(t, "", "printable"))) {
		var r [2]rune
		if _, err := fmt.Sscanf(line, "%x-%x", &r[0], &r[1]); err != nil {
			t.Fatal(err)
		}
		p = append(p, r)
	}
	return p
}

// container is a verified case of these pages.
func container(t testing.TB, pages []string) *verify.Container {
	t.Helper()
	m := sample.New(t, nil)
	for i, b := range pages {
		m.Exchange(sample.Answer{Source: Source, Page: int64(i + 1), Parent: evidence.None, RetryOf: evidence.None, Status: 200,
			Head: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d", len(b)), Body: b})
	}
	m.Close()
	_, c, err := verify.Check(t.Context(), m.Folder.FS(), verify.Options{})
	if err != nil || c == nil {
		t.Fatalf("the case does not verify: %v", err)
	}
	return c
}

// written gathers and writes what the pages hold. change may spoil something between.
func written(t testing.TB, f Format, pages []string, change func(*Gathered)) (csv, losses string) {
	t.Helper()
	c, o := container(t, pages), Options{TempDir: t.TempDir(), Windows: []verify.Window{{Source: Source}}}
	g := f.begin(c, o)
	if change != nil {
		change(g)
	}
	if _, err := g.read(t.Context(), c, o); err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(g.Write(t.Context(), &a, &b), g.Close()); err != nil {
		t.Fatal(err)
	}
	return a.String(), b.String()
}

// oracle is what Python writes of the same pages.
func oracle(t *testing.T, f Format, pages []string) string {
	t.Helper()
	var in strings.Builder
	for _, p := range pages {
		fmt.Fprintf(&in, "%d\n%s", len(p), p)
	}
	return string(python(t, in.String(), f.Name))
}

// TestSampleLine: the line of the reference.
func TestSampleLine(t *testing.T) {
	page := `{"value":[{"Id":"x","ActivityCreationTime":"2018-06-21T10:45:30.797Z","ActivityIdType":"SearchResult","AppIdType":"Web",` +
		`"ClientSessionId":"6499…43a2","ActivityItemId":"","TimeStamp":"2018-06-21T10:45:30.000Z","CustomProperties":` +
		`[{"Name":"Sid","Value":"af8d…"},{"Name":"Query","Value":"O'Brien, W-9; 2017"}]}]}`
	const want = "TimeStamp,AppIdType,ActivityIdType,ActivityItemId,ActivityCreationTime,ClientSessionId,CustomProperties\n" +
		`2018-06-21T10:45:30.000Z,Web,SearchResult,,2018-06-21T10:45:30.797Z,6499…43a2,"{'Sid': 'af8d…', 'Query': ""O'Brien, W-9; 2017""}"` + "\n"
	for _, f := range Formats() {
		bom := map[string]string{"crowdstrike-csv": "\ufeff", "lmg-csv": ""}[f.Name]
		if got, _ := written(t, f, []string{page}, nil); got != bom+want {
			t.Errorf("%s: got\n%q\nwant\n%q", f.Name, got, bom+want)
		}
		if got := oracle(t, f, []string{page}); got != bom+want {
			t.Errorf("%s: Python writes\n%q", f.Name, got)
		}
	}
}

// maker makes up pages.
type maker struct {
	*rand.Rand
	then, now printable // what the Pythons of 2018 and of today show
	wild      bool      // activities, too, at which the programs ended with an error
}

// char is a character: most are of the kinds that need care.
func (m *maker) char() string {
	const careful = "'\"\\\r\n\t,;:{}[]= \u00a0\u00ad\u200b\u202e\u2028\ufeffé€中😀\U000e0001\x00\x01\x1f\x7f\u0085\ufffd"
	list := []rune(careful)
	switch m.IntN(4) {
	case 0:
		return string(rune('a' + m.IntN(26)))
	case 1:
		if r := rune(m.IntN(0x30000)); (r < 0xD800 || r > 0xDFFF) && m.agree(r) {
			return string(r)
		}
	}
	return string(list[m.IntN(len(list))])
}

// agree reports whether r is shown by both or by neither.
func (m *maker) agree(r rune) bool { return m.then.has(r) == m.now.has(r) }

// quoted is a JSON string. In a cell of its own a text has neither halves of pairs, which no UTF-8 file holds, nor a CR or NUL, of which
// Python's csv module has changed its mind since 2018.
func (m *maker) quoted(cell bool) string {
	b := []byte{'"'}
	for range m.IntN(12) {
		if !cell && m.IntN(20) == 0 {
			b = append(b, []string{`\ud800`, `\udfff`, "\xff", "\xe2\x82", "\xed\xa0\x80", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xc0\xaf", "\xe2\x28"}[m.IntN(9)]...)
			continue
		}
		for _, r := range m.char() {
			switch {
			case cell && (r == '\r' || r == 0):
			case r == '"' || r == '\\':
				b = append(b, '\\', byte(r))
			case r < ' ' || m.IntN(6) == 0 && r < 0x10000:
				b = fmt.Appendf(b, `\u%04x`, r)
			default:
				b = append(b, string(r)...)
			}
		}
	}
	return string(append(b, '"'))
}

func (m *maker) value(depth int) string {
	switch n := m.IntN(14); {
	case n == 0:
		return "null"
	case n == 1:
		return []string{"true", "false"}[m.IntN(2)]
	case n == 2:
		return fmt.Sprintf("%d", m.Int64()-m.Int64())
	case n == 3:
		return fmt.Sprintf("%d.%02de%d", m.IntN(100), m.IntN(100), m.IntN(40)-20)
	case n == 4 && depth > 0:
		return "[" + m.value(depth-1) + " , " + m.value(depth-1) + "]"
	case n == 5 && depth > 0:
		return `{"a":` + m.value(depth-1) + `, "b":` + m.value(0) + `,"a":` + m.value(depth-1) + "}"
	}
	return m.quoted(false)
}

// activity makes up one, with members in any order, some twice, some missing.
func (m *maker) activity(id int) string {
	members := []string{fmt.Sprintf(`"TimeStamp":"2018-06-%02dT10:00:%02d.000Z"`, 1+m.IntN(20), m.IntN(5)), fmt.Sprintf(`"Id":"id%d"`, id)}
	for _, name := range columns()[1:6] {
		for range []int{0, 1, 1, 1, 1, 2}[m.IntN(6)] {
			v := m.quoted(true)
			if m.IntN(8) == 0 {
				v = []string{"null", "12", "-0", "1.50", "true", `[1,"a"]`, `{"b":null}`, `""`}[m.IntN(8)]
			}
			if m.wild && m.IntN(40) == 0 {
				v = `"\udfff"`
			}
			members = append(members, fmt.Sprintf("%q: %s", name, v))
		}
	}
	switch n := m.IntN(12); {
	case n == 0:
	case n == 2 && m.wild:
		members = append(members, `"CustomProperties":`+[]string{`"x"`, "1e999", "true", `{"a":null}`, `["x"]`, `[[]]`, `[{"Name":"Q","Value":1},{"Name":"Q","Value":2},{"Name":"x"}]`}[m.IntN(7)])
	case n == 1:
		members = append(members, `"CustomProperties":`+[]string{"null", "[]", `""`, "0", "{}", "false"}[m.IntN(6)])
	default:
		var pairs []string
		for range 1 + m.IntN(5) {
			name := m.quoted(false)
			if m.IntN(3) == 0 {
				name = []string{`"Query"`, `"Sid"`, "1", "1.0", "true", "null", "0", "false", "-0.0", "1e2", "100"}[m.IntN(11)]
			}
			pair := []string{`"Name":` + name, `"Value":` + m.value(2)}
			if m.IntN(12) == 0 {
				pair = append(pair, []string{`"Type":"text"`, `"Value":7`, `"Name":"Query"`}[m.IntN(3)])
			}
			m.Shuffle(len(pair), func(i, j int) { pair[i], pair[j] = pair[j], pair[i] })
			pairs = append(pairs, "{"+strings.Join(pair, ",")+"}")
		}
		members = append(members, `"CustomProperties":[`+strings.Join(pairs, ", ")+"]")
	}
	members = append(members, `"@odata.etag":"W/\"CQAAAA==\""`)
	m.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ",") + "}"
}

func (m *maker) pages(n, rows int) (pages []string) {
	for p := range n {
		var list []string
		for r := range rows {
			list = append(list, m.activity(p*rows+r))
		}
		pages = append(pages, `{"value":[`+strings.Join(list, ",\n")+`]}`)
	}
	return pages
}

// TestAgainstPython holds what is written of made-up pages against what Python's own json and csv modules write, and plants faults that must show.
func TestAgainstPython(t *testing.T) {
	m := &maker{Rand: rand.New(rand.NewPCG(2018, 7)), then: newPrintable(), now: pythonPrintable(t)}
	for round := range 5 {
		pages := m.pages(3, 120)
		for _, f := range Formats() {
			want := oracle(t, f, pages)
			got, _ := written(t, f, pages, nil)
			if problem := firstDifference(got, want); problem != "" {
				t.Fatalf("round %d, %s: %s", round, f.Name, problem)
			}
			if strings.Count(want, "\n") < 361 {
				t.Fatalf("Python writes %d lines", strings.Count(want, "\n"))
			}
			if round > 0 {
				continue
			}
			for name, spoil := range map[string]func(*Gathered){
				"a table without one sign": func(g *Gathered) { g.printable = g.printable.without('€') },
				"a table with one more":    func(g *Gathered) { g.printable = append(printable{{0x7F, 0xA0}}, g.printable...) },
				"no byte order mark":       func(g *Gathered) { g.format.bom = !g.format.bom },
			} {
				if got, _ := written(t, f, pages, spoil); firstDifference(got, want) == "" {
					t.Errorf("%s: planted fault is not noticed: %s", f.Name, name)
				}
			}
			other := f
			other.newest = !f.newest
			if got, _ := written(t, other, pages, nil); firstDifference(got, want) == "" {
				t.Error("the other order is not noticed")
			}
		}
	}
}

// without is the table but for r.
func (p printable) without(r rune) (q printable) {
	for _, s := range p {
		if s[0] <= r && r <= s[1] {
			q = append(q, [2]rune{s[0], r - 1}, [2]rune{r + 1, s[1]})
		} else {
			q = append(q, s)
		}
	}
	return q
}

func firstDifference(got, want string) string {
	if got == want {
		return ""
	}
	n := 0
	for n < len(got) && n < len(want) && got[n] == want[n] {
		n++
	}
	from := max(0, n-80)
	return fmt.Sprintf("byte %d: got %q, Python writes %q", n, got[from:min(len(got), n+80)], want[from:min(len(want), n+80)])
}
