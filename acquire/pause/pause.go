// Package pause lets time pass. Whoever waits takes a function of this form as an option, so that tests need not.
package pause

import (
	"context"
	"time"
)

// For returns when d has passed, or with ctx's error when that ends before.
func For(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
