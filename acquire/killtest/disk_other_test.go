//go:build !linux

package killtest

import (
	"errors"
	"testing"
)

// cutPower is for Linux alone.
func cutPower(string, loss) error { return errors.ErrUnsupported }

// TestPowerLost says that rows F4 and F5 need Linux.
func TestPowerLost(t *testing.T) {
	skip(t, "power lost under a real file system: only Linux can take it away")
}
