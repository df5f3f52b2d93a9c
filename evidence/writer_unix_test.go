//go:build unix

package evidence_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
)

// TestDeletedSegment deletes the segment under a writer: what goes into a file without a name must not be acknowledged.
func TestDeletedSegment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "case")
	folder, err := evidence.MakeFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	w, err := evidence.Create(t.Context(), options(t, folder), evidence.Case{Case: testCase})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(t.Context(), exchange(1, testRun)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Append(t.Context(), exchange(2, testRun)); !errors.Is(err, evidence.ErrDeleted) {
		t.Errorf("appended to a deleted segment: %v", err)
	}
	if err := w.Close(t.Context()); !errors.Is(err, evidence.ErrDeleted) {
		t.Errorf("closed: %v", err)
	}
}
