package simtenant

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// dice is SplitMix64 (Steele, Lea and Flood, 2014): its own few lines, so that
// a seed gives the same mailbox under every release of Go. Not for concurrent
// use.
type dice struct{ state uint64 }

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below gives a number from 0 to n-1. The bias of the remainder does not matter
// here.
func (d *dice) below(n int) int { return int(d.next() % uint64(n)) }

// chance is true in percent of the cases.
func (d *dice) chance(percent int) bool { return d.below(100) < percent }

// between gives a duration from low to high, in whole milliseconds.
func (d *dice) between(low, high time.Duration) time.Duration {
	return low + time.Duration(d.below(int((high-low)/time.Millisecond)+1))*time.Millisecond
}

func pick[T any](d *dice, from []T) T { return from[d.below(len(from))] }

func (d *dice) bytes(n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, d.next())
	}
	return b[:n]
}

func (d *dice) guid() string {
	b := d.bytes(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// activityID is the key of an activity: 64 characters of URL-safe base64.
func (d *dice) activityID() string { return base64.URLEncoding.EncodeToString(d.bytes(48)) }

// itemID has the look of an Exchange item's id: URL-safe base64 that begins
// with AAMk and holds the mailbox's GUID in ASCII.
func (d *dice) itemID(mailbox string) string {
	b := append([]byte{0x00, 0x03, 0x24, 0x00}, mailbox...)
	b = append(b, 0x00, 0x46, 0x00, 0x00, 0x00, 0x00, 0x00)
	return base64.URLEncoding.EncodeToString(append(b, d.bytes(66)...))
}
