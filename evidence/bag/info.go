package bag

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The labels that a case uses, as RFC 8493, 2.2.2 reserves them, and
// Bag-Software-Agent, which is customary.
const (
	SourceOrganization       = "Source-Organization"
	OrganizationAddress      = "Organization-Address"
	ContactName              = "Contact-Name"
	ContactPhone             = "Contact-Phone"
	ContactEmail             = "Contact-Email"
	ExternalDescription      = "External-Description"
	ExternalIdentifier       = "External-Identifier"
	BaggingDate              = "Bagging-Date" // YYYY-MM-DD
	PayloadOxum              = "Payload-Oxum" // written by TagFiles
	BagSoftwareAgent         = "Bag-Software-Agent"
	InternalSenderIdentifier = "Internal-Sender-Identifier"
	InternalSenderDesc       = "Internal-Sender-Description"
)

// Limits of bag-info.txt: bytes of the file, of a label and of a value; fields.
const (
	maxInfo   = 1 << 20
	maxLabel  = 64
	MaxValue  = 4096 // of custody records, too
	maxFields = 200
)

// A Field is one line of bag-info.txt.
type Field struct {
	Label string // letters, digits and hyphens
	Value string // one line of UTF-8
}

// FormatInfo returns bag-info.txt: "Label: value" LF for each field, in order.
//
// A value is 1 to 4,096 bytes of UTF-8 without white space at either end and
// without control characters and line separators (U+0000 to U+001F, U+007F to
// U+009F, U+2028, U+2029); nothing is escaped and nothing folded, so a text of
// several lines is refused and its caller repeats the label. A label in another
// case than RFC 8493 gives it is refused, as is a second Payload-Oxum or
// Bagging-Date and one that has not its form.
func FormatInfo(fields []Field) ([]byte, error) {
	if err := checkCount(len(fields)); err != nil {
		return nil, fmt.Errorf("malformed bag-info: %w", err)
	}
	var b strings.Builder
	for i, f := range fields {
		if err := checkField(fields[:i], f); err != nil {
			return nil, fmt.Errorf("malformed bag-info: field %d: %w", i+1, err)
		}
		b.WriteString(f.Label + ": " + f.Value + "\n")
	}
	return []byte(b.String()), nil
}

// ParseInfo reads bag-info.txt and accepts only what [FormatInfo] writes. It reports
// every line that is otherwise and returns the fields of all others.
func ParseInfo(text []byte) ([]Field, []Problem) {
	var fields []Field
	var problems []Problem
	report := func(k Kind, line int, err error) {
		problems = append(problems, Problem{Kind: k, Path: infoName, Line: line, Detail: err.Error()})
	}
	if len(text) > maxInfo {
		report(Limit, 0, fmt.Errorf("more than %d bytes", maxInfo))
		return nil, problems
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if err := checkCount(n); err != nil {
			report(Limit, n, err)
			break
		}
		f, err := parseField(line)
		if err == nil {
			err = checkField(fields, f)
		}
		if err != nil {
			report(Malformed, n, err)
			continue
		}
		fields = append(fields, f)
	}
	return fields, problems
}

// checkCount refuses more lines than bag-info.txt may have.
func checkCount(n int) error {
	if n > maxFields {
		return fmt.Errorf("more than %d fields", maxFields)
	}
	return nil
}

// parseField splits a line, LF included.
func parseField(line string) (Field, error) {
	line, ended := strings.CutSuffix(line, "\n")
	if !ended {
		return Field{}, errors.New("no newline at the end")
	}
	if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
		return Field{}, fmt.Errorf("%q goes on from the line before, which is not allowed", clip(line))
	}
	label, value, ok := strings.Cut(line, ": ")
	if !ok {
		return Field{}, fmt.Errorf("%q is not a label, a colon, a space and a value", clip(line))
	}
	return Field{label, value}, nil
}

// checkField refuses f, which follows earlier.
func checkField(earlier []Field, f Field) error {
	if err := checkLabel(f.Label); err != nil {
		return err
	}
	if err := CheckValue(f.Value); err != nil {
		return fmt.Errorf("value of %s: %w", f.Label, err)
	}
	if f.Label != PayloadOxum && f.Label != BaggingDate {
		return nil
	}
	if slices.ContainsFunc(earlier, func(e Field) bool { return e.Label == f.Label }) {
		return fmt.Errorf("%s is there twice", f.Label)
	}
	if f.Label == BaggingDate {
		if _, err := time.Parse(time.DateOnly, f.Value); err != nil {
			return fmt.Errorf("value of %s: %q is not a date of the form YYYY-MM-DD", f.Label, clip(f.Value))
		}
		return nil
	}
	if _, err := parseOxum(f.Value); err != nil {
		return fmt.Errorf("value of %s: %w", f.Label, err)
	}
	return nil
}

// checkLabel refuses a label.
func checkLabel(label string) error {
	if label == "" || len(label) > maxLabel {
		return fmt.Errorf("label %q has not 1 to %d bytes", clip(label), maxLabel)
	}
	for i := range len(label) {
		c := label[i] | 0x20
		if (c < 'a' || c > 'z') && (label[i] < '0' || label[i] > '9') && label[i] != '-' {
			return fmt.Errorf("label %q holds %q: only letters, digits and hyphens are allowed", clip(label), label[i])
		}
	}
	for _, known := range knownLabels() {
		if label != known && strings.EqualFold(label, known) {
			return fmt.Errorf("label %q is spelled %s", label, known)
		}
	}
	return nil
}

func knownLabels() [12]string {
	return [...]string{
		SourceOrganization, OrganizationAddress, ContactName, ContactPhone, ContactEmail, ExternalDescription,
		ExternalIdentifier, BaggingDate, PayloadOxum, BagSoftwareAgent, InternalSenderIdentifier, InternalSenderDesc,
	}
}

// CheckValue refuses a value that another program might read otherwise: docs/container.md, 6.2. Records of custody keep to the same form.
func CheckValue(value string) error {
	switch {
	case value == "":
		return errors.New("it is empty")
	case len(value) > MaxValue:
		return fmt.Errorf("it has %d bytes, at most %d", len(value), MaxValue)
	case !utf8.ValidString(value):
		return fmt.Errorf("%q is not UTF-8", clip(value))
	case strings.TrimSpace(value) != value:
		return fmt.Errorf("%q starts or ends with white space", clip(value))
	}
	for _, r := range value {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return fmt.Errorf("%q holds %q, which may not be in one line of text", clip(value), r)
		}
	}
	return nil
}

// An Oxum counts a payload: the value of Payload-Oxum (RFC 8493, 2.2.2).
type Oxum struct {
	Octets int64 // bytes of all files
	Files  int64
}

// String returns OCTETS.FILES.
func (o Oxum) String() string { return fmt.Sprintf("%d.%d", o.Octets, o.Files) }

// parseOxum reads what String returns.
func parseOxum(s string) (Oxum, error) {
	octets, files, _ := strings.Cut(s, ".")
	var o Oxum
	var err1, err2 error
	o.Octets, err1 = strconv.ParseInt(octets, 10, 64)
	o.Files, err2 = strconv.ParseInt(files, 10, 64)
	if err1 != nil || err2 != nil || o.Octets < 0 || o.Files < 0 || o.String() != s {
		return Oxum{}, fmt.Errorf("%q is not a number of octets, a dot and a number of files", clip(s))
	}
	return o, nil
}
