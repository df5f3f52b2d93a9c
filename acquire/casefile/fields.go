package casefile

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// Field is one statement about a case that a person makes.
type Field struct {
	Name     string
	Usage    string // one line
	Required bool
}

const (
	fieldOperator = "operator"
	maxField      = 2048
)

// Fields lists what a case entry may state, in the order in which it is shown.
func Fields() []Field {
	return []Field{
		{"case-number", "number or name under which the case is kept", true},
		{"exhibit", "exhibit identifier of this container", true},
		{"examiner", "name of the person who acquires", true},
		{"organisation", "whom the examiner works for, with contact", false},
		{"custodian", "whose data it is", false},
		{"authority", "warrant, order, consent or engagement: kind, number, issuer, date, scope", false},
		{"client", "client and matter", false},
		{"description", "what this exhibit is", false},
	}
}

// FieldError says which field of a case cannot be used.
type FieldError struct {
	Name string
	Text string
}

func (e *FieldError) Error() string { return fmt.Sprintf("case field %s %s", e.Name, e.Text) }

func checkFields(pairs []evidence.Pair) error {
	given := map[string]bool{}
	for _, p := range pairs {
		switch {
		case given[p.Name]:
			return &FieldError{p.Name, "is given twice"}
		case p.Value == "" || len(p.Value) > maxField || !plain(p.Value):
			return &FieldError{p.Name, fmt.Sprintf("must be 1 to %d bytes of UTF-8 without control characters", maxField)}
		}
		given[p.Name] = true
	}
	for _, f := range Fields() {
		if f.Required && !given[f.Name] {
			return &FieldError{f.Name, "is required"}
		}
		delete(given, f.Name)
	}
	for name := range given {
		return &FieldError{name, "is not known"}
	}
	return nil
}

func plain(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}
