package main

import (
	"fmt"
	"io"
	"strings"
)

// maxShown bounds what is kept of one test's output until it ends.
const maxShown = 64 << 10

// A printer shows test events as go test does without -v: a line for each
// package, and of tests the output of those that fail.
type printer struct {
	to    io.Writer
	kept  map[testID]*strings.Builder
	tests map[string]int // that passed, by package
}

func newPrinter(to io.Writer) *printer {
	return &printer{to: to, kept: map[testID]*strings.Builder{}, tests: map[string]int{}}
}

func (p *printer) print(e event) {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(p.to, e.Output)
	case "output":
		p.keep(id, e.Output)
	case "pass":
		delete(p.kept, id)
		if e.Test != "" {
			p.tests[e.Package]++
		} else {
			fmt.Fprintf(p.to, "ok    %s  %.1fs  %d tests\n", shortPackage(e.Package), e.Elapsed, p.tests[e.Package])
		}
	case "fail":
		if b := p.kept[id]; b != nil {
			fmt.Fprint(p.to, b.String())
			delete(p.kept, id)
		}
		if e.Test == "" {
			fmt.Fprintf(p.to, "FAIL  %s  %.1fs\n", shortPackage(e.Package), e.Elapsed)
		}
	case "skip":
		delete(p.kept, id)
		if e.Test != "" {
			fmt.Fprintf(p.to, "left out: %s in %s\n", e.Test, shortPackage(e.Package))
		}
	}
}

func (p *printer) keep(id testID, text string) {
	b := p.kept[id]
	if b == nil {
		b = new(strings.Builder)
		p.kept[id] = b
	}
	if b.Len() < maxShown {
		b.WriteString(text)
	}
}
