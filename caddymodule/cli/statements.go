package cli

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// maxTrials bounds how often lint adapts a configuration to find lines: a second or two
// of work. Findings without a line by then are placed at their file.
const maxTrials = 2000

// position is a place in a Caddyfile.
type position struct {
	file string
	line int
}

func (p position) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

// statement is a directive with its block, or a whole site when segment is -1.
type statement struct {
	block, segment int
	start, end     int // in the segment's tokens
	at             position
	word           string
	inner          []*statement
}

// statements splits parsed blocks down to their lines. Imports are resolved: a
// line keeps the file and number where it was written.
func statements(blocks []caddyfile.ServerBlock) []*statement {
	var all []*statement
	for b, block := range blocks {
		site := &statement{block: b, segment: -1}
		if len(block.Keys) > 0 {
			site.at = position{block.Keys[0].File, block.Keys[0].Line}
			site.word = block.Keys[0].Text
		}
		for i, segment := range block.Segments {
			split := splitter{block: b, segment: i, tokens: segment, begins: lineStarts(segment)}
			site.inner = append(site.inner, split.between(0, len(segment))...)
		}
		all = append(all, site)
	}
	return all
}

// lineStarts marks the tokens that begin a line, as Caddy's parser sees it.
func lineStarts(tokens []caddyfile.Token) []bool {
	starts := make([]bool, len(tokens))
	d := caddyfile.NewDispenser(tokens)
	for i := range tokens {
		if d.NextArg() {
			continue
		}
		d.Next()
		starts[i] = !isBrace(tokens[i], "{")
	}
	return starts
}

func isBrace(t caddyfile.Token, brace string) bool { return t.Text == brace && !t.Quoted() }

type splitter struct {
	block, segment int
	tokens         []caddyfile.Token
	begins         []bool
}

// between splits the tokens from start to end into statements.
func (s splitter) between(start, end int) []*statement {
	var list []*statement
	for i := start; i < end; {
		st := &statement{block: s.block, segment: s.segment, start: i, word: s.tokens[i].Text,
			at: position{s.tokens[i].File, s.tokens[i].Line}}
		for i++; i < end && !s.begins[i] && !isBrace(s.tokens[i], "{"); i++ {
		}
		if i < end && isBrace(s.tokens[i], "{") {
			closing := s.closing(i, end)
			st.inner = s.between(i+1, closing)
			i = min(closing+1, end)
		}
		st.end = i
		list = append(list, st)
	}
	return list
}

// closing finds the brace that ends the block which the token at open begins.
func (s splitter) closing(open, end int) int {
	nesting := 0
	for i := open; i < end; i++ {
		switch {
		case isBrace(s.tokens[i], "{"):
			nesting++
		case isBrace(s.tokens[i], "}"):
			nesting--
		}
		if nesting == 0 {
			return i
		}
	}
	return end
}

// without is a copy of the blocks that lacks a statement.
func (st *statement) without(blocks []caddyfile.ServerBlock) []caddyfile.ServerBlock {
	rest := slices.Clone(blocks)
	if st.segment < 0 {
		return slices.Delete(rest, st.block, st.block+1)
	}
	block := &rest[st.block]
	block.Segments = slices.Clone(block.Segments)
	segment := slices.Delete(slices.Clone(block.Segments[st.segment]), st.start, st.end)
	if len(segment) > 0 {
		block.Segments[st.segment] = segment
	} else {
		block.Segments = slices.Delete(block.Segments, st.segment, st.segment+1)
	}
	return rest
}
