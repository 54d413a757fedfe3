package main

import (
	"fmt"
	"html"
	"io"
)

const (
	barHeight = 18
	barStep   = 24
	leftOf    = 180 // where bars begin: the names are before them
	longest   = 480 // pixels of the longest bar
	plotWidth = leftOf + longest + 120
)

// plot draws the processor time of each proxy as a bar, with its interval as a line.
func (r *result) plot(out io.Writer) error {
	height, last := 10, ""
	for _, row := range r.Rows {
		if row.Shape != last {
			last, height = row.Shape, height+barStep+10
		}
		height += barStep
	}
	var err error
	say := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(out, format, args...)
		}
	}
	say(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n", plotWidth, height)
	y, scale := 10, 0.0
	last = ""
	for i, row := range r.Rows {
		if row.Shape != last {
			last, scale = row.Shape, longest/r.most(i)
			y += barStep
			say(`<text x="4" y="%d" font-weight="bold">%s: processor time of the proxy for each request</text>`+"\n", y, html.EscapeString(row.Shape))
			y += 10
		}
		if row.CPU.Median == 0 {
			continue
		}
		width := row.CPU.Median * scale
		say(`<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", leftOf-6, y+13, html.EscapeString(row.Proxy))
		say(`<rect x="%d" y="%d" width="%.1f" height="%d" fill="#4472a8"/>`+"\n", leftOf, y, width, barHeight)
		say(`<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#111"/>`+"\n", leftOf+row.CPU.Low*scale, leftOf+row.CPU.High*scale, y+barHeight/2, y+barHeight/2)
		say(`<text x="%.1f" y="%d">%.0f µs</text>`+"\n", leftOf+max(width, row.CPU.High*scale)+6, y+13, row.CPU.Median)
		y += barStep
	}
	say("</svg>\n")
	return err
}

// most is the largest processor time of the kind of request of a row.
func (r *result) most(i int) float64 {
	most := 1.0
	for _, row := range r.Rows {
		if row.Shape == r.Rows[i].Shape {
			most = max(most, row.CPU.High, row.CPU.Median)
		}
	}
	return most
}
