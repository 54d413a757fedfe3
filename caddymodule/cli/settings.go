package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/llorch/gateway/caddymodule"
)

// maxConfigSize bounds a configuration that a command reads. Caddy's own limit
// for a configuration sent to it is the same order.
const maxConfigSize = 16 << 20

// settings are a configuration as the commands read it: the adapted configuration, which
// is what Caddy runs, and the Caddyfile, for the lines.
type settings struct {
	*caddymodule.Config
	file   string
	blocks []caddyfile.ServerBlock // empty for a JSON configuration
}

var errNoConfig = errors.New("name the configuration with --config CADDYFILE")

// readSettings reads a Caddyfile, or a JSON configuration when the name ends in
// .json. Nothing is provisioned: no port, no secret, no certificate.
func readSettings(path string) (*settings, error) {
	if path == "" {
		return nil, errNoConfig
	}
	body, err := readText(path)
	if err != nil {
		return nil, fmt.Errorf("reading configuration: %w", err)
	}
	s := &settings{file: path}
	adapted := new(caddy.Config)
	if filepath.Ext(path) == ".json" {
		if err := json.Unmarshal(body, adapted); err != nil {
			return nil, fmt.Errorf("reading configuration: %s: %w", path, err)
		}
	} else {
		if s.blocks, err = caddyfile.Parse(path, body); err != nil {
			return nil, fmt.Errorf("reading configuration: %s", withoutExpanded(caddymodule.WithHint(err), body))
		}
		if adapted, err = adaptBlocks(s.blocks); err != nil {
			return nil, fmt.Errorf("reading configuration: %s", withoutExpanded(caddymodule.WithHint(err), body))
		}
	}
	s.Config, err = caddymodule.DecodeConfig(adapted)
	return s, err
}

// adaptBlocks does what Caddy does with a parsed Caddyfile. Parsers of directives
// change the tokens that they are given, so they get copies.
func adaptBlocks(blocks []caddyfile.ServerBlock) (*caddy.Config, error) {
	copies := make([]caddyfile.ServerBlock, len(blocks))
	for i, block := range blocks {
		copies[i] = block
		copies[i].Keys = slices.Clone(block.Keys)
		copies[i].Segments = make([]caddyfile.Segment, len(block.Segments))
		for j, segment := range block.Segments {
			copies[i].Segments[j] = slices.Clone(segment)
		}
	}
	config, _, err := httpcaddyfile.ServerType{}.Setup(copies, nil)
	return config, err
}

// readText reads a regular file of a bounded size.
func readText(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxConfigSize+1))
	if err == nil && len(body) > maxConfigSize {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxConfigSize)
	}
	return body, err
}

var expanded = regexp.MustCompile(`\{\$([^}:]+)(?::([^}]*))?\}`)

// withoutExpanded is the text of a parser's error without the values that Caddy
// substituted for {$NAME}: one of them may be a secret. Imported files can name more
// variables, so the value of every variable with a secret's name is removed.
func withoutExpanded(err error, body []byte) string {
	var values []string
	for _, match := range expanded.FindAllSubmatch(body, -1) {
		values = append(values, os.Getenv(string(match[1])), string(match[2]))
	}
	for _, entry := range os.Environ() {
		if name, value, _ := strings.Cut(entry, "="); secretName.MatchString(name) && !notSecretName.MatchString(name) {
			values = append(values, value)
		}
	}
	const minSecret = 8 // shorter values are parts of ordinary words
	text := err.Error()
	for _, value := range values {
		for word := range strings.FieldsSeq(value) {
			if len(word) >= minSecret {
				text = strings.ReplaceAll(text, word, "[redacted]")
			}
		}
	}
	return text
}
