package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// readSurvivors reads the list of sites that no case can show, each with its reason: "ID: reason", one a line. Lines that start with # say something to the reader.
func readSurvivors(path string, sites []site) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, reason, ok := strings.Cut(line, ": ")
		switch {
		case !ok || reason == "":
			return nil, fmt.Errorf("%s: %q has no reason", path, line)
		case out[id] != "":
			return nil, fmt.Errorf("%s: %q is there twice", path, id)
		case !slices.ContainsFunc(sites, func(s site) bool { return s.ID == id }):
			return nil, fmt.Errorf("%s: there is no place %q", path, id)
		}
		out[id] = reason
	}
	return out, nil
}

// judge says what is wrong with the fate of a site: "" if nothing.
func judge(id string, survived bool, excused map[string]string) string {
	switch {
	case survived && excused[id] == "":
		return id + ": nothing notices that it is off: a vector is missing"
	case !survived && excused[id] != "":
		return id + ": it is in the list of survivors and does not survive: take it off"
	}
	return ""
}
