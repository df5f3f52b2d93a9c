package odata

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// ErrUnknownProperty is in the chain of an evaluation error if the data has no
// property of that name.
var ErrUnknownProperty = errors.New("unknown property")

// ErrType is in the chain of an evaluation error if two operands cannot be
// compared, or if something that is not Boolean stands as a condition.
var ErrType = errors.New("types do not fit")

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindTime
)

func (k kind) String() string {
	return [...]string{"null", "Boolean", "number", "string", "time"}[k]
}

// Value is a property's value or a literal: null, Boolean, number, string or
// time. The zero Value is null. Values are immutable.
type Value struct {
	kind  kind
	truth bool
	whole int64   // of a number, if exact
	real  float64 // of a number that is not a whole int64; else 0
	text  string
	time  time.Time
}

// Bool is a Boolean value.
func Bool(b bool) Value { return Value{kind: kindBool, truth: b} }

// Int is a whole number.
func Int(i int64) Value { return Value{kind: kindNumber, whole: i} }

// Float is a number; one that an int64 holds exactly is the same value as the
// [Int]. What is not finite is null: JSON cannot say it either.
func Float(f float64) Value {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return Value{}
	case f == math.Trunc(f) && f >= -(1<<63) && f < 1<<63:
		return Int(int64(f))
	}
	return Value{kind: kindNumber, real: f}
}

// String is a text value.
func String(s string) Value { return Value{kind: kindString, text: s} }

// Time is an instant; its zone is forgotten.
func Time(t time.Time) Value { return Value{kind: kindTime, time: t.UTC().Round(0)} }

// Quote writes s as a string literal: in apostrophes, those inside doubled. It
// is also how a key stands in a URL's path, before percent-encoding.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// String gives the value's literal in canonical form.
func (v Value) String() string {
	switch v.kind {
	case kindBool:
		return strconv.FormatBool(v.truth)
	case kindNumber:
		if v.real == 0 {
			return strconv.FormatInt(v.whole, 10)
		}
		return strings.NewReplacer("e+0", "e", "e+", "e", "e-0", "e-").Replace(strconv.FormatFloat(v.real, 'g', -1, 64))
	case kindString:
		return Quote(v.text)
	case kindTime:
		return v.time.Format("2006-01-02T15:04:05.999999999Z")
	}
	return "null"
}

// compare orders two values of one kind, neither of them null.
func compare(a, b Value) (int, error) {
	if a.kind != b.kind {
		return 0, fmt.Errorf("%v and %v: %w", a.kind, b.kind, ErrType)
	}
	switch a.kind {
	case kindBool:
		return boolInt(a.truth) - boolInt(b.truth), nil
	case kindNumber:
		if a.real == 0 && b.real == 0 {
			return cmp.Compare(a.whole, b.whole), nil
		}
		return a.exact().Cmp(b.exact()), nil
	case kindTime:
		return a.time.Compare(b.time), nil
	}
	return cmp.Compare(a.text, b.text), nil
}

func (v Value) exact() *big.Float {
	if v.real != 0 {
		return new(big.Float).SetFloat64(v.real)
	}
	return new(big.Float).SetInt64(v.whole)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
