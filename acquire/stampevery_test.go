package acquire

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestStampsEveryQuarter counts the tokens of a run of 46 minutes.
func TestStampsEveryQuarter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		r := &run{o: Options{Stamps: stampFunc(func(context.Context) error {
			at = append(at, time.Since(began))
			time.Sleep(10 * time.Second)
			return nil
		})}}
		end := r.stampBeside(context.Background())
		time.Sleep(46 * time.Minute)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{0, 15*time.Minute + 10*time.Second, 30*time.Minute + 20*time.Second, 45*time.Minute + 30*time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("at %v, want %v", at, want)
		}
	})
}

type stampFunc func(context.Context) error

func (f stampFunc) Stamp(ctx context.Context) error { return f(ctx) }
