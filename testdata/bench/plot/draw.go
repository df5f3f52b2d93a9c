package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
)

// Places in the drawing, in pixels.
const (
	panelWidth, panelHeight = 300, 220
	left, top, right, below = 52, 44, 14, 104
	wide                    = left + panelWidth + right
	high                    = top + panelHeight + below
)

// panel is one of the drawing's parts.
type panel struct {
	title string
	limit float64 // a line that nothing may cross, 0 for none
	value func(point) float64
	shown func(*line) bool
}

// whole reports whether a measure's work grows with the case.
func (l *line) whole() bool {
	last := l.points[len(l.points)-1]
	return last.units >= last.exchanges
}

func panels(processor bool) []panel {
	of := ""
	if processor {
		of = " of a processor"
	}
	return []panel{
		{title: "Work on the whole case: µs" + of + " for each exchange", value: func(p point) float64 { return p.seconds / p.units * 1e6 }, shown: (*line).whole},
		{title: "Other commands: seconds" + of, value: func(p point) float64 { return p.seconds }, shown: func(l *line) bool { return !l.whole() }},
		{title: "Peak memory: MiB", limit: 128, value: func(p point) float64 { return p.mib }, shown: func(l *line) bool { return l.name != "write" }},
	}
}

// colours tell lines apart, also for those who see few colours: after Okabe and Ito.
func colours() []string {
	return []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f"}
}

func draw(lines []*line, processor bool) []byte {
	var b bytes.Buffer
	all := panels(processor)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n",
		wide*len(all), high, wide*len(all), high)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	for i, p := range all {
		fmt.Fprintf(&b, `<g transform="translate(%d,%d)">`+"\n", i*wide+left, top)
		p.draw(&b, lines)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (p *panel) draw(b *bytes.Buffer, lines []*line) {
	least, most, highest := math.Inf(1), math.Inf(-1), p.limit
	for _, l := range lines {
		for _, at := range l.points {
			least, most = min(least, at.exchanges), max(most, at.exchanges)
			if p.shown(l) {
				highest = max(highest, p.value(at))
			}
		}
	}
	step := steps(highest)
	ceiling := step * math.Max(1, math.Ceil(highest/step))
	x := func(exchanges float64) float64 {
		if most == least {
			return panelWidth / 2
		}
		return panelWidth * math.Log(exchanges/least) / math.Log(most/least)
	}
	y := func(v float64) float64 { return panelHeight * (1 - v/ceiling) }
	fmt.Fprintf(b, `<text x="%d" y="-20" font-size="13" font-weight="bold">%s</text>`+"\n", 20-left, html.EscapeString(p.title))
	for v := 0.0; v <= ceiling*1.0001; v += step {
		fmt.Fprintf(b, `<path d="M0 %.1fH%d" stroke="#dddddd"/><text x="-6" y="%.1f" text-anchor="end">%s</text>`+"\n", y(v), panelWidth, y(v)+4, strconv.FormatFloat(v, 'g', 4, 64))
	}
	for _, n := range sizes(lines) {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(n), panelHeight+16, power(n))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">exchanges in the case</text>`+"\n", panelWidth/2, panelHeight+31)
	if p.limit > 0 {
		fmt.Fprintf(b, `<path d="M0 %.1fH%d" stroke="#aa0000" stroke-dasharray="5 4"/><text x="%d" y="%.1f" text-anchor="end" fill="#aa0000">limit %g</text>`+"\n",
			y(p.limit), panelWidth, panelWidth, y(p.limit)-4, p.limit)
	}
	key := 0
	for i, l := range lines {
		if !p.shown(l) {
			continue
		}
		colour := colours()[i%len(colours())]
		path := ""
		for k, at := range l.points {
			path += fmt.Sprintf("%c%.1f %.1f", "ML"[min(k, 1)], x(at.exchanges), y(p.value(at)))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(at.exchanges), y(p.value(at)), colour)
		}
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.6"/>`+"\n", path, colour)
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">● %s</text>`+"\n", key%2*164, panelHeight+46+key/2*13, colour, html.EscapeString(l.name))
		key++
	}
}

// steps is a distance of grid lines, 1, 2 or 5 times a power of ten, for four to eight of them.
func steps(highest float64) float64 {
	if highest <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(highest)))
	for _, f := range []float64{0.1, 0.2, 0.5, 1} {
		if highest/(unit*f) <= 8 {
			return unit * f
		}
	}
	return 2 * unit
}

// sizes are those of all lines, ascending.
func sizes(lines []*line) []float64 {
	var all []float64
	for _, l := range lines {
		for _, p := range l.points {
			all = append(all, p.exchanges)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// power writes 10⁶ for a million and other numbers in digits.
func power(n float64) string {
	e := math.Log10(n)
	if e != math.Trunc(e) {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	out := "10"
	for _, d := range strconv.Itoa(int(e)) {
		out += string([]rune("⁰¹²³⁴⁵⁶⁷⁸⁹")[d-'0'])
	}
	return out
}
