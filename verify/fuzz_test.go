package verify_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/verify"
)

// FuzzCheck edits the files of a small sealed case: of each piece of the input, which file, where, and bytes to put there, or to cut it. A case that
// differs is never intact.
func FuzzCheck(f *testing.F) {
	m := sample.Small(f)
	m.Seal()
	good := m.Folder.Files()
	names := slices.Sorted(maps.Keys(good))
	check, err := verify.NewRepeatedCheck()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{5, 0, 100, 1, 0xff})
	f.Fuzz(func(t *testing.T, edits []byte) {
		files := mapFS(good)
		for len(edits) > 4 {
			name, at, n := names[int(edits[0])%len(names)], int(edits[1])<<8|int(edits[2]), int(edits[3])
			b := bytes.Clone(files[name].Data)
			if at %= len(b) + 1; n == 0 { // cut
				b = b[:at]
			}
			n = min(n, len(edits)-4)
			b = append(b, make([]byte, max(0, at+n-len(b)))...)
			copy(b[at:], edits[4:4+n])
			files[name] = &fstest.MapFile{Data: b, Mode: 0o600}
			edits = edits[4+n:]
		}
		same := true
		for name, b := range good {
			same = same && bytes.Equal(files[name].Data, b)
		}
		r, c, err := check(context.Background(), files)
		if err != nil && !errors.Is(err, verify.ErrNoCase) {
			t.Fatal(err)
		}
		if want := r.Exit() == verify.ExitVerified; want != same || same != (c != nil) {
			t.Fatalf("exit %d, container %v, same bytes %v", r.Exit(), c != nil, same)
		}
	})
}
