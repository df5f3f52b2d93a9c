package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestUnfinishedFileGoes interrupts an extraction into a file: what could not be finished must not lie there as if it were.
func TestUnfinishedFileGoes(t *testing.T) {
	cmd := newCheck()
	cmd.SetContext(t.Context())
	c, err := openChecked(cmd, smallCase(t), &given{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	path := filepath.Join(t.TempDir(), "records")
	if _, err := writeRecords(interrupted, io.Discard, c, &extractOptions{format: "jsonl", out: path}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if b, err := os.ReadFile(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%d bytes are left, %v", len(b), err)
	}
}
