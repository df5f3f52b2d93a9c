// Summary reads tables of measurements, as stopwatch writes them, and prints them as markdown: ratios of two programs that did the same work side by side,
// peak memory, and growth with the size of a case.
//
//	summary [-memory MIB] FILE…
//
// Of the variants of one measure and setting the first in the table is ours. A ratio is that of one round: the other's time for a unit of work, divided by
// ours; what is printed is the median over the rounds and the least and the greatest. Exit 1 says that a target or the memory limit is missed.
package main

import (
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
)

// row is one measured run.
type row struct {
	measure, setting, variant string
	round, n, bytes           int64
	rss, anonymous            int64 // KiB
	seconds, processor        float64
	target                    float64
}

// pair is two variants of one measure and setting, or one alone.
type pair struct {
	measure, setting string
	variants         []string // in the order of the table
	rows             map[string][]row
}

func main() {
	log.SetFlags(0)
	memory := flag.Int64("memory", 128, "MiB that a process of ours may take")
	flag.Parse()
	var rows []row
	for _, name := range flag.Args() {
		more, err := readFile(name)
		if err != nil {
			log.Fatalf("summary: %v", err)
		}
		rows = append(rows, more...)
	}
	if len(rows) == 0 {
		log.Fatal("summary: nothing was measured")
	}
	pairs := group(rows)
	missed := printRatios(os.Stdout, pairs)
	printGrowth(os.Stdout, pairs)
	missed += printMemory(os.Stdout, pairs, *memory)
	if missed > 0 {
		fmt.Printf("\nfigures missed: %d\n", missed)
		os.Exit(1)
	}
}

func readFile(name string) ([]row, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rows, nil
}

// read reads a table. Columns are found by their names.
func read(r io.Reader) ([]row, error) {
	lines, err := csv.NewReader(r).ReadAll()
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	var rows []row
	for _, line := range lines[1:] {
		cell := func(name string) string {
			if i := slices.Index(lines[0], name); i >= 0 {
				return line[i]
			}
			return ""
		}
		number := func(name string) float64 {
			v, e := strconv.ParseFloat(cell(name), 64)
			if e != nil && err == nil {
				err = fmt.Errorf("column %s: %w", name, e)
			}
			return v
		}
		rows = append(rows, row{measure: cell("measure"), setting: cell("setting"), variant: cell("variant"), round: int64(number("round")), n: int64(number("n")),
			bytes: int64(number("bytes")), rss: int64(number("rss_kib")), anonymous: int64(number("anonymous_kib")), seconds: number("seconds"),
			processor: number("user") + number("system"), target: number("target")})
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func group(rows []row) []*pair {
	var pairs []*pair
	for _, r := range rows {
		i := slices.IndexFunc(pairs, func(p *pair) bool { return p.measure == r.measure && p.setting == r.setting })
		if i < 0 {
			i = len(pairs)
			pairs = append(pairs, &pair{measure: r.measure, setting: r.setting, rows: map[string][]row{}})
		}
		p := pairs[i]
		if !slices.Contains(p.variants, r.variant) {
			p.variants = append(p.variants, r.variant)
		}
		p.rows[r.variant] = append(p.rows[r.variant], r)
	}
	return pairs
}

// spread is a median and what it lies between.
type spread struct{ least, median, most float64 }

func spreadOf(v []float64) spread {
	slices.Sort(v)
	mid := v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + mid) / 2
	}
	return spread{v[0], mid, v[len(v)-1]}
}

func (s spread) String() string {
	if s.least == s.most {
		return short(s.median)
	}
	return fmt.Sprintf("%s (%s–%s)", short(s.median), short(s.least), short(s.most))
}

// short writes three digits, or all before the point.
func short(v float64) string {
	switch {
	case v >= 100:
		return grouped(int64(v + 0.5))
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func each(rows []row, f func(row) float64) []float64 {
	var v []float64
	for _, r := range rows {
		v = append(v, f(r))
	}
	return v
}

func perSecond(r row) float64 { return float64(r.n) / r.seconds }

// ratio is ours to the other, round by round.
func (p *pair) ratio(other string) (spread, bool) {
	var v []float64
	for _, a := range p.rows[p.variants[0]] {
		for _, b := range p.rows[other] {
			if a.round == b.round {
				v = append(v, perSecond(a)/perSecond(b))
			}
		}
	}
	if len(v) == 0 {
		return spread{}, false
	}
	return spreadOf(v), true
}

func printRatios(w io.Writer, pairs []*pair) (missed int) {
	first := true
	for _, p := range pairs {
		for _, other := range p.variants[1:] {
			ratio, ok := p.ratio(other)
			if !ok {
				continue
			}
			if first {
				fmt.Fprint(w, "| measure | setting | rounds | ours, a second | other | other, a second | ours / other | to reach | |\n|---|---|---:|---:|---|---:|---:|---:|---|\n")
				first = false
			}
			ours := p.rows[p.variants[0]]
			target, verdict := "", ""
			if t := ours[0].target; t > 0 {
				target, verdict = short(t), "yes"
				if ratio.median < t {
					verdict = "**no**"
					missed++
				}
			}
			fmt.Fprintf(w, "| %s | %s | %d | %s | %s | %s | %s | %s | %s |\n", p.measure, p.setting, len(ours), spreadOf(each(ours, perSecond)), strings.ReplaceAll(other, "|", `\|`),
				spreadOf(each(p.rows[other], perSecond)), ratio, target, verdict)
		}
	}
	return missed
}

// printGrowth prints what was measured of one program alone, at several sizes.
func printGrowth(w io.Writer, pairs []*pair) {
	first := true
	base := map[string]float64{} // measure → microseconds a unit at its first setting
	for _, p := range pairs {
		if len(p.variants) > 1 {
			continue
		}
		if first {
			fmt.Fprint(w, "\n| measure | setting | rounds | seconds | units | µs a unit | to the first setting | of a processor, µs a unit | peak MiB | without mapped files |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
			first = false
		}
		rows := p.rows[p.variants[0]]
		unit := spreadOf(each(rows, func(r row) float64 { return r.seconds / float64(r.n) * 1e6 }))
		processor := spreadOf(each(rows, func(r row) float64 { return r.processor / float64(r.n) * 1e6 }))
		if base[p.measure] == 0 {
			base[p.measure] = unit.median
		}
		fmt.Fprintf(w, "| %s | %s | %d | %s | %s | %s | %s | %s | %s | %s |\n", p.measure, p.setting, len(rows), spreadOf(each(rows, func(r row) float64 { return r.seconds })),
			grouped(rows[0].n), short(unit.median), short(unit.median/base[p.measure]), short(processor.median), short(peak(rows)), short(own(rows)))
	}
}

// peak is the largest memory of all runs, in MiB; own is that without mapped files.
func peak(rows []row) float64 {
	return slices.Max(each(rows, func(r row) float64 { return float64(r.rss) / 1024 }))
}

func own(rows []row) float64 {
	return slices.Max(each(rows, func(r row) float64 { return float64(r.anonymous) / 1024 }))
}

// printMemory prints the peak of each measure's own program over all rounds and settings.
func printMemory(w io.Writer, pairs []*pair, limit int64) (missed int) {
	fmt.Fprint(w, "\n| measure | at most, MiB | without mapped files | at | limit | |\n|---|---:|---:|---|---:|---|\n")
	var measures []string
	most, without, at := map[string]float64{}, map[string]float64{}, map[string]string{}
	for _, p := range pairs {
		if !slices.Contains(measures, p.measure) {
			measures = append(measures, p.measure)
		}
		ours := p.rows[p.variants[0]]
		if mib := peak(ours); mib > most[p.measure] {
			most[p.measure], at[p.measure] = mib, p.setting
		}
		without[p.measure] = max(without[p.measure], own(ours))
	}
	for _, m := range measures {
		verdict := "yes"
		if most[m] > float64(limit) {
			verdict = "**no**"
			missed++
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %d | %s |\n", m, short(most[m]), short(without[m]), at[m], limit, verdict)
	}
	return missed
}
