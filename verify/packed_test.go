package verify_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"reflect"
	"slices"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// TestPacked checks a case in its folder and packed, then with a sum that is not that of its file, and with a header that no packing writes.
func TestPacked(t *testing.T) {
	m := sample.Small(t)
	m.Seal()
	key, err := trust.ParseVKey(m.Key.VerifierKey())
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	if err := bag.Pack(context.Background(), &packed, m.Folder.FS(), []trust.VKey{key}); err != nil {
		t.Fatal(err)
	}
	check := func(b []byte) (*verify.Report, *verify.Container) {
		t.Helper()
		z, err := bag.OpenZip(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		r, c, err := verify.Check(context.Background(), z, verify.Options{Keys: []trust.VKey{key}, Deep: true})
		if err != nil {
			t.Fatal(err)
		}
		return r, c
	}
	want, _, err := verify.Check(context.Background(), m.Folder.FS(), verify.Options{Keys: []trust.VKey{key}, Deep: true})
	if err != nil {
		t.Fatal(err)
	}
	got, c := check(packed.Bytes())
	if !reflect.DeepEqual(got, want) || c == nil || got.Exit() != verify.ExitVerified {
		t.Errorf("the packed case: %+v\nits folder: %+v", got, want)
	}

	// The sum of one file is another one, in both of its headers: all that is sealed is as it was, and packing would have given another file.
	sum := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(m.Folder.Files()["data/README.txt"]))
	if n := bytes.Count(packed.Bytes(), sum); n != 2 {
		t.Fatalf("the sum of data/README.txt stands at %d places", n)
	}
	got, c = check(bytes.ReplaceAll(packed.Bytes(), sum, []byte{sum[0] ^ 1, sum[1], sum[2], sum[3]}))
	if codes := codesOf(got); got.Exit() != verify.ExitDamaged || c != nil || !slices.Equal(codes, []string{"zip-form"}) {
		t.Errorf("another sum: exit %d, container %v, %q", got.Exit(), c != nil, codes)
	}

	// Headers that are not those that are written: there is a report all the same.
	longer := append(bytes.Clone(packed.Bytes()), 0)
	_, err = bag.OpenZip(bytes.NewReader(longer), int64(len(longer)))
	var form *bag.ZipError
	if !errors.As(err, &form) {
		t.Fatalf("a byte more: %v", err)
	}
	got = verify.NotPacked(form, verify.Options{Keys: []trust.VKey{key}})
	if got.Exit() != verify.ExitDamaged || !slices.Equal(codesOf(got), []string{"zip-form"}) || got.Statements[0].Holds != verify.No || got.Statements[1].Holds != verify.No {
		t.Errorf("a byte more: %+v", got)
	}
}
