package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

func env(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := pairs[name]; return v, ok }
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const valid = `
listen: 127.0.0.1:9201
runtime_dir: /tmp/does-not-matter
node_id: gpu-1
templates:
  - name: small
    base: llamacpp
    slots: 2
    ready_limit: 30s
    workloads: [completion, embedding]
    swap: true
    ttl: 10m
    memory_bytes: 1000
  - name: existing
    base: url
    url: http://127.0.0.1:11434
preload:
  - {pool_id: chat, template: existing}
memory_bytes: 5000
`

func TestAValidFileIsReadAndTheEnvironmentWins(t *testing.T) {
	token := authmin.RandomSecret()
	o, err := load(write(t, "c.yaml", valid), env(map[string]string{
		"POOL_MANAGERD_NODE_ID": "gpu-2", "LLORCH_API_TOKEN": token.Reveal(), "ORCHESTRATORD_URL": "http://127.0.0.1:8081",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if o.Listen != "127.0.0.1:9201" || o.NodeID != "gpu-2" || len(o.Templates) != 2 || o.Templates[0].Slots != 2 ||
		o.Templates[0].Command[0] != "llama-server" || o.Preload[0].PoolID != "chat" {
		t.Errorf("got %+v", o)
	}
	if small := o.Templates[0]; !small.Swap || small.TTL != 10*time.Minute || small.MemoryBytes != 1000 || len(small.Workloads) != 2 || o.MemoryBytes != 5000 {
		t.Errorf("capacity: got %+v of %d bytes", small, o.MemoryBytes)
	}
	if !o.Token.Equal(token) || !o.OrchestratorToken().Equal(token) {
		t.Error("the tokens are not those of the environment")
	}
	if err := o.Check(); err != nil {
		t.Errorf("check: %v", err)
	}
}

func TestARotatedTokenFileNeedsNoRestart(t *testing.T) {
	first, second := authmin.RandomSecret(), authmin.RandomSecret()
	path := write(t, "token", first.Reveal())
	o, err := load("", env(map[string]string{"ORCHESTRATORD_TOKEN_FILE": path, "POOL_MANAGERD_RUNTIME_DIR": "/tmp/x"}))
	if err != nil {
		t.Fatal(err)
	}
	if !o.OrchestratorToken().Equal(first) {
		t.Error("not the first token")
	}
	if err := os.WriteFile(path, []byte(second.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	if !o.OrchestratorToken().Equal(second) {
		t.Error("not the second token")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if !o.OrchestratorToken().Equal(first) {
		t.Error("an empty file must keep a token that was good")
	}
}

func TestErrorsNameTheFileTheLineAndTheRemedy(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":       {"listen: 127.0.0.1:1\nlisten_adress: x\n", "line 2"},
		"unknown key below": {"templates:\n  - name: a\n    shell: rm\n", "line 3"},
		"wrong type":        {"listen: [1]\n", "line 1"},
		"not YAML":          {"listen: x\nnode_id: b: c\n", "line 2"},
		"two documents":     {"listen: a\n---\nlisten: b\n", "more than one"},
		"unknown base":      {"templates: [{name: a, base: bash}]\n", "templates[0]: base"},
		"bad placeholder":   {"templates: [{name: a, base: llamacpp, command: [x, '{home}', '{port}']}]\n", "unknown placeholder {home}"},
		"remote plain url":  {"templates: [{name: a, base: url, url: 'http://10.0.0.1'}]\n", "plain http only on loopback"},
		"our token in env":  {"templates: [{name: a, base: llamacpp, env: {LLORCH_API_TOKEN: x}}]\n", "may not be set"},
		"key without file":  {"templates: [{name: a, base: ollama, key: file}]\n", "{key_file} is missing"},
	} {
		path := write(t, "c.yaml", c.text)
		_, err := load(path, env(nil))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %s and the file's name", name, err, c.want)
		}
	}
	if _, err := load("", env(map[string]string{"POOL_MANAGERD_ADDR": ""})); err == nil || !strings.Contains(err.Error(), "POOL_MANAGERD_ADDR") {
		t.Errorf("empty variable: got %v", err)
	}
	if _, err := load("", env(map[string]string{"LLORCH_API_TOKEN": "short"})); err == nil || strings.Contains(err.Error(), "short\"") {
		t.Errorf("weak token: got %v", err)
	}
}

func TestCheckSaysWhetherItIsValid(t *testing.T) {
	var out, log bytes.Buffer
	if err := run(t.Context(), []string{"--config", write(t, "c.yaml", valid), "--check"}, env(nil), &out, &log); err != nil || !strings.Contains(out.String(), "valid") {
		t.Errorf("got %q, %v", out.String(), err)
	}
	for _, text := range []string{"listen: 0.0.0.0:9200\nruntime_dir: /tmp/x\n", "preload: [{pool_id: a, template: nope}]\n", "node_id: A/B\n"} {
		if err := run(t.Context(), []string{"--config", write(t, "c.yaml", text), "--check"}, env(nil), &out, &log); err == nil {
			t.Errorf("%q: got no error", text)
		}
	}
	for _, args := range [][]string{{"surplus"}, {"--nope"}} {
		if err := run(t.Context(), args, env(nil), &out, &log); err == nil {
			t.Errorf("%v: got no error", args)
		}
	}
}
