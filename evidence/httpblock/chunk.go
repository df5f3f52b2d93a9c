package httpblock

import (
	"bytes"
	"strconv"
	"strings"
)

// maxChunkLine bounds a chunk's size line with its extensions, in bytes.
const maxChunkLine = 16 << 10

type chunkState uint8

const (
	chunkSize chunkState = iota // in a size line
	chunkData
	chunkCR   // the CR after the data is due
	chunkLF   // the LF after it is due
	chunkLast // the line of the zero chunk has ended
	chunkBad  // the grammar of RFC 9112, section 7.1, is broken
)

// chunks takes chunked off a body, up to the trailer section.
type chunks struct {
	st   chunkState
	line []byte // of the size line, what came so far
	left int64

	extension, padding, bareLF bool
}

// step takes at least one byte of a non-empty p, or changes the state, and returns what of them is payload, as a
// part of p. In the states chunkLast and chunkBad it takes nothing.
func (c *chunks) step(p []byte) (n int, data []byte) {
	switch c.st {
	case chunkSize:
		if len(c.line) == 0 && !isHex(p[0]) { // a body without chunks is not one endless size line
			c.st = chunkBad
			return 0, nil
		}
		i := bytes.IndexByte(p, '\n')
		n = i + 1
		if i < 0 {
			n = len(p)
		}
		n = min(n, maxChunkLine-len(c.line))
		c.line = append(c.line, p[:n]...)
		switch {
		case i >= 0 && n == i+1:
			c.sizeLine()
		case len(c.line) == maxChunkLine:
			c.st = chunkBad
		}
		return n, nil
	case chunkData:
		n = int(min(int64(len(p)), c.left))
		if c.left -= int64(n); c.left == 0 {
			c.st = chunkCR
		}
		return n, p[:n]
	case chunkCR:
		c.st = chunkLF
		if p[0] != '\r' {
			c.bareLF = c.bareLF || p[0] == '\n'
			c.st = chunkBad
		}
		return 1, nil
	case chunkLF:
		c.st = chunkSize
		if p[0] != '\n' {
			c.st = chunkBad
		}
		return 1, nil
	}
	return 0, nil
}

// sizeLine reads "size[ ;ext]CRLF".
func (c *chunks) sizeLine() {
	line := string(c.line)
	c.line = c.line[:0]
	c.st = chunkBad
	line, crlf := strings.CutSuffix(line, "\r\n")
	if !crlf {
		c.bareLF = true
		return
	}
	i := 0
	for i < len(line) && isHex(line[i]) {
		i++
	}
	size, err := strconv.ParseInt(line[:i], 16, 64)
	if err != nil || i > 16 {
		return
	}
	if rest := strings.TrimLeft(line[i:], " \t"); rest != "" {
		if rest[0] != ';' || hasControl(rest) {
			return
		}
		c.extension = true
	} else if i < len(line) {
		c.padding = true
	}
	c.left = size
	c.st = chunkData
	if size == 0 {
		c.st = chunkLast
	}
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }
