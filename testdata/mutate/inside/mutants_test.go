package verify_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/exhibit-dfir/exhibit/mutant"
)

// TestMutants holds the vectors against the verifier with nothing off, with everything, and with one site after the other, in one process, and says of each which vector
// noticed. A site that a vector does not come to while nothing is off makes no difference to it, so it is not asked about that one. It exists in the overlay of testdata/mutate alone.
func TestMutants(t *testing.T) {
	type test struct {
		name  string
		run   func(*testing.T)
		comes map[int]bool // the sites that it comes to
	}
	var tests []test
	for _, v := range loadVectors(t) {
		tests = append(tests, test{name: v.name, run: v.test})
	}
	for _, v := range loadHistory(t) {
		tests = append(tests, test{name: v.name, run: func(t *testing.T) { v.wants(t, v.check(t)) }})
	}
	for _, off := range strings.Fields("none all " + os.Getenv("EXHIBIT_MUTANTS")) {
		t.Run(off, func(t *testing.T) {
			t.Setenv("EXHIBIT_MUTANT", off)
			site, notOne := strconv.Atoi(off)
			noticed := "-"
			for i := range tests {
				v := &tests[i]
				if notOne == nil && !v.comes[site] {
					continue
				}
				if !t.Run(v.name, v.run) {
					noticed = v.name
					break
				}
				if off == "none" {
					v.comes = mutant.Asked()
				}
			}
			fmt.Println("mutant", off, noticed)
		})
	}
}
