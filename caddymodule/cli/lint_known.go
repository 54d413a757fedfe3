package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
)

// maxKnownBytes bounds the list of models that lint reads.
const maxKnownBytes = 4 << 20

// errKnownModels is a list that has no model.
var errKnownModels = errors.New("the list names no model; want the answer of GET /v1/models or /api/tags, or one name on each line")

// readKnownModels reads the models that exist, from a file or, with -, from in.
func readKnownModels(path string, in io.Reader) ([]string, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxKnownBytes+1))
	if err == nil && len(text) > maxKnownBytes {
		err = fmt.Errorf("over %d bytes", maxKnownBytes)
	}
	var names []string
	if err == nil {
		names, err = parseKnownModels(text)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the models of %s: %w", path, err)
	}
	return names, nil
}

// parseKnownModels reads the answer of GET /v1/models (OpenAI's) or /api/tags (Ollama's),
// or a name on each line; empty lines and those that begin with # are skipped.
func parseKnownModels(text []byte) (names []string, err error) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		var list struct {
			Data   []struct{ ID string }
			Models []struct{ Name string }
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, err
		}
		for _, m := range list.Data {
			names = append(names, m.ID)
		}
		for _, m := range list.Models {
			names = append(names, m.Name)
		}
	} else {
		lines := bufio.NewScanner(bytes.NewReader(text))
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); !strings.HasPrefix(line, "#") {
				names = append(names, line)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	if len(names) == 0 {
		return nil, errKnownModels
	}
	return names, nil
}

// withKnownModels adds what the list of the models that exist shows.
func withKnownModels(findings []finding, config, from string, in io.Reader) ([]finding, error) {
	known, err := readKnownModels(from, in)
	if err != nil {
		return nil, err
	}
	s, err := readSettings(config)
	if err != nil {
		return findings, nil // a finding already
	}
	return sorted(append(findings, lintKnownModels(s, from, known, time.Now())...)), nil
}

// lintKnownModels warns of patterns in the lists of tokens that match none of the models
// that exist.
func lintKnownModels(s *settings, from string, known []string, now time.Time) []finding {
	found := newGrouped()
	s.eachModelList(now, func(name string, models *authmin.Models) {
		for _, pattern := range models.Patterns() {
			alone, err := authmin.ParseModels(pattern)
			if err != nil || slices.ContainsFunc(known, alone.Allow) {
				continue
			}
			text := fmt.Sprintf("the pattern %s of TOKENS matches none of the %d models of %s: correct it, or leave it out until the model is there", pattern, len(known), from)
			found.add(strings.Replace(strings.ReplaceAll(text, "%", "%%"), "TOKENS", "%s", 1), name)
		}
	})
	return found.findings(s)
}
