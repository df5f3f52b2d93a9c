package extract

import "math/bits"

// Flags is a set of remarks about one record. docs/records.md explains each.
type Flags uint32

// The flags, in the order of their words.
const (
	CustomPropertiesIrregular Flags = 1 << iota
	DuplicateID
	DuplicateIDOtherBytes
	DuplicateKey
	ErrorObject
	InvalidUTF8
	KeyCaseVariant
	LoneSurrogate
	MissingID
	MissingTime
	NotAnObject
	NumberBeyondFloat64
	NumberBeyondInt64
	RepeatedProperty
	TimeNormalised
	TimeUnparseable
	TimeWithoutZone
	TooDeep
	TooLarge
	TooManyMembers
	flagEnd
)

// flagWords holds the words in the order of the bits, which is sorted.
func flagWords() [20]string {
	return [20]string{
		"custom_properties_irregular",
		"duplicate_id",
		"duplicate_id_other_bytes",
		"duplicate_key",
		"error_object",
		"invalid_utf8",
		"key_case_variant",
		"lone_surrogate",
		"missing_id",
		"missing_time",
		"not_an_object",
		"number_beyond_float64",
		"number_beyond_int64",
		"repeated_property",
		"time_normalised",
		"time_unparseable",
		"time_without_zone",
		"too_deep",
		"too_large",
		"too_many_members",
	}
}

// Has reports whether all of the given flags are set.
func (f Flags) Has(g Flags) bool { return f&g == g }

// Words returns the words of the set, sorted; nil when it is empty.
func (f Flags) Words() []string {
	if f == 0 {
		return nil
	}
	all := flagWords()
	words := make([]string, 0, bits.OnesCount32(uint32(f)))
	for i, w := range all {
		if f&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return words
}

// AllFlags is the set of every flag, for tools that list them.
const AllFlags = flagEnd - 1
