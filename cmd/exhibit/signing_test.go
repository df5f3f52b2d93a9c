package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestNoFlagTakesASecret: what a command line holds is seen by every process of the host and kept by shells, so flags name files. Row K5 of the matrix.
func TestNoFlagTakesASecret(t *testing.T) {
	secret := regexp.MustCompile(`token|password|passphrase|passwd|secret|credential|pin$`)
	named := regexp.MustCompile(`-(file|out|stdin)$`)
	found := 0
	for words, c := range tree(t) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !secret.MatchString(f.Name) {
				return
			}
			found++
			if f.Value.Type() != "bool" && !named.MatchString(f.Name) || f.Value.Type() == "string" && !strings.Contains(f.Usage, "`FILE`") {
				t.Errorf("%s --%s takes a secret: %s", words, f.Name, f.Usage)
			}
		})
	}
	t.Logf("%d flags about secrets", found)
	if found < 10 {
		t.Errorf("only %d flags are about secrets: are they still found?", found)
	}
}
