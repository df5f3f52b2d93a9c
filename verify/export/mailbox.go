package export

import (
	"strings"

	"github.com/exhibit-dfir/exhibit/verify"
)

// SameMailbox compares the names of two mailboxes, without regard to the case of ASCII letters.
func SameMailbox(a, b string) bool { return a == b || FoldMailbox(a) == FoldMailbox(b) }

// FoldMailbox writes the name of a mailbox with small ASCII letters. No other letter is folded: two mailboxes must not become one.
func FoldMailbox(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// Mailboxes lists whose mailboxes the windows of a source asked for, each once, as it is named first.
func Mailboxes(windows []verify.Window, source string) (users []string) {
	seen := map[string]bool{}
	for _, w := range windows {
		if name := FoldMailbox(w.User); w.Source == source && !seen[name] {
			seen[name] = true
			users = append(users, w.User)
		}
	}
	return users
}
