package bag

import (
	"fmt"
	"strings"
	"testing"
)

// TestInfoRefuses has one fault in each row: it is neither written nor, where it is
// one line, read.
func TestInfoRefuses(t *testing.T) {
	for name, f := range map[string]Field{
		"empty label":             {"", "v"},
		"space in label":          {"Contact Name", "v"},
		"colon in label":          {"Contact:Name", "v"},
		"newline in label":        {"Contact\nName", "v"},
		"label beyond ASCII":      {"Prüfer", "v"},
		"label of 65":             {strings.Repeat("l", 65), "v"},
		"label in another case":   {"contact-name", "v"},
		"empty value":             {"Contact-Name", ""},
		"space before":            {"Contact-Name", " v"},
		"space after":             {"Contact-Name", "v "},
		"no-break space after":    {"Contact-Name", "v\u00a0"},
		"newline":                 {"Contact-Name", "v\nPayload-Oxum: 0.0"},
		"newline and indent":      {"Contact-Name", "v\n  more"},
		"carriage return":         {"Contact-Name", "v\rw"},
		"tab":                     {"Contact-Name", "v\tw"},
		"NUL":                     {"Contact-Name", "v\x00"},
		"escape":                  {"Contact-Name", "v\x1b[2Jw"},
		"DEL":                     {"Contact-Name", "v\x7fw"},
		"next line, U+0085":       {"Contact-Name", "v\u0085w"},
		"line separator":          {"Contact-Name", "v\u2028w"},
		"paragraph separator":     {"Contact-Name", "v\u2029w"},
		"not UTF-8":               {"Contact-Name", "v\xffw"},
		"value of 4,097":          {"Contact-Name", strings.Repeat("v", 4097)},
		"date with time":          {"Bagging-Date", "2026-03-01T00:00:00Z"},
		"date that is none":       {"Bagging-Date", "2026-02-30"},
		"oxum without files":      {"Payload-Oxum", "5"},
		"oxum with a zero before": {"Payload-Oxum", "05.1"},
		"negative oxum":           {"Payload-Oxum", "-5.1"},
		"oxum with three parts":   {"Payload-Oxum", "5.1.1"},
		"oxum of 2^63":            {"Payload-Oxum", "9223372036854775808.1"},
	} {
		fields := []Field{{ContactPhone, "0"}, f}
		if text, err := FormatInfo(fields); err == nil {
			t.Errorf("%s: written as %q", name, text)
		}
		if strings.Contains(f.Value, "\n") {
			continue // is two lines to a reader; TestParseInfoReportsEachLine has the folded one
		}
		text := fmt.Sprintf("Contact-Phone: 0\n%s: %s\n", f.Label, f.Value)
		if fields, problems := ParseInfo([]byte(text)); len(problems) == 0 {
			t.Errorf("%s: read as %q", name, fields)
		} else if problems[0].Line != 2 || problems[0].Path != "bag-info.txt" || len(fields) == 0 || fields[0].Label != ContactPhone {
			t.Errorf("%s: %v, fields %q", name, problems, fields)
		}
	}
	for _, label := range []string{PayloadOxum, BaggingDate} {
		value := map[string]string{PayloadOxum: "1.1", BaggingDate: "2026-03-01"}[label]
		if text, err := FormatInfo([]Field{{label, value}, {label, value}}); err == nil {
			t.Errorf("%s twice: written as %q", label, text)
		}
	}
}

func TestInfoAccepts(t *testing.T) {
	fields := []Field{
		{ContactName, "Žofie Nováková: odd, \"quoted\" = +@"}, {ContactName, "again, which is allowed"}, {"X-1", "%0A \\n stays"},
		{ContactEmail, strings.Repeat("v", 4096)}, {PayloadOxum, "9223372036854775807.0"},
	}
	const want = "Contact-Name: Žofie Nováková: odd, \"quoted\" = +@\nContact-Name: again, which is allowed\nX-1: %0A \\n stays\n"
	text, err := FormatInfo(fields)
	if err != nil || !strings.HasPrefix(string(text), want) {
		t.Fatalf("%q, %v", text, err)
	}
	got, problems := ParseInfo(text)
	if len(problems) > 0 || len(got) != len(fields) {
		t.Fatalf("%v, %v", got, problems)
	}
	for i := range fields {
		if got[i] != fields[i] {
			t.Errorf("field %d is %q, want %q", i, got[i], fields[i])
		}
	}
}

func TestParseInfoReportsEachLine(t *testing.T) {
	const text = "Contact-Name: A\n  folded\nno colon\n\nContact-Phone:1\nContact-Email: a@example.com\r\nX: y"
	fields, problems := ParseInfo([]byte(text))
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if fmt.Sprint(lines) != "[2 3 4 5 6 7]" || len(fields) != 1 {
		t.Errorf("lines %v, fields %q", lines, fields)
	}
	if _, problems := ParseInfo([]byte(strings.Repeat("X: y\n", 201))); len(problems) != 1 || problems[0].Kind != Limit || problems[0].Line != 201 {
		t.Errorf("201 fields: %v", problems)
	}
	if _, problems := ParseInfo(make([]byte, maxInfo+1)); len(problems) != 1 || problems[0].Kind != Limit {
		t.Errorf("1 MiB and a byte: %d problems", len(problems))
	}
	if _, err := FormatInfo(make([]Field, 201)); err == nil {
		t.Error("201 fields were written")
	}
}
