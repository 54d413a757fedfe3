package cli

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/llorch/gateway/caddymodule"
)

// lintBraces finds unbalanced braces in the text of one file: the parser's own error
// often names a line far below.
func lintBraces(path string, tokens []caddyfile.Token) (findings []finding) {
	var open []caddyfile.Token
	guard := -1 // how deep the authmin block is that the tokens are in
	var line []caddyfile.Token
	for i, token := range tokens {
		if i == 0 || tokens[i-1].Line+tokens[i-1].NumLineBreaks() < token.Line {
			line = nil
		}
		at := position{file: path, line: token.Line}
		switch {
		case token.Quoted():
		case isBrace(token, "{"):
			if len(line) > 0 && line[0].Text == caddymodule.AppName && guard < 0 {
				guard = len(open)
			}
			open = append(open, token)
		case isBrace(token, "}"):
			if len(open) == 0 {
				findings = append(findings, finding{at: at, text: "this } closes no block: there is one } too many before it, or a { is missing"})
				continue
			}
			open = open[:len(open)-1]
			if guard >= len(open) {
				guard = -1
			}
		case len(token.Text) > 1 && strings.HasSuffix(token.Text, "{") && !strings.Contains(token.Text, "}"):
			findings = append(findings, finding{at: at, text: "a space is missing before the {: Caddy reads it as part of the word"})
			open = append(open, token)
		case len(line) == 0 && guard >= 0 && (token.Text == "reverse_proxy" || token.Text == "handle" || token.Text == "handle_path" || token.Text == "respond"):
			findings = append(findings, finding{at: at, text: token.Text + " is inside an authmin block: a } is missing before it"})
			guard = -1
		}
		line = append(line, token)
	}
	for _, token := range open {
		findings = append(findings, finding{at: position{file: path, line: token.Line}, text: "the block that begins here is not closed: a } is missing"})
	}
	return findings
}
