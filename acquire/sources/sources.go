// Package sources lists what can be acquired. To add a source: its package, one line here, a fixture in the test of this package, a section in
// docs/sources.md.
package sources

import (
	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/outlook"
	"github.com/exhibit-dfir/exhibit/acquire/urls"
)

// All returns every source, in the order in which they are shown.
func All() []acquire.Source {
	return []acquire.Source{
		outlook.Source{},
		outlook.Messages{},
		urls.Source{},
	}
}

// ByName returns a source, nil if there is none of that name.
func ByName(name string) acquire.Source {
	for _, s := range All() {
		if s.Describe().Name == name {
			return s
		}
	}
	return nil
}
