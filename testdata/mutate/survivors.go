package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// survivor is a site of which no vector can show that it is off: the test that does, or the reason why nothing can.
type survivor struct{ test, reason string }

// readSurvivors reads the list of those sites: "ID: TestName" or "ID: reason", one a line. Lines that start with # say something to the reader.
func readSurvivors(path string, sites []site) (map[string]survivor, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	name := regexp.MustCompile(`^Test\w+$`)
	out := map[string]survivor{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, why, ok := strings.Cut(line, ": ")
		switch {
		case !ok || why == "":
			return nil, fmt.Errorf("%s: %q has neither a test nor a reason", path, line)
		case out[id] != survivor{}:
			return nil, fmt.Errorf("%s: %q is there twice", path, id)
		case !slices.ContainsFunc(sites, func(s site) bool { return s.ID == id }):
			return nil, fmt.Errorf("%s: there is no place %q", path, id)
		case name.MatchString(why):
			out[id] = survivor{test: why}
		default:
			out[id] = survivor{reason: why}
		}
	}
	return out, nil
}

// judge says what is wrong with the fate of a site: "" if nothing.
func judge(id string, f fate, listed map[string]survivor) string {
	s, is := listed[id]
	switch {
	case f.kind == "survived" && !is:
		return id + ": nothing notices that it is off: a vector is missing"
	case f.kind == "survived" && s.test != "":
		return id + ": " + s.test + " does not notice that it is off"
	case f.kind == "vector" && is:
		return id + ": it is in the list of survivors and does not survive (" + f.by + "): take it off"
	}
	return ""
}
