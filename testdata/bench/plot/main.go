// Plot draws how times and memory grow with the size of a case: from the table of part scale to an SVG on standard output.
//
//	plot [-processor] FILE >scale.svg
//
// Three panels over the number of exchanges in the case: microseconds for each exchange of what reads or writes all of it, seconds of what should cost the same
// whatever is stored, and peak memory of the programs (not of the generator, which writes the cases). With -processor, times are those of a processor: on a machine that other work
// keeps busy they say more.
package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
)

// point is the median of one measure at one size.
type point struct {
	exchanges, units, seconds, mib float64
}

// line is one measure at all sizes, smallest first.
type line struct {
	name   string
	points []point
}

func main() {
	log.SetFlags(0)
	processor := flag.Bool("processor", false, "times of a processor")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: plot [-processor] FILE")
	}
	lines, err := read(flag.Arg(0), *processor)
	if err != nil {
		log.Fatalf("plot: %v", err)
	}
	if _, err := os.Stdout.Write(draw(lines, *processor)); err != nil {
		log.Fatalf("plot: %v", err)
	}
}

// read reads a table of stopwatch, whose settings are numbers of exchanges. Seconds are of a processor, if that is asked for.
func read(name string, processor bool) ([]*line, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("%s: no measurements", name)
	}
	var lines []*line
	runs := map[string]map[float64][]point{}
	for i, row := range rows[1:] {
		p, measure, err := parse(rows[0], row, processor)
		if err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", name, i+1, err)
		}
		if runs[measure] == nil {
			runs[measure] = map[float64][]point{}
			lines = append(lines, &line{name: measure})
		}
		runs[measure][p.exchanges] = append(runs[measure][p.exchanges], p)
	}
	for _, l := range lines {
		for _, all := range runs[l.name] {
			l.points = append(l.points, middle(all))
		}
		slices.SortFunc(l.points, func(a, b point) int { return int(a.exchanges - b.exchanges) })
	}
	return lines, nil
}

func parse(header, row []string, processor bool) (p point, measure string, err error) {
	var system float64
	type column struct {
		name string
		to   *float64
	}
	columns := []column{{"setting", &p.exchanges}, {"n", &p.units}, {"seconds", &p.seconds}, {"rss_kib", &p.mib}}
	if processor {
		columns = append(columns, column{"user", &p.seconds}, column{"system", &system})
	}
	for _, c := range columns {
		i := slices.Index(header, c.name)
		if i < 0 {
			return p, "", fmt.Errorf("no column %s", c.name)
		}
		if *c.to, err = strconv.ParseFloat(row[i], 64); err != nil {
			return p, "", err
		}
	}
	p.seconds += system
	p.mib /= 1024
	i := slices.Index(header, "measure")
	if i < 0 || p.exchanges < 1 || p.units < 1 {
		return p, "", fmt.Errorf("no measure, or nothing was done")
	}
	return p, row[i], nil
}

// middle is the run of median time, with the largest memory of all.
func middle(runs []point) point {
	slices.SortFunc(runs, func(a, b point) int {
		switch {
		case a.seconds < b.seconds:
			return -1
		case a.seconds > b.seconds:
			return 1
		}
		return 0
	})
	m := runs[len(runs)/2]
	for _, r := range runs {
		m.mib = max(m.mib, r.mib)
	}
	return m
}
