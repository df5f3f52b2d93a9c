package cli

import (
	"os"
	"runtime/debug"
)

// softMemory is from how many bytes on the collector works harder: below what the programs may take (docs/design.md, section 7), because pages of mapped files count
// there, too.
const softMemory = 96 << 20

// BoundMemory lets the collector keep the process small on machines with many cores, where garbage comes quickly. Who sets GOMEMLIMIT knows better.
func BoundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
}
