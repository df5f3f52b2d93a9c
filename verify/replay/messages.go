package replay

import (
	"net/url"
	"slices"
	"strings"
)

// sameKey is what two targets have in common that ask the same, as far as that can be told without knowing what is behind them: the target itself. Of a message of the
// Outlook API it is what the service took it for, since the clients of the time spelt it in several ways.
func sameKey(target string) string {
	path, query, _ := strings.Cut(target, "?")
	parts := strings.SplitN(path, "/", 6)
	if len(parts) < 5 || parts[0] != "" || unescapedPath(parts[1]) != "api" {
		return target
	}
	user, ok := userKey(unescapedPath(parts[3]))
	id, named := messageID(parts[4:])
	options, decoded := optionsKey(query)
	if !ok || !named || !decoded || strings.Contains(target, "%00") {
		return target
	}
	return strings.Join(append([]string{"message", unescapedPath(parts[2]), user, id}, options...), "\x00") // no target holds a NUL
}

// userKey names a mailbox: me, or a UPN in lower case, whose apostrophes may be doubled or not.
func userKey(segment string) (key string, ok bool) {
	if segment == "me" {
		return segment, true
	}
	key, open := strings.CutPrefix(segment, "Users('")
	key, closed := strings.CutSuffix(key, "')")
	return "Users " + strings.ToLower(strings.ReplaceAll(key, "''", "'")), open && closed
}

// messageID takes what stands behind the mailbox: Messages/ID, or Messages('ID').
func messageID(parts []string) (id string, ok bool) {
	last := unescapedPath(parts[0])
	if len(parts) == 2 {
		return unescapedPath(parts[1]), last == "Messages" && parts[1] != "" && !strings.Contains(parts[1], "/")
	}
	id, open := strings.CutPrefix(last, "Messages('")
	id, closed := strings.CutSuffix(id, "')")
	return strings.ReplaceAll(id, "''", "'"), open && closed && id != ""
}

// optionsKey takes the options of a query, in order of their names.
func optionsKey(query string) (options []string, ok bool) {
	for part := range strings.SplitSeq(query, "&") {
		option, err := url.QueryUnescape(part)
		if err != nil || strings.Count(option, "=") > 1 { // name and value could not be told apart
			return nil, false
		}
		if option != "" {
			options = append(options, option)
		}
	}
	slices.Sort(options)
	return options, true
}
