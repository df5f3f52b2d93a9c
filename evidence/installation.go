package evidence

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ActionInstallation is the action of the operator entry that states what the installation log says about the case (docs/container.md, 5.13).
const ActionInstallation = "installation"

// installationPrefix is what the origin of an installation log begins with.
const installationPrefix = "exhibit-dfir.github.io/installation/"

// InstallationOrigin is the origin of the heads of an installation log.
func InstallationOrigin(id string) string { return installationPrefix + id }

// IsInstallationOrigin reports whether a head of this origin is one of an installation log.
func IsInstallationOrigin(origin string) bool {
	id, ok := strings.CutPrefix(origin, installationPrefix)
	return ok && IsID(id)
}

// InstallationLeaf is one case that was opened on an installation.
type InstallationLeaf struct {
	Seq  int64 // from 0
	Case string
	Time Time
}

// String is the leaf: its line without LF.
func (l InstallationLeaf) String() string { return fmt.Sprintf("%d %s %s", l.Seq, l.Case, l.Time) }

// ParseInstallationLeaf reads a line without its LF, in the one spelling that String gives.
func ParseInstallationLeaf(line string) (l InstallationLeaf, err error) {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !IsID(parts[1]) {
		return l, errors.New("malformed leaf: not a number, a case id and a time")
	}
	l.Case = parts[1]
	if l.Seq, err = strconv.ParseInt(parts[0], 10, 64); err != nil || l.Seq < 0 {
		return l, errors.New("malformed leaf: number")
	}
	t, err := time.Parse(TimeLayout, parts[2])
	if err != nil {
		return l, errors.New("malformed leaf: time")
	}
	if l.Time = At(t); l.String() != line {
		return l, errors.New("malformed leaf: second spelling")
	}
	return l, nil
}

// InstallationStatement is what a case entry or an operator entry says about the case in an installation log.
type InstallationStatement struct {
	Leaf  InstallationLeaf
	Note  string // of a head of the log
	Proof []Hash // that the leaf is under it
}

// Fields are those of an operator entry.
func (s *InstallationStatement) Fields() []Pair {
	words := make([]string, len(s.Proof))
	for i, h := range s.Proof {
		words[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return []Pair{{"leaf", s.Leaf.String()}, {"note", s.Note}, {"proof", strings.Join(words, " ")}}
}

// toolPrefix is what the pairs of a statement are called by in the case entry, before the names that they have in an operator entry.
const toolPrefix = "installation-"

// ToolPairs are those of the case entry's tool.
func (s *InstallationStatement) ToolPairs() []Pair {
	pairs := s.Fields()
	for i := range pairs {
		pairs[i].Name = toolPrefix + pairs[i].Name
	}
	return pairs
}

// InstallationFields are the fields of the statement that a case entry's tool makes, as an operator entry has them; none if it makes none.
func InstallationFields(tool []Pair) (fields []Pair) {
	for _, p := range tool {
		if name, ok := strings.CutPrefix(p.Name, toolPrefix); ok {
			fields = append(fields, Pair{name, p.Value})
		}
	}
	return fields
}

// ParseInstallationStatement reads the fields of an operator entry. It checks their form alone.
func ParseInstallationStatement(fields []Pair) (*InstallationStatement, error) {
	if len(fields) != 3 || fields[0].Name != "leaf" || fields[1].Name != "note" || fields[2].Name != "proof" {
		return nil, errors.New("malformed statement: fields are not leaf, note and proof")
	}
	s := &InstallationStatement{Note: fields[1].Value}
	var err error
	if s.Leaf, err = ParseInstallationLeaf(fields[0].Value); err != nil {
		return nil, err
	}
	if fields[2].Value == "" {
		return s, nil
	}
	for word := range strings.SplitSeq(fields[2].Value, " ") {
		h, err := base64.StdEncoding.Strict().DecodeString(word)
		if err != nil || len(h) != len(Hash{}) || len(s.Proof) >= maxProof {
			return nil, errors.New("malformed statement: proof")
		}
		s.Proof = append(s.Proof, Hash(h))
	}
	return s, nil
}
