package cli

import (
	"os"
	"runtime/debug"
)

// softMemory is from how many bytes on the collector works harder: below what the programs may take (docs/design.md, section 7), because pages of mapped files count
// there, too.
const softMemory = 96 << 20

// BoundMemory lets the collector keep the process small on machines with many cores, where garbage comes quickly: it runs when the heap has grown by this
// percentage, 100 being usual, and harder from softMemory on. Who sets GOGC or GOMEMLIMIT knows better.
func BoundMemory(percent int) {
	if os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" {
		return
	}
	debug.SetMemoryLimit(softMemory)
	debug.SetGCPercent(percent)
}
