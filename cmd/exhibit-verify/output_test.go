package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/cmd/cli"
)

// TestFullOutput requires that a command whose output is lost does not end as if all were well.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED, there is no /dev/full: a lost output: %v", err)
	}
	defer full.Close()
	dir, activities := smallCase(t), activitiesCase(t, []string{"a@x.example"}, oneActivity)
	for _, args := range [][]string{{"check", dir}, {"check", "--json", dir}, {"show", dir, "5"}, {"show", dir, "5", "--json"}, {"show", dir, "5", "--body"},
		{"extract", dir}, {"extract", dir, "--format=csv"}, {"extract", activities, "--format=lmg-csv"}, {"extract", activities, "--format=item-ids"}, {"version"}, {"help"}} {
		var talk bytes.Buffer
		code := run(context.Background(), args, cli.Streams{In: strings.NewReader(""), Out: full, Err: &talk})
		if code != cli.Unexpected || !strings.Contains(talk.String(), "no space left on device") {
			t.Errorf("exhibit-verify %q ends with %d: %s", args, code, &talk)
		}
	}
}

// TestInterruptedInput interrupts a check whose standard input never ends.
func TestInterruptedInput(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	in, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		w.Write([]byte("PK\x03\x04"))
		cancel()
	}()
	cmd := newCheck()
	cmd.SetContext(ctx)
	cmd.SetIn(in)
	if _, err := openChecked(cmd, "-", &given{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}
