package withhold

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode/utf16"
)

// pattern is one form of a text.
type pattern struct {
	bytes string
	of    int    // number of the text
	form  string // in words
}

// formsOf lists the forms in which a text is looked for, but for those that the views of a scan take off again.
func formsOf(text string, of int) []pattern {
	var all []pattern
	add := func(form, bytes string) {
		if !slices.ContainsFunc(all, func(p pattern) bool { return p.bytes == bytes }) {
			all = append(all, pattern{bytes, of, form})
		}
	}
	add("as it is", text)
	add("with + for blanks", strings.ReplaceAll(text, " ", "+"))
	units := utf16.Encode([]rune(text))
	little, big := make([]byte, 0, 2*len(units)), make([]byte, 0, 2*len(units))
	for _, u := range units {
		little, big = append(little, byte(u), byte(u>>8)), append(big, byte(u>>8), byte(u))
	}
	add("in UTF-16, little-endian", string(little))
	add("in UTF-16, big-endian", string(big))
	for shift := range 3 {
		add("in base64", inBase64(base64.StdEncoding, text, shift))
		add("in base64 for URLs", inBase64(base64.URLEncoding, text, shift))
	}
	add("in hexadecimal", hex.EncodeToString([]byte(text)))
	add("in hexadecimal", strings.ToUpper(hex.EncodeToString([]byte(text))))
	return all
}

// inBase64 is what base64 makes of a text that begins at byte shift of a group of three, without the characters that its neighbours take part in.
func inBase64(enc *base64.Encoding, text string, shift int) string {
	s := enc.WithPadding(base64.NoPadding).EncodeToString([]byte("\x00\x00"[:shift] + text))
	from := (8*shift + 5) / 6 // the first character that holds no bit of what comes before
	to := (8 * (shift + len(text))) / 6
	return s[from:to]
}

// matcher looks for many patterns at once, by a hash that rolls over as many bytes as the shortest of them has.
type matcher struct {
	patterns []pattern
	window   int
	longest  int
	first    uint32 // what the byte that leaves the window is multiplied with
	at       map[uint32][]int32
	seen     [1 << 12]uint64 // the hashes' lowest 18 bits
}

const (
	hashBase  = 0x01000193
	maxWindow = 24
)

func newMatcher(patterns []pattern) *matcher {
	m := &matcher{patterns: patterns, window: maxWindow, at: map[uint32][]int32{}, first: 1}
	for _, p := range patterns {
		m.window, m.longest = min(m.window, len(p.bytes)), max(m.longest, len(p.bytes))
	}
	for range m.window - 1 {
		m.first *= hashBase
	}
	for i, p := range patterns {
		h := uint32(0)
		for j := range m.window {
			h = h*hashBase + uint32(p.bytes[j])
		}
		m.at[h] = append(m.at[h], int32(i))
		m.seen[h>>6&0xFFF] |= 1 << (h & 63)
	}
	return m
}

// find calls hit for each pattern that begins in the first n bytes of b and stands there whole.
func (m *matcher) find(b []byte, n int, hit func(*pattern)) {
	if len(m.patterns) == 0 || len(b) < m.window {
		return
	}
	h := uint32(0)
	for _, c := range b[:m.window] {
		h = h*hashBase + uint32(c)
	}
	n = min(n, len(b)-m.window+1)
	for i := 0; i < n; i++ {
		if i > 0 {
			h = (h-uint32(b[i-1])*m.first)*hashBase + uint32(b[i+m.window-1])
		}
		if m.seen[h>>6&0xFFF]>>(h&63)&1 == 0 {
			continue
		}
		for _, at := range m.at[h] {
			p := &m.patterns[at]
			if len(b)-i >= len(p.bytes) && string(b[i:i+len(p.bytes)]) == p.bytes {
				hit(p)
			}
		}
	}
}
