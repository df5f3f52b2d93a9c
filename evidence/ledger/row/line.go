package row

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// line appends a JSON object member by member in the spelling of docs/container.md, 1.2. It writes what [evidence.MarshalLine] would,
// a multiple faster: a verifier makes every row again. Keys come with the punctuation before and the colon after them.
type line struct {
	b   []byte
	err error
}

func (l *line) num(key string, v int64) {
	l.b = strconv.AppendInt(append(l.b, key...), v, 10)
}

func (l *line) bool(key string, v bool) {
	l.b = strconv.AppendBool(append(l.b, key...), v)
}

func (l *line) hash(key string, v evidence.Hash) {
	l.b = append(hex.AppendEncode(append(append(l.b, key...), '"'), v[:]), '"')
}

// time writes the form of [evidence.TimeLayout].
func (l *line) time(key string, v evidence.Time) {
	b, err := v.Append(append(append(l.b, key...), '"'))
	if err != nil {
		if l.err == nil {
			l.err = err
		}
		return
	}
	l.b = append(b, '"')
}

func (l *line) str(key, v string) {
	l.b = append(l.b, key...)
	l.quote(v)
}

func (l *line) quote(v string) {
	for i := range len(v) {
		if c := v[i]; c < 0x20 || c > 0x7E || c == '"' || c == '\\' {
			b, err := evidence.MarshalLine(v)
			if err != nil && l.err == nil {
				l.err = err
			}
			l.b = append(l.b, b...)
			return
		}
	}
	l.b = append(append(append(l.b, '"'), v...), '"')
}

func (l *line) raw(key string, v []byte) { l.b = append(append(l.b, key...), v...) }

func (l *line) nums(key string, vs []int64) {
	l.b = append(append(l.b, key...), '[')
	for i, v := range vs {
		if i > 0 {
			l.b = append(l.b, ',')
		}
		l.b = strconv.AppendInt(l.b, v, 10)
	}
	l.b = append(l.b, ']')
}

func (l *line) strs(key string, vs []string) {
	l.b = append(append(l.b, key...), '[')
	for i, v := range vs {
		if i > 0 {
			l.b = append(l.b, ',')
		}
		l.quote(v)
	}
	l.b = append(l.b, ']')
}

func (l *line) pairs(key string, vs []evidence.Pair) {
	l.b = append(append(l.b, key...), '[')
	for i, v := range vs {
		if i > 0 {
			l.b = append(l.b, ',')
		}
		l.str(`{"name":`, v.Name)
		l.str(`,"value":`, v.Value)
		l.b = append(l.b, '}')
	}
	l.b = append(l.b, ']')
}

func (l *line) end() ([]byte, error) {
	l.b = append(l.b, '}')
	return l.b, l.err
}

// appender is a row that can write itself.
type appender interface {
	Append(dst []byte) ([]byte, error)
}

// decode reads a value into v, which must write exactly these bytes again.
func decode(b []byte, v appender) error {
	if err := json.Unmarshal(b, v, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	again, err := v.Append(nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return errors.New("not the one allowed spelling")
	}
	return nil
}
