package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// secretName matches names of variables that hold secrets.
var secretName = regexp.MustCompile(`(?i)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|BEARER|APIKEY|(^|_)(KEY|PASS|PWD|PW|AUTH)(_|$))`)

// notSecretName matches names with such a word that hold no secret, but a path, an
// address or a switch. PWD is the shell's working directory.
var notSecretName = regexp.MustCompile(`(?i)^PWD$|_(FILE|PATH|DIR|URL|NAME|HOST|ADDR|ADDRESS|PORT|TTL|OPTIONAL|ENABLED)$`)

// secretWords come before a secret on its line.
var secretWords = []string{"authorization", "proxy-authorization", "x-api-key", "api-key", "upstream_token", "token", "cookie"}

// lintText looks for secrets in the text of one file: values that Caddy substitutes for
// {$NAME} before it parses, and tokens in plain text. The text is read without
// substitution.
func lintText(path string) ([]finding, error) {
	if filepath.Ext(path) == ".json" { // where {$NAME} means nothing
		return nil, nil
	}
	body, err := readText(path)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	tokens, err := caddyfile.Tokenize(body, path)
	if err != nil {
		return nil, nil // the adapter reports where it is not a Caddyfile
	}
	findings := lintBraces(path, tokens)
	var line []caddyfile.Token
	depth := 0
	for i, token := range tokens {
		if i > 0 && tokens[i-1].Line+tokens[i-1].NumLineBreaks() < token.Line {
			line = line[:0]
		}
		at := position{file: path, line: token.Line}
		switch {
		case isBrace(token, "{"):
			depth++
		case isBrace(token, "}"):
			depth--
		}
		if depth > 0 && isStructure(line, token) {
			findings = append(findings, finding{at: at, warning: true,
				text: "this text comes from the environment; lint used the environment of this command"})
		}
		for _, match := range expanded.FindAllStringSubmatch(token.Text, -1) {
			name := match[1]
			if (secretName.MatchString(name) && !notSecretName.MatchString(name)) || beforeSecret(line) {
				findings = append(findings, finding{at: at, text: fmt.Sprintf("{$%s} is put into the configuration that Caddy saves and shows on its admin endpoint; write {env.%s}, or {file./absolute/path}", name, name)})
			}
		}
		if beforeSecret(line) && isBearer(token.Text) {
			findings = append(findings, finding{at: at, text: "the configuration contains a token in plain text; write {env.NAME} or {file./absolute/path} in its place, and replace the token"})
		}
		line = append(line, token)
	}
	return findings, nil
}

// isStructure reports whether a token is a variable in place of a directive or of a file
// to import.
func isStructure(before []caddyfile.Token, token caddyfile.Token) bool {
	if !strings.HasPrefix(token.Text, "{$") {
		return false
	}
	return len(before) == 0 || before[0].Text == "import"
}

func beforeSecret(line []caddyfile.Token) bool {
	return slices.ContainsFunc(line, func(t caddyfile.Token) bool {
		return slices.Contains(secretWords, strings.ToLower(strings.Trim(t.Text, "+->?")))
	})
}

// isBearer reports whether text is an authorization field with a token in it, and
// not a placeholder.
func isBearer(text string) bool {
	scheme, credential, ok := strings.Cut(strings.TrimSpace(text), " ")
	return ok && (strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "basic")) && !strings.Contains(credential, "{")
}

// imported are the files that the configuration's tokens come from, beside the
// one that was named.
func (s *settings) imported() []string {
	var files []string
	for _, block := range s.blocks {
		tokens := slices.Clone(block.Keys)
		for _, segment := range block.Segments {
			tokens = append(tokens, segment...)
		}
		for _, token := range tokens {
			if token.File == s.file || slices.Contains(files, token.File) {
				continue
			}
			if info, err := os.Stat(token.File); err == nil && info.Mode().IsRegular() {
				files = append(files, token.File)
			}
		}
	}
	return files
}
