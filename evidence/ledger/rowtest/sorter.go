package rowtest

import (
	"bytes"
	"slices"
)

// Sorter sorts in memory, for a comparison that must not keep rows itself. The zero Sorter is ready.
type Sorter struct {
	Fail error // of Add, once there are so many rows
	Rows int

	keys, values [][]byte
}

// Add adds a row.
func (s *Sorter) Add(key, value []byte) error {
	if s.Fail != nil && len(s.keys) >= s.Rows {
		return s.Fail
	}
	s.keys, s.values = append(s.keys, bytes.Clone(key)), append(s.values, bytes.Clone(value))
	return nil
}

// Each yields the rows in the order of their keys.
func (s *Sorter) Each(yield func(key, value []byte) error) error {
	order := make([]int, len(s.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(s.keys[a], s.keys[b]) })
	for _, i := range order {
		if err := yield(s.keys[i], s.values[i]); err != nil {
			return err
		}
	}
	return nil
}

// Close frees nothing.
func (s *Sorter) Close() error { return nil }
