package views

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocs: docs/views.md names every view, format, column, way of attribution, step, kind of session and observation.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/views.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	var code, words []string
	for _, f := range Formats() {
		code = append(code, f.Name)
	}
	for _, k := range Kinds() {
		code = append(code, k.Name)
		for _, c := range k.columns() {
			key := c.key
			switch {
			case strings.HasPrefix(key, "attributed_"):
				key = "attributed_time"
			case strings.HasSuffix(key, "_count") && key != "observations_count":
				key = "attachments_count"
			case strings.HasPrefix(key, "provenance_") && k.order == bySession:
				key = "provenance_container"
			case strings.HasPrefix(key, "last_seq"), strings.HasPrefix(key, "last_pointer"):
				continue
			}
			code, words = append(code, key), append(words, strings.TrimPrefix(c.title, "Attributed "))
		}
	}
	code = append(code, HowWords()...)
	code = append(code, ofClient, ofPlace, ofOneOf, ofNobody, ofTheDenied, stepStart, stepTyped, stepExecuted, stepResult, stepOther, Schema)
	var source []byte
	for _, name := range []string{"session.go", "display.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	remarks := regexp.MustCompile(`remark\(e, "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(remarks) < 8 {
		t.Errorf("only %d observations: are they still found?", len(remarks))
	}
	for _, m := range remarks {
		code = append(code, m[1])
	}
	for _, c := range code {
		if !strings.Contains(page, "`"+c+"`") {
			t.Errorf("docs/views.md does not name %s", c)
		}
	}
	for _, w := range words {
		if !strings.Contains(strings.ToLower(page), strings.ToLower(w)) {
			t.Errorf("docs/views.md does not name the column %q", w)
		}
	}
}
