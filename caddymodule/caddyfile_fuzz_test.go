package caddymodule

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/llorch/gateway/authmin"
)

// maxFuzzedBlock bounds a block: Caddy's lexer is not what is tested here.
const maxFuzzedBlock = 2 << 10

// FuzzCaddyfileBlock: a guard's block is an error with a line, or a guard that says again
// what the block said. In neither is a token, and no rule is lost.
func FuzzCaddyfileBlock(f *testing.F) {
	for _, file := range blocksOf(f) {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, block string) {
		if len(block) > maxFuzzedBlock || !isOneBlock(block) {
			return
		}
		text := "http://127.0.0.1:8080 {\n\tauthmin {\n" + block + "\n\t}\n\trespond ok\n}\n"
		config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
		again, _, errAgain := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
		if (err == nil) != (errAgain == nil) || !bytes.Equal(config, again) {
			t.Fatalf("%q is read in two ways:\n%s %v\n%s %v", block, config, err, again, errAgain)
		}
		if err != nil {
			if strings.Contains(err.Error(), strings.Repeat("canary-", 5)) {
				t.Errorf("%q: the error shows what may be a token: %v", block, err)
			}
			return
		}
		g := guardIn(t, config)
		if g == nil {
			return // the block closed the guard, and Caddy read another site
		}
		if want := rulesIn(block); len(g.Rules) != want {
			t.Errorf("%q: %d rules, want %d: %+v", block, len(g.Rules), want, g.Rules)
		}
		for _, rule := range g.Rules {
			if rule.Action != "public" && rule.Action != "deny" && rule.Action != "require" || len(rule.Paths) == 0 || (rule.Action == "require") != (len(rule.Scopes) > 0) {
				t.Errorf("%q: rule %+v", block, rule)
			}
			for _, path := range rule.Paths {
				if !strings.HasPrefix(path, "/") && !strings.Contains(path, "{") {
					if _, err := authmin.NewPolicy(authmin.PolicyOptions{Rules: []authmin.Rule{{Action: authmin.ActionPublic, Paths: []string{path}}}}); err == nil {
						t.Errorf("%q: path %q is no path, and a policy takes it", block, path)
					}
				}
			}
		}
	})
}

// blocksOf are the options of the first guard of each file in testdata, those that are
// refused among them.
func blocksOf(f *testing.F) (blocks []string) {
	f.Helper()
	for _, dir := range []string{"testdata/adapt", "testdata/refused"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.caddyfile"))
		if err != nil || len(files) == 0 {
			f.Fatalf("no files in %s (%v)", dir, err)
		}
		for _, file := range files {
			content := readFile(f, file)
			_, rest, ok := strings.Cut(content, " {\n\tauthmin")
			_, rest, found := strings.Cut(rest, "{\n")
			block, _, whole := strings.Cut(rest, "\n\t}")
			if ok && found && whole {
				blocks = append(blocks, block)
			}
		}
	}
	return append(blocks, "public /*\ndeny /a {", "require infer /v1/* # x", "\"public\" /a", "public `/a b`", "public /a \\\n/b", "require "+strings.Repeat("canary-", 6)+" /a",
		"upstream_token "+strings.Repeat("canary-", 6), "public GET /a\npublic get /a", "deny {$X}", "import x", "model_in body:model POST /v1/*", "budget 1M tokens per day hard")
}

// isOneBlock leaves out text that ends the block, or that has Caddy read other files,
// snippets or heredocs.
func isOneBlock(block string) bool {
	return !strings.ContainsAny(block, "{}<`\"\\#") && !strings.Contains(block, "import") && !strings.ContainsAny(block, "\x00\v\f\u0085\u00a0")
}

// rulesIn counts the lines that are rules.
func rulesIn(block string) (n int) {
	for line := range strings.Lines(block) {
		switch fields := strings.Fields(line); {
		case len(fields) == 0:
		case fields[0] == "public" || fields[0] == "require" || fields[0] == "deny":
			n++
		}
	}
	return n
}

// guardIn is the only guard of a configuration.
func guardIn(t *testing.T, config []byte) *Guard {
	t.Helper()
	at := bytes.Index(config, []byte(`"handler":"authmin"`))
	if at < 0 {
		return nil
	}
	begin := bytes.LastIndexByte(config[:at], '{')
	for begin >= 0 {
		var raw json.RawMessage
		if err := json.NewDecoder(bytes.NewReader(config[begin:])).Decode(&raw); err != nil {
			t.Fatalf("%s: %v", config, err)
		}
		if begin+len(raw) > at {
			g := new(Guard)
			var members map[string]json.RawMessage
			if err := json.Unmarshal(raw, &members); err != nil {
				t.Fatal(err)
			}
			delete(members, "handler")
			rest, _ := json.Marshal(members)
			if err := caddy.StrictUnmarshalJSON(rest, g); err != nil {
				t.Fatalf("the guard that was adapted is not read again: %v", err)
			}
			return g
		}
		begin = bytes.LastIndexByte(config[:begin], '{')
	}
	return nil
}
