package verify_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"reflect"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/bag"
	"github.com/exhibit-dfir/exhibit/evidence/custody"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
	"github.com/exhibit-dfir/exhibit/verify"
)

// caseSeed is that of the key of package sample's cases.
const caseSeed = 9

// handedProduction makes a vector of a production that was handed over and received.
func handedProduction(change func(*handover)) func(*testing.T) map[string][]byte {
	return func(t *testing.T) map[string][]byte {
		h := &handover{t: t, files: withheldOf(t, sample.Small(t), smallHold())}
		h.release()
		h.receipt()
		change(h)
		return h.files
	}
}

// productionCustodyRecipes are productions with records of who held them.
func productionCustodyRecipes() []recipe {
	return []recipe{
		{name: "production-custody", code: "withheld", exit: 0, about: "a production that one party released and another received", make: handedProduction(func(*handover) {})},
		{name: "production-custody-of-case", code: "custody-container", exit: 3, about: "beside a production, the records of the case that it was made of: what they found is another container", make: func(t *testing.T) map[string][]byte {
			files, h := withheldOf(t, sample.Small(t), smallHold()), handed(t)
			for n := range h.texts {
				files[custody.Path(n+1)] = h.files[custody.Path(n+1)]
			}
			return files
		}},
		{name: "production-custody-size", code: "custody-container", exit: 3, about: "a record of a production that found another number of bytes", make: handedProduction(func(h *handover) {
			h.respell("\nsize: ", "\nsize: 1")
		})},
		{name: "production-custody-other-case", code: "custody-case", exit: 3, about: "beside a production, a record of a production of another case", make: handedProduction(func(h *handover) {
			h.respell("case/00", "case/01")
		})},
		{name: "production-custody-changed", code: "bag-changed", exit: 3, about: "a production that was altered after it was handed over, as somebody does who has no key", make: handedProduction(func(h *handover) {
			h.files["data/README.txt"] = append(h.files["data/README.txt"], '!')
		})},
	}
}

// folderOf writes files into a folder.
func folderOf(t *testing.T, files map[string][]byte) fs.FS {
	t.Helper()
	dir := t.TempDir()
	(&vector{files: files}).unpack(t, dir)
	return openFolder(t, dir)
}

// TestPackedProduction checks a production in its folder and packed, with its records of custody, then with a sum that is not that of its file.
func TestPackedProduction(t *testing.T) {
	files := handedProduction(func(*handover) {})(t)
	folder, producer := folderOf(t, files), vkeyOf(t, producerSeed)
	o := verify.Options{Keys: []trust.VKey{producer, vkeyOf(t, caseSeed)}, CustodyKeys: []trust.VKey{vkeyOf(t, lab)}, Deep: true}
	var packed bytes.Buffer
	if err := bag.Pack(t.Context(), &packed, folder, []trust.VKey{producer}); err != nil {
		t.Fatal(err)
	}
	check := func(files fs.FS) (*verify.Report, bool) {
		t.Helper()
		r, c, err := verify.Check(t.Context(), files, o)
		if err != nil {
			t.Fatal(err)
		}
		return r, c != nil
	}
	unzipped := func(b []byte) fs.FS {
		t.Helper()
		z, err := bag.OpenZip(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		return z
	}
	want, _ := check(folder)
	got, intact := check(unzipped(packed.Bytes()))
	if !reflect.DeepEqual(got, want) || !intact || got.Exit() != verify.ExitVerified || got.Production == nil || len(got.Custody.Records) != 2 {
		t.Errorf("the packed production: %+v\nits folder: %+v", got, want)
	}
	sum := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(files["data/README.txt"]))
	got, intact = check(unzipped(bytes.ReplaceAll(packed.Bytes(), sum, []byte{sum[0] ^ 1, sum[1], sum[2], sum[3]})))
	if codes := codesOf(got); intact || got.Exit() != verify.ExitDamaged || !slices.Contains(codes, "zip-form") {
		t.Errorf("another sum: intact %t, exit %d, %q", intact, got.Exit(), codes)
	}
}

// TestPackProductionRefuses: a key of the case does not speak for a production, nor its package.note for a case.
func TestPackProductionRefuses(t *testing.T) {
	files := withheldOf(t, sample.Small(t), smallHold())
	pack := func(files map[string][]byte, key trust.VKey) error {
		return bag.Pack(t.Context(), &bytes.Buffer{}, folderOf(t, files), []trust.VKey{key})
	}
	if err := pack(files, vkeyOf(t, producerSeed)); err != nil {
		t.Errorf("as it is: %v", err)
	}
	if err := pack(files, vkeyOf(t, caseSeed)); err == nil {
		t.Error("signed by none of the keys, and packed")
	}
	asCase := reproduced(func(_ *testing.T, files map[string][]byte) { delete(files, jsonl) })(t)
	if err := pack(asCase, vkeyOf(t, producerSeed)); err == nil {
		t.Error("a case with the package.note of a production is packed")
	}
	asCase = sealed(t)
	asCase[jsonl] = []byte("x")
	signAgain(t, asCase, asCase["package.note"], sample.Key(t, caseSeed))
	if err := pack(asCase, vkeyOf(t, caseSeed)); err == nil {
		t.Error("a production with the package.note of a case is packed")
	}
}

// TestProductionLines reads a production at its word, twice, and what is none.
func TestProductionLines(t *testing.T) {
	files := withheldOf(t, sample.Small(t), smallHold())
	read := func(text []byte) (whole []int64, all int, err error) {
		head, entries, err := evidence.ProductionLines(fstest.MapFS{jsonl: {Data: text}})
		if err != nil {
			return nil, 0, err
		}
		if head.Case != sample.CaseID {
			t.Errorf("case %q", head.Case)
		}
		for range entries { // it begins anew each time
			break
		}
		for d, err := range entries {
			if err != nil {
				return whole, all, err
			}
			if all++; d.Entry != nil {
				whole = append(whole, d.Seq)
			}
		}
		return whole, all, nil
	}
	whole, all, err := read(files[jsonl])
	if want := []int64{0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 14, 15}; err != nil || all != 16 || !slices.Equal(whole, want) {
		t.Errorf("%d lines, disclosed %v, want %v; %v", all, whole, want, err)
	}
	lines := bytes.SplitAfter(files[jsonl], []byte("\n"))
	for name, text := range map[string][]byte{
		"empty": nil, "first line alone": lines[0], "cut": files[jsonl][:len(files[jsonl])-1], "no first line": bytes.Join(lines[1:], nil),
		"one line less": slices.Concat(lines[0], lines[1]), "exchanged": slices.Concat(lines[0], lines[2], lines[1]), "junk": []byte("x\n"),
	} {
		var damage *evidence.DamageError
		if _, _, err := read(text); !errors.As(err, &damage) {
			t.Errorf("%s: %v, want a DamageError", name, err)
		}
	}
}
