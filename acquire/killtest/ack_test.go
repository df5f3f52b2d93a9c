package killtest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// ack is a line of the file of acknowledgements: what a child was told is durable.
type ack struct {
	seq     int64
	line    string // hash of the head line; "" if it was not told
	request string // id of an exchange's request; "" of other entries
	done    string // a step that was acknowledged instead of an entry
}

// Steps that are acknowledged.
const (
	ackMade   = "made"   // the case
	ackSealed = "sealed" // the case
)

func ackOf(e *evidence.Entry) ack {
	return ack{seq: e.Head.Seq, line: hashOf(e.HeadLine), request: requestOf(e.Body)}
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func requestOf(b evidence.Body) string {
	if x, ok := b.(*evidence.Exchange); ok {
		return x.RequestID
	}
	return ""
}

func (a ack) String() string { return fmt.Sprintf("%d,%s,%s,%s\n", a.seq, a.line, a.request, a.done) }

// readAcks reads the file; one that is not there has none.
func readAcks(path string) ([]ack, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var acks []ack
	for line := range strings.Lines(string(b)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ",")
		if len(fields) != 4 || !strings.HasSuffix(line, "\n") {
			return nil, fmt.Errorf("acknowledgement %q", line)
		}
		var a ack
		if _, err := fmt.Sscan(fields[0], &a.seq); err != nil {
			return nil, err
		}
		a.line, a.request, a.done = fields[1], fields[2], fields[3]
		acks = append(acks, a)
	}
	return acks, nil
}

// acknowledged tells whether a step was.
func acknowledged(acks []ack, step string) bool {
	return slices.ContainsFunc(acks, func(a ack) bool { return a.done == step })
}

// missing lists the acknowledged entries that a case does not hold.
func missing(acks []ack, entries []*evidence.Entry) (wrong []string) {
	requests := map[string]bool{}
	for _, e := range entries {
		requests[requestOf(e.Body)] = true
	}
	for _, a := range acks {
		switch {
		case a.line != "" && (a.seq >= int64(len(entries)) || hashOf(entries[a.seq].HeadLine) != a.line):
			wrong = append(wrong, fmt.Sprintf("entry %d was acknowledged and is gone", a.seq))
		case a.request != "" && !requests[a.request]:
			wrong = append(wrong, fmt.Sprintf("the answer to request %s was acknowledged and is gone", a.request))
		}
	}
	return wrong
}
