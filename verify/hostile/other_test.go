//go:build !linux

package hostile

import (
	"os"
	"testing"
)

// TestNothing says what is missing on systems where a child's memory cannot be bounded and measured as on Linux.
func TestNothing(t *testing.T) {
	if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
		t.Fatal("required, and not tested: hostile bundles")
	}
	t.Skip("NOT TESTED: hostile bundles; their harness needs Linux")
}
