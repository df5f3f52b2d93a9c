// Sealcase opens a case and seals it, as `exhibit seal` does, and prints how long each step took as one line of JSON: the opening, which reads the last segment whole; the
// head that was due, which reads back what no head covers yet; and the seal itself.
//
//	sealcase DIR
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"time"

	"github.com/exhibit-dfir/exhibit/acquire"
	"github.com/exhibit-dfir/exhibit/acquire/casefile"
)

// took is what is printed, in seconds.
type took struct {
	Open float64 `json:"open_seconds"`
	Head float64 `json:"head_seconds"`
	Seal float64 `json:"seal_seconds"`
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("sealcase DIR")
	}
	t, err := seal(context.Background(), os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(t)
	}
	if err != nil {
		log.Fatalf("sealcase: %v", err)
	}
}

func seal(ctx context.Context, dir string) (t *took, err error) {
	env, err := casefile.System("benchmark")
	if err != nil {
		return nil, err
	}
	t = &took{}
	began := time.Now()
	lap := func(seconds *float64) {
		now := time.Now()
		*seconds, began = now.Sub(began).Seconds(), now
	}
	c, err := casefile.Open(ctx, env, dir, casefile.OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close(ctx)) }()
	lap(&t.Open)
	if err := c.Writer().Head(ctx); err != nil {
		return nil, err
	}
	lap(&t.Head)
	if err := acquire.Seal(ctx, c, acquire.SealOptions{Env: env}); err != nil {
		return nil, err
	}
	lap(&t.Seal)
	return t, nil
}
