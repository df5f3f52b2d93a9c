package killtest

import (
	"fmt"
	"os"
	"testing"
)

// skip skips a test and says what that leaves untested.
func skip(t *testing.T, what string) {
	t.Helper()
	fmt.Fprintln(os.Stderr, "NOT TESTED: "+what)
	t.Skip("NOT TESTED: " + what)
}

// untested skips a test for want of a tool, or fails it where EXHIBIT_REQUIRE_TOOLS asks for all.
func untested(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
		t.Fatal("NOT TESTED: " + what)
	}
	skip(t, what)
}
