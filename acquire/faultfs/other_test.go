//go:build !linux

package faultfs

import (
	"os"
	"testing"
)

// TestFaults says loudly what is not tested.
func TestFaults(t *testing.T) {
	if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
		t.Fatal("NOT TESTED: faults of a disk: they are made with Linux's means")
	}
	t.Skip("NOT TESTED: faults of a disk: they are made with Linux's means")
}
