package verify_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// tableText is the table in Markdown: what the rows of TestAttackTable expect, and the words of the verdict where it is "no".
func tableText() string {
	var b strings.Builder
	said := map[string]string{} // words → their letter
	var words []string
	letter := func(caveat string) string {
		if said[caveat] == "" {
			said[caveat] = string(rune('a' + len(words)))
			words = append(words, caveat)
		}
		return said[caveat]
	}
	heads := append(columns(), colAskThem)
	fmt.Fprintf(&b, "| attack | %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat("---|", len(heads)+1))
	for _, a := range attacks() {
		fmt.Fprintf(&b, "| %s |", a.name)
		for _, column := range columns() {
			c, ok := a.cells[column]
			switch {
			case !ok:
				b.WriteString(" – |")
			case c.noticed():
				fmt.Fprintf(&b, " **yes**: %d, `%s` |", c.exit, c.code)
			default:
				fmt.Fprintf(&b, " no: %d, %s |", c.exit, letter(c.caveat))
			}
		}
		fmt.Fprintf(&b, " %s |\n", a.answer())
	}
	b.WriteString("\n| | the verdict says |\n|---|---|\n")
	for _, w := range words {
		fmt.Fprintf(&b, "| %s | … %s … |\n", said[w], w)
	}
	return b.String()
}

// answer is what a witness answers that is asked.
func (a *attack) answer() string {
	switch {
	case a.nothingToShow():
		return "–"
	case a.asked == nil:
		return "no: it cosigns"
	case errors.Is(a.asked, trust.ErrFork):
		return "**yes**: a fork"
	case errors.Is(a.asked, trust.ErrWitness):
		return "**yes**: an unknown key"
	}
	return "**yes**: it knows a later head"
}

// tableDoc is the page that shows the table.
const tableDoc = "../docs/reliability.md"

// TestAttackTableDoc holds the table of the page against the one that TestAttackTable runs.
func TestAttackTableDoc(t *testing.T) {
	page, err := os.ReadFile(tableDoc)
	if err != nil {
		t.Fatal(err)
	}
	const from = "| attack | "
	head, rest, ok := strings.Cut(string(page), from)
	if !ok {
		t.Fatalf("%s has no table of attacks", tableDoc)
	}
	want := tableText()
	if strings.HasPrefix(from+rest, want) && !strings.HasPrefix((from + rest)[len(want):], "|") {
		return
	}
	if !*update {
		t.Fatalf("%s does not have the table that TestAttackTable runs: go test ./verify -run AttackTableDoc -update", tableDoc)
	}
	if err := os.WriteFile(tableDoc, []byte(head+want+afterTables(from+rest)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// afterTables cuts the two tables off that a text starts with.
func afterTables(text string) string {
	lines := strings.SplitAfter(text, "\n")
	n := 0
	for n < len(lines) && (strings.HasPrefix(lines[n], "|") || lines[n] == "\n" && n+1 < len(lines) && strings.HasPrefix(lines[n+1], "|")) {
		n++
	}
	return strings.Join(lines[n:], "")
}
