package export

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/verify/extract"
)

// hostile cells: what a spreadsheet could run, and its harmless neighbours.
func hostile() map[string]string {
	return map[string]string{
		"=1+1":                             "'=1+1",
		"+49 30 1":                         "'+49 30 1",
		"-5":                               "'-5",
		"@SUM(A1)":                         "'@SUM(A1)",
		"\tx":                              "'\tx",
		"\rx":                              "'\rx",
		"\nx":                              "'\nx",
		"＝1":                               "'＝1",
		"＋1":                               "'＋1",
		"－1":                               "'－1",
		"＠x":                               "'＠x",
		"  =1":                             "'  =1",
		" \tx":                             "' \tx",
		"\u00a0\u200b\ufeff=1":             "'\u00a0\u200b\ufeff=1",
		`"=1"`:                             `'"=1"`,
		`'=1`:                              `''=1`,
		`''=1`:                             `'''=1`,
		`" '=1`:                            `'" '=1`,
		"\x00=1":                           "'\x00=1",
		"=cmd|' /C calc'!A0":               "'=cmd|' /C calc'!A0",
		"cmd|' /C calc'!A0":                "'cmd|' /C calc'!A0",
		`DDE ("cmd";"/C calc";"x")`:        `'DDE ("cmd";"/C calc";"x")`,
		`=HYPERLINK("http://x","y")`:       `'=HYPERLINK("http://x","y")`,
		"a;=1":                             "a;'=1",
		"a; \"-1;b":                        "a;' \"-1;b",
		"a;'=1":                            "a;''=1",
		"a\r\n=1":                          "a\r\n'=1",
		"a\t+1":                            "a\t'+1",
		"=a;=b;c":                          "'=a;'=b;c",
		`{"q":"x;=cmd|' /C calc'!A0;"}`:    `{"q":"x;'=cmd|' /C calc'!A0;"}`,
		"":                                 "",
		"plain":                            "plain",
		"a=b":                              "a=b",
		"a;b - c":                          "a;b - c",
		"'":                                "'",
		"'x":                               "'x",
		"a\r\nb":                           "a\r\nb",
		"2018-06-21T12:14:13-07:00":        "2018-06-21T12:14:13-07:00",
		"a|b":                              "a|b",
		"DDEX(1)":                          "DDEX(1)",
		"<m1@example.net>":                 "<m1@example.net>",
		"x\x00y":                           "x\x00y",
		"=" + strings.Repeat("x", 1<<20):   "'=" + strings.Repeat("x", 1<<20),
		"caf\u00e9 \u202egpj.exe; \u202b=": "caf\u00e9 \u202egpj.exe;' \u202b=",
	}
}

func TestNeutralise(t *testing.T) {
	for cell, want := range hostile() {
		got, changed := Neutralise(cell)
		if got != want || changed != (cell != want) {
			t.Errorf("%.60q: %.60q, %v; want %.60q", cell, got, changed, want)
		}
		if changed && Restore(got) != cell {
			t.Errorf("%.60q is restored as %.60q", cell, Restore(got))
		}
	}
}

func FuzzNeutralise(f *testing.F) {
	for cell := range hostile() {
		f.Add(cell)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		safe, changed := Neutralise(cell)
		if Restore(safe) != cell || changed != (safe != cell) {
			t.Fatalf("%q: %q, restored as %q", cell, safe, Restore(safe))
		}
		if strings.IndexAny(safe, "=+-@\t\r\n") == 0 {
			t.Fatalf("%q: %q", cell, safe)
		}
	})
}

// rows is what the file should hold once it is restored.
func rows(r *extract.Record) []string {
	p := r.Provenance
	return []string{
		"exhibit-record/1", r.Source, r.ID, r.Time, r.Type, r.User, r.Mailbox, r.ClientIP, r.ClientApp, r.UserAgent,
		r.SessionID, r.ItemID, r.Subject, r.MessageID, string(r.Details), strings.Join(r.Flags.Words(), ";"),
		p.Container, fmt.Sprint(p.Seq), p.Pointer, fmt.Sprint(p.Offset), fmt.Sprint(p.Length), hex.EncodeToString(p.SHA256[:]),
	}
}

// hostileCSV writes a file of hostile cells in every text column, and returns
// it with the rows that went in.
func hostileCSV(t *testing.T) (file []byte, want [][]string) {
	t.Helper()
	var out bytes.Buffer
	export(t, "csv", &out, func(r *extract.Record) { want = append(want, rows(r)) })
	w := &writer{w: &out, encoder: newCSV()}
	var cells []string
	for cell := range hostile() {
		cells = append(cells, cell)
	}
	slices.Sort(cells)
	for i, cell := range cells {
		r := example()
		r.ID, r.Subject, r.UserAgent = cell, cell, cells[(i+1)%len(cells)]
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
		want = append(want, rows(r))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), want
}

// compare restores rows as read and compares them with what was written.
func compare(got, want [][]string) error {
	header := csvColumns()
	if len(got) != len(want)+1 || !slices.Equal(got[0], header) {
		return fmt.Errorf("%d rows for %d records, header %q", len(got), len(want), got[0])
	}
	for i, row := range got[1:] {
		marks := strings.Split(row[len(row)-1], ";")
		for k := range row[:len(row)-1] {
			cell := row[k]
			if slices.Contains(marks, header[k]) {
				cell = Restore(cell)
			}
			if cell != want[i][k] {
				return fmt.Errorf("row %d, %s: %.80q, want %.80q", i+1, header[k], cell, want[i][k])
			}
		}
	}
	return nil
}

// TestCSV reads the file with the standard library, which turns CRLF inside a
// cell into LF, so the expectation does too. TestCSVPython has no such limit.
func TestCSV(t *testing.T) {
	file, want := hostileCSV(t)
	if bytes.HasPrefix(file, []byte("\ufeff")) || !bytes.HasSuffix(file, []byte("\r\n")) {
		t.Error("byte order mark at the start, or no CRLF at the end")
	}
	got, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range want {
		for k := range row {
			row[k] = strings.ReplaceAll(row[k], "\r\n", "\n")
		}
	}
	if err := compare(got, want); err != nil {
		t.Error(err)
	}
	last := len(csvColumns())
	for name, plant := range map[string]func(got [][]string) [][]string{
		"cell":  func(g [][]string) [][]string { g[3][2] += "x"; return g },
		"mark":  func(g [][]string) [][]string { g[rowOf(g, "'=1+1")][last-1] = ""; return g },
		"row":   func(g [][]string) [][]string { return g[:len(g)-1] },
		"names": func(g [][]string) [][]string { g[0][0] = ""; return g },
	} {
		var copied [][]string
		for _, row := range got {
			copied = append(copied, slices.Clone(row))
		}
		if compare(plant(copied), want) == nil {
			t.Errorf("planted fault in a %s is not noticed", name)
		}
	}
}

// rowOf returns the index of the row with that id.
func rowOf(rows [][]string, id string) int {
	return slices.IndexFunc(rows, func(row []string) bool { return row[2] == id })
}

// TestCSVPython reads the file with Python's csv module, which keeps every
// byte of a cell.
func TestCSVPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal("python3 is required and missing")
		}
		t.Skip("NOT TESTED: CSV as another program reads it, CRLF inside cells: python3 is missing")
	}
	file, want := hostileCSV(t)
	const script = `import csv, io, json, sys
csv.field_size_limit(1 << 26)
text = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="")
print(json.dumps(list(csv.reader(text, strict=True))))`
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = bytes.NewReader(file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var got [][]string
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatal(err)
	}
	if err := compare(got, want); err != nil {
		t.Error(err)
	}
}

// TestCSVRow states one row by hand.
func TestCSVRow(t *testing.T) {
	var out bytes.Buffer
	w, err := New("csv", &out)
	if err != nil {
		t.Fatal(err)
	}
	r := example()
	r.Subject, r.UserAgent, r.Flags = "=1,2", "-x", extract.MissingID|extract.DuplicateKey
	if err := w.Write(r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := "schema,source,id,time,type,user,mailbox,client_ip,client_app,user_agent,session_id,item_id,subject,message_id," +
		"details,flags,provenance_container,provenance_seq,provenance_pointer,provenance_offset,provenance_length," +
		"provenance_sha256,neutralised\r\n" +
		`exhibit-record/1,http,7,2018-06-01T00:00:00Z,"a""b",é,,,,'-x,,,"'=1,2",,"{""n"":1156492.00}",duplicate_key;missing_id,` +
		"c,12,/value/0,5,6,0100000000000000000000000000000000000000000000000000000000000000,user_agent;subject\r\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
