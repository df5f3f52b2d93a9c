//go:build !linux

package main

import "testing"

// holdSecret is a program of TestNoCore.
func holdSecret() {}

func TestNoCore(t *testing.T) {
	t.Skip("NOT TESTED, needs Linux: that no core is left")
}
