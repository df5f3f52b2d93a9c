package evidence_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/evidence"
	"github.com/exhibit-dfir/exhibit/evidence/sample"
	"github.com/exhibit-dfir/exhibit/evidence/trust"
)

// TestCosignatureNames holds names against those that were made by hand: printf %s VKEY | sha256sum, of which the first 32 digits count.
func TestCosignatureNames(t *testing.T) {
	key := must(trust.ParseVKey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"))(t)
	const hash = "a82f24c48c9ee106dd11952a8026e14f"
	if got, want := evidence.CosignaturePath(12, key), "stamps/12-"+hash+".cosignature"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
	for name, want := range map[string]int64{
		"12-" + hash + ".cosignature": 12, "9223372036854775807-" + hash + ".cosignature": 1<<63 - 1,
		"0-" + hash + ".cosignature": -1, "012-" + hash + ".cosignature": -1, "-12-" + hash + ".cosignature": -1, "+12-" + hash + ".cosignature": -1,
		"9223372036854775808-" + hash + ".cosignature": -1, "12-" + strings.ToUpper(hash) + ".cosignature": -1, "12-" + hash[1:] + ".cosignature": -1,
		"12-" + hash + "00.cosignature": -1, "12-" + hash + ".cosignature.cosignature": -1, "12-" + hash: -1, "12.cosignature": -1, ".cosignature": -1, "": -1,
		"12-" + hash[:31] + "g.cosignature": -1, "12 -" + hash + ".cosignature": -1,
	} {
		if got := evidence.CosignatureSize(name); got != want {
			t.Errorf("size of %q: %d, want %d", name, got, want)
		}
	}
}

// stubborn is a signer that does not sign.
type stubborn struct{ *trust.PrivateKey }

func (stubborn) Sign(context.Context, []byte) ([]byte, error) { return nil, errors.New("no") }

func TestCosign(t *testing.T) {
	ctx := context.Background()
	witness := sample.Key(t, 77)
	key := must(trust.ParseVKey(witness.VerifierKey()))(t)
	head := trust.Head{Origin: evidence.Origin(testCase), Size: 12}
	for _, handed := range []bool{false, true} { // a copy that was handed over has no work/
		dir := filepath.Join(t.TempDir(), "case")
		f := must(evidence.MakeFolder(dir))(t)
		t.Cleanup(func() { f.Close() })
		if handed {
			if err := os.Remove(filepath.Join(dir, evidence.WorkPath)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := evidence.Cosign(ctx, f, head, stubborn{witness}); err == nil {
			t.Error("a signer that refused has cosigned")
		}
		if _, err := os.Lstat(filepath.Join(dir, evidence.StampsPath)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stamps/ was made for a signature that there is not: %v", err)
		}
		name := must(evidence.Cosign(ctx, f, head, witness))(t)
		if name != evidence.CosignaturePath(12, key) {
			t.Errorf("wrote %s", name)
		}
		note := must(os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))))(t)
		text, sigs, err := trust.Verify(note, []trust.VKey{key})
		if want := must(head.Text())(t); err != nil || text != want || len(sigs) != 1 {
			t.Errorf("cosignature %q: %v", note, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, evidence.WorkPath)); errors.Is(err, fs.ErrNotExist) != handed {
			t.Errorf("handed over %v: work/: %v", handed, err)
		}
		if _, err := evidence.Cosign(ctx, f, head, witness); !errors.Is(err, fs.ErrExist) {
			t.Errorf("twice: %v, want ErrExist", err)
		}
		path := filepath.Join(dir, filepath.FromSlash(evidence.CosignaturePath(head.Size, must(trust.ParseVKey(witness.VerifierKey()))(t))))
		own := must(os.ReadFile(path))(t)
		other := must(trust.Sign(t.Context(), strings.Replace(must(head.Text())(t), "\n", "x\n", 1), witness))(t)
		for _, planted := range [][]byte{nil, []byte("x"), own[:len(own)-1], other} { // in its place
			if err := os.WriteFile(path, planted, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := evidence.Cosign(ctx, f, head, witness); !errors.Is(err, evidence.ErrPlanted) {
				t.Errorf("beside %q: %v, want ErrPlanted", planted, err)
			}
		}
		if left := must(os.ReadDir(filepath.Join(dir, evidence.StampsPath)))(t); len(left) != 1 {
			t.Errorf("stamps/ holds %v", left)
		}
	}
}
