package cli

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"unicode/utf16"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
)

// Version is the release. It is set here and nowhere else.
const Version = "0.1.0"

// Build says which program this is, as far as it can know itself.
type Build struct {
	Program string            `json:"program"`
	Version string            `json:"version"`
	Commit  string            `json:"commit"`
	Go      string            `json:"go"`
	OS      string            `json:"os"`
	Arch    string            `json:"arch"`
	SHA256  string            `json:"sha256"` // of the executable
	Modules map[string]string `json:"modules"`
}

// ThisBuild describes the running program.
func ThisBuild(program string) Build {
	b := Build{Program: program, Version: Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Modules: map[string]string{}}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			b.Modules[m.Path] = m.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	if path, err := os.Executable(); err == nil {
		if f, err := os.Open(path); err == nil {
			defer f.Close()
			sum := sha256.New()
			if _, err := io.Copy(sum, f); err == nil {
				b.SHA256 = fmt.Sprintf("%x", sum.Sum(nil))
			}
		}
	}
	return b
}

// NewVersion is the command `version` of both programs.
func NewVersion() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print version, modules and the SHA-256 of this program",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := ThisBuild(cmd.Root().Name())
			if asJSON {
				return PrintJSON(cmd.OutOrStdout(), b)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s %s/%s %s\nsha256 %s\n", b.Program, b.Version, b.OS, b.Arch, b.Go, b.SHA256)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print as JSON, with modules")
	return cmd
}

// PrintJSON writes v as indented JSON that is the same every time, in ASCII: what may come from evidence reaches no terminal raw.
func PrintJSON(w io.Writer, v any) error {
	out, err := json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return err
	}
	_, err = w.Write(append(ascii(out), '\n'))
	return err
}

// PrintJSONLine prints v as one line of JSON in ASCII.
func PrintJSONLine(w io.Writer, v any) error {
	out, err := json.Marshal(v, json.Deterministic(true))
	if err == nil {
		_, err = w.Write(append(ascii(out), '\n'))
	}
	return err
}

// ascii escapes the characters of valid JSON beyond 0x7E, which stand in strings only.
func ascii(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for _, r := range string(b) {
		switch {
		case r < 0x7F:
			out = append(out, byte(r))
		case r > 0xFFFF:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}
