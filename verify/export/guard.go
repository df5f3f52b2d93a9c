package export

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Neutralise makes a cell safe for spreadsheets, which run some texts as
// formulas. It puts an apostrophe before each piece of the cell that could be
// taken for one, and reports whether there was any. A piece is the cell's
// start, or what follows a semicolon, tab or line break in it: with another
// list separator a spreadsheet splits rows there, quotes or not.
//
// [Restore] gives the cell back exactly.
func Neutralise(cell string) (safe string, changed bool) {
	if !strings.ContainsAny(cell, triggers) && strings.IndexByte(cell, fullWidth) < 0 {
		return cell, false
	}
	var b strings.Builder
	for start := 0; start < len(cell); {
		end := pieceEnd(cell, start)
		if dangerous(cell[start:end], start == 0) {
			b.WriteByte('\'')
			changed = true
		}
		b.WriteString(cell[start:end])
		start = end
	}
	if !changed {
		return cell, false
	}
	return b.String(), true
}

// Restore undoes [Neutralise]. It is meant for the cells that the column
// "neutralised" names.
func Restore(cell string) string {
	var b strings.Builder
	for start := 0; start < len(cell); {
		end := pieceEnd(cell, start)
		piece := cell[start:end]
		if piece[0] == '\'' && dangerous(piece[1:], start == 0) {
			piece = piece[1:]
		}
		b.WriteString(piece)
		start = end
	}
	return b.String()
}

// Without one of these characters, or the byte that starts a full-width form
// in UTF-8, no piece is dangerous.
const (
	triggers  = "=+-@\t\r\n|("
	fullWidth = 0xef
)

// pieceEnd returns the index after the separator that ends the piece at start.
func pieceEnd(cell string, start int) int {
	if i := strings.IndexAny(cell[start:], ";\t\r\n"); i >= 0 {
		return start + i + 1
	}
	return len(cell)
}

// dangerous reports whether a spreadsheet could run a piece. White space,
// control characters and quotes before it are passed over; that these include
// the apostrophe makes Restore exact. first says that the piece starts a cell,
// where a tab or a line break is dangerous itself.
func dangerous(piece string, first bool) bool {
	rest := strings.TrimLeftFunc(piece, func(r rune) bool {
		return r != '\t' && r != '\r' && r != '\n' && passedOver(r)
	})
	r, _ := utf8.DecodeRuneInString(rest)
	switch r {
	case '=', '+', '-', '@', '＝', '＋', '－', '＠':
		return true
	case '\t', '\r', '\n':
		return first
	}
	return isDDE(rest)
}

func passedOver(r rune) bool {
	return r == '"' || r == '\'' || unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// isDDE recognises an exchange with another program without a sign before it:
// program|topic!item, or DDE(…).
func isDDE(s string) bool {
	name := strings.TrimLeftFunc(s, func(r rune) bool {
		return r == '.' || r == '_' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r))
	})
	word := s[:len(s)-len(name)]
	if word == "" {
		return false
	}
	if name != "" && name[0] == '|' {
		return strings.Contains(name, "!")
	}
	return strings.EqualFold(word, "DDE") && strings.HasPrefix(strings.TrimLeft(name, " "), "(")
}
