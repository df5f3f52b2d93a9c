package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// handTools are all that docs/verify-by-hand.md may use besides what bash has built in.
func handTools() []string { return []string{"sha256sum", "zstd", "openssl", "python3", "grep", "sed"} }

// handBlock is a block of commands in docs/verify-by-hand.md with what it must print.
type handBlock struct {
	step     string // number of the section, "" before the first
	commands string
	form     *regexp.Regexp
}

var handFence = regexp.MustCompile("(?ms)^## (\\d+)\\. |^```sh\n(.*?)^```\n```text\n(.*?)^```\n")

// handBlocks finds the blocks. Every block of commands must be followed by what it prints.
func handBlocks(t *testing.T, page string) (blocks []handBlock) {
	t.Helper()
	step := ""
	for _, m := range handFence.FindAllStringSubmatch(page, -1) {
		if m[1] != "" {
			step = m[1]
			continue
		}
		form := regexp.QuoteMeta(m[3])
		form = strings.ReplaceAll(form, "…", "[^\n]+")
		blocks = append(blocks, handBlock{step, m[2], regexp.MustCompile("^" + form + "$")})
	}
	if n := strings.Count(page, "```sh\n"); n != len(blocks) || n < 15 || step != "10" {
		t.Fatalf("%d blocks of commands, %d with what they print, the last in step %q: are they still found?", n, len(blocks), step)
	}
	return blocks
}

// runByHand runs all blocks in one shell in dir and returns what is wrong with each step in which something is.
func runByHand(t *testing.T, blocks []handBlock, dir, path string) map[string]string {
	t.Helper()
	const mark = "@@ block"
	var script strings.Builder
	for _, b := range blocks {
		fmt.Fprintf(&script, "%s\necho %q $?\n", b.commands, mark)
	}
	cmd := exec.Command("bash", "--norc", "-s")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(script.String())
	cmd.Env = []string{"PATH=" + path, "LC_ALL=C.UTF-8"}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s%s", err, out.String(), said.String())
	}
	trouble, rest := map[string]string{}, out.String()
	for _, b := range blocks {
		printed, after, ok := strings.Cut(rest, mark)
		status, after, more := strings.Cut(after, "\n")
		if !ok || !more {
			t.Fatalf("step %s did not run to its end\n%s", b.step, said.String())
		}
		if rest = after; !b.form.MatchString(printed) || status != " 0" {
			trouble[b.step] += fmt.Sprintf("\nstatus%s, and it printed\n%s", status, printed)
		}
	}
	if len(trouble) == 0 && said.Len() > 0 {
		trouble["stderr"] = said.String()
	}
	return trouble
}

// handPath is a folder that has the tools of the page and nothing else.
func handPath(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: docs/verify-by-hand.md, which is written for the programs of Linux")
	}
	dir := t.TempDir()
	for _, tool := range handTools() {
		program, err := exec.LookPath(tool)
		if err == nil && tool == "python3" { // which may be a script that needs other programs
			var real []byte
			real, err = exec.Command(program, "-c", "import sys; print(sys.executable, end='')").Output()
			program = string(real)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, tool), fmt.Appendf(nil, "#!/bin/sh\nexec %q \"$@\"\n", program), 0o700)
		}
		if err == nil {
			continue
		}
		if os.Getenv("EXHIBIT_REQUIRE_TOOLS") == "1" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED: docs/verify-by-hand.md: %v", err)
	}
	return dir
}

// handScript makes what the page works on: a case, its custody records, a production of it, and what comes from elsewhere.
const handScript = `
exits 0 exhibit demo d
exits 0 exhibit custody transfer d/case --released-by 'A. Examiner' --received-by 'B. Counsel' --key-file d/config/keys/default
exits 0 exhibit custody verified d/case --by 'A. Examiner' --key-file d/config/keys/default
exits 0 exhibit disclose d/case --withhold list -o production --key-file d/config/keys/default
exits 0 exhibit key show --key-file d/config/keys/default
cp stdout key.txt
exits 0 exhibit key new --key-file d/other
exits 0 exhibit key show --key-file d/other
cp stdout other.txt
keep
-- list --
reason Attorney-client privilege
query subject eq 'Invoice 4711 from Fabrikam'
reason of no concern
level 0
text Delivery window for order
`

// handCase makes a case in a folder of its own.
func handCase(t *testing.T) string {
	t.Helper()
	script, dir := filepath.Join(t.TempDir(), "hand.txtar"), t.TempDir()
	if err := os.WriteFile(script, []byte(handScript), 0o600); err != nil {
		t.Fatal(err)
	}
	p := params()
	p.Files = []string{script}
	p.Cmds["keep"] = func(ts *testscript.TestScript, _ bool, _ []string) {
		for from, to := range map[string]string{"d/case": "case", "production": "production"} {
			ts.Check(os.CopyFS(filepath.Join(dir, to), os.DirFS(ts.MkAbs(from))))
		}
		for from, to := range map[string]string{"key.txt": "key.txt", "other.txt": "other.txt", "d/tsa-ca.pem": "tsa.pem"} {
			ts.Check(os.WriteFile(filepath.Join(dir, to), []byte(ts.ReadFile(from)), 0o600))
		}
	}
	t.Run("a case", func(t *testing.T) { testscript.Run(t, p) })
	if _, err := os.Stat(filepath.Join(dir, "key.txt")); err != nil {
		t.Fatal("no case was made")
	}
	return dir
}

// TestVerifyByHand runs the commands of docs/verify-by-hand.md as they stand there: on a whole case, where each block must print what the page says, and on copies in
// which something was altered, where exactly those steps must fail that can notice it.
func TestVerifyByHand(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "verify-by-hand.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks, path := handBlocks(t, string(page)), handPath(t)
	dir := handCase(t)
	copied := func(t *testing.T) string {
		t.Helper()
		c := t.TempDir()
		if err := os.CopyFS(c, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for step, problem := range runByHand(t, blocks, copied(t), path) {
		t.Errorf("step %s of a whole case: %s", step, problem)
	}
	for _, f := range handFaults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			c := copied(t)
			f.plant(t, c)
			trouble := runByHand(t, blocks, c, path)
			if got := slices.SortedFunc(maps.Keys(trouble), byLength); strings.Join(got, " ") != f.steps {
				t.Errorf("steps %q fail, expected %q: %v", got, f.steps, trouble)
			}
		})
	}
}

// byLength orders numbers in decimal.
func byLength(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// handFault is something done to a case, and the steps that must fail then.
type handFault struct {
	name  string
	plant func(*testing.T, string)
	steps string
}

func handFaults() []handFault {
	alter := func(pattern, from, to string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { alterByHand(t, filepath.Join(dir, pattern), from, to) }
	}
	then := func(plant func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, dir string) { plant(t, dir); rehashByHand(t, filepath.Join(dir, "case")) }
	}
	return []handFault{
		{"a byte of data", alter("case/data/README.txt", "HOW TO", "HOW tO"), "1"},
		{"a byte of data, and the manifests made anew", then(alter("case/data/README.txt", "HOW TO", "HOW tO")), "2 9"},
		{"a byte of the manifest", alter("case/manifest-sha256.txt", "  data/README.txt", "  data/README.tx_"), "1"},
		{"a file more", func(t *testing.T, dir string) { writeHand(t, filepath.Join(dir, "case/data/more.txt"), []byte("more")) }, "1"},
		{"a byte of package.note", alter("case/package.note", "exhibit package v1", "exhibit package v2"), "2"},
		{"a byte of its signature", alterSignature("case/package.note"), "2"},
		{"the key of somebody else", func(t *testing.T, dir string) {
			other, err := os.ReadFile(filepath.Join(dir, "other.txt"))
			if err != nil {
				t.Fatal(err)
			}
			writeHand(t, filepath.Join(dir, "key.txt"), other)
		}, "2 3 9 10"},
		{"a byte of the final head's signature", alterSignature("case/data/checkpoints/[34]?.note"), "1 3 8"},
		{"a byte of a token", func(t *testing.T, dir string) {
			flipByHand(t, newestHand(t, filepath.Join(dir, "case/data/checkpoints/[34]?.tsr")), -5)
		}, "1 8"},
		{"a byte of a segment, in a frame", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "case/data/evidence/00001.warc.zst")
			flipByHand(t, path, len(readHand(t, path))/2) // behind the exchange of step 5
		}, "1 4 7"},
		{"a byte of an answer, frames and manifests made anew", then(recordedByHand("HTTP/1.1 200", "HTTP/1.1 201", false)), "2 4 5 6 7 9 10"},
		{"a byte of an answer and its digest, frames and manifests made anew", then(recordedByHand("HTTP/1.1 200", "HTTP/1.1 201", true)), "2 5 9"},
		{"a byte of a head line, its batch's digest, frames and manifests made anew", then(recordedByHand(`"method":"GET","status":200,`, `"method":"GET","status":201,`, true)), "2 6 7 9 10"},
		{"a byte of a detail line, its batch's digest, frames and manifests made anew", then(recordedByHand(`{"nonce":"`, `{"nonce":"f`, true)), "2 6 9"},
		{"a byte of a custody record", alter("case/custody/0001.note", "B. Counsel", "C. Counsel"), "9"},
		{"a record of custody is gone", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "case/custody/0001.note")); err != nil {
				t.Fatal(err)
			}
		}, "9"},
		{"a byte of a production's line", alter("production/data/production.jsonl", `"method":"GET","status":200,`, `"method":"GET","status":201,`), "10"},
	}
}

func readHand(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeHand(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// flipByHand alters one bit of a file. A negative place counts from the end.
func flipByHand(t *testing.T, path string, at int) {
	t.Helper()
	b := readHand(t, path)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	writeHand(t, path, b)
}

// newestHand is the last file by the size in its name that a pattern matches.
func newestHand(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	return slices.MaxFunc(found, byLength)
}

// alterByHand replaces the first occurrence of a text in a file.
func alterByHand(t *testing.T, path, from, to string) {
	t.Helper()
	b := readHand(t, path)
	if !bytes.Contains(b, []byte(from)) {
		t.Fatalf("%s does not hold %q", path, from)
	}
	writeHand(t, path, bytes.Replace(b, []byte(from), []byte(to), 1))
}

// alterSignature alters a character amid the signature of a note.
func alterSignature(pattern string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path := newestHand(t, filepath.Join(dir, pattern))
		b := readHand(t, path)
		at := len(b) - 40
		was := b[at]
		if b[at] = 'A'; was == 'A' {
			b[at] = 'B'
		}
		writeHand(t, path, b)
	}
}

// rehashByHand makes both manifests anew, as somebody does who has no key.
func rehashByHand(t *testing.T, root string) {
	t.Helper()
	for _, name := range []string{"manifest-sha256.txt", "tagmanifest-sha256.txt"} {
		lines := strings.SplitAfter(string(readHand(t, filepath.Join(root, name))), "\n")
		for i, line := range lines {
			_, path, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
			if !ok {
				continue
			}
			sum := sha256.Sum256(readHand(t, filepath.Join(root, path)))
			lines[i] = hex.EncodeToString(sum[:]) + "  " + path + "\n"
		}
		writeHand(t, filepath.Join(root, name), []byte(strings.Join(lines, "")))
	}
}

// recordedByHand replaces a text in the first record of the first segment whose block holds it, its digest too if asked, and makes every frame anew, with one record in each.
func recordedByHand(from, to string, digest bool) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		path, done := filepath.Join(dir, "case/data/evidence/00001.warc.zst"), false
		stream, err := exec.Command("zstd", "-q", "-dc", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		for len(stream) > 0 {
			header, rest, _ := bytes.Cut(stream, []byte("\r\n\r\n"))
			_, length, _ := bytes.Cut(header, []byte("\r\nContent-Length: "))
			var n int
			if _, err := fmt.Sscan(string(length), &n); err != nil {
				t.Fatal(err)
			}
			block := rest[:n]
			stream = rest[n+4:]
			if !done && bytes.Contains(block, []byte(from)) {
				done = true
				was := sha256.Sum256(block)
				block = bytes.Replace(block, []byte(from), []byte(to), 1)[:n]
				now := sha256.Sum256(block)
				if digest {
					header = bytes.Replace(header, []byte(hex.EncodeToString(was[:])), []byte(hex.EncodeToString(now[:])), 1)
				}
			}
			squeezeByHand(t, &out, bytes.Join([][]byte{header, []byte("\r\n\r\n"), block, []byte("\r\n\r\n")}, nil))
		}
		if !done {
			t.Fatalf("no record holds %q", from)
		}
		writeHand(t, path, out.Bytes())
	}
}

// squeezeByHand writes a record in a frame of its own.
func squeezeByHand(t *testing.T, w io.Writer, record []byte) {
	t.Helper()
	cmd := exec.Command("zstd", "-q", "-c", "--check", fmt.Sprintf("--stream-size=%d", len(record)))
	cmd.Stdin, cmd.Stdout = bytes.NewReader(record), w
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
}
