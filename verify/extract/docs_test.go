package extract

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDocs checks that docs/records.md and the schema name what this package
// emits, no more and no less.
func TestDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/records.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	flags := listed(page, "## Flags")
	if want := AllFlags.Words(); !slices.Equal(flags, want) {
		t.Errorf("flags in the page %q, want %q", flags, want)
	}
	problems := listed(page, "## Problems")
	want := []string{
		string(ProblemBOM), string(ProblemConcatenated), string(ProblemNoDocument), string(ProblemNoValue),
		string(ProblemRead), string(ProblemSecondValue), string(ProblemSyntax), string(ProblemTooDeep),
		string(ProblemTooLarge), string(ProblemTooManyMembers), string(ProblemTopLevelArray),
		string(ProblemTrailing), string(ProblemValueType), string(ProblemValueVariant),
	}
	if !slices.Equal(problems, want) {
		t.Errorf("problems in the page %q, want %q", problems, want)
	}
	for _, source := range Sources() {
		if !strings.Contains(page, "### "+source+"\n") {
			t.Errorf("source %q has no section", source)
		}
	}
	b, err = os.ReadFile("../../docs/records.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties struct {
			Schema struct{ Const string }
			Flags  struct{ Items struct{ Enum []string } }
		}
	}
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	if schema.Properties.Schema.Const != Schema || !slices.Equal(schema.Properties.Flags.Items.Enum, AllFlags.Words()) {
		t.Errorf("schema names %+v", schema.Properties)
	}
}

// listed returns the words in the first column of the table below a heading.
func listed(page, heading string) []string {
	_, rest, _ := strings.Cut(page, heading+"\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	var words []string
	for line := range strings.Lines(section) {
		cell, ok := strings.CutPrefix(line, "| `")
		if !ok {
			continue
		}
		cell, _, _ = strings.Cut(cell, " |")
		for _, w := range strings.Split(cell, ", ") {
			words = append(words, strings.Trim(w, "`"))
		}
	}
	return words
}
