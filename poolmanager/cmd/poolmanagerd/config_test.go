package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func env(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := pairs[name]; return v, ok }
}

// load reads a configuration, and gives the options of it.
func load(path string, lookup backend.Lookup) (poolmanager.Options, error) {
	d, err := program().Read(path, lookup)
	return d.(*config).options, err
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
    first_token_limit_ms: 30000
    between_tokens_limit_ms: 1500
    protocols: [chat]
    remote_media: any
    refuse_members: ["lora", "n_predict <= 100"]
    stream_usage: false
    deterministic: true
    request_bytes: 1000
    answer_bytes: 2000
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
	if small := o.Templates[0]; !small.Swap || small.TTL != 10*time.Minute || small.MemoryBytes != 1000 || small.FirstTokenLimit != 30*time.Second || small.BetweenTokensLimit != 1500*time.Millisecond || len(small.Workloads) != 2 || o.MemoryBytes != 5000 {
		t.Errorf("capacity: got %+v of %d bytes", small, o.MemoryBytes)
	}
	if small := o.Templates[0]; !slices.Equal(small.Protocols, []nodeapi.Protocol{nodeapi.Chat}) || small.RemoteMedia != poolmanager.RemoteMediaAny || len(small.RefuseMembers) != 2 ||
		small.StreamUsage || !small.Deterministic || small.RequestBytes != 1000 || small.AnswerBytes != 2000 {
		t.Errorf("native calls: got %+v", small)
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
	c := new(config)
	p := program()
	p.New = func() backend.Daemon { return c }
	if _, err := p.Read("", env(map[string]string{"ORCHESTRATORD_TOKEN_FILE": path, "POOL_MANAGERD_RUNTIME_DIR": "/tmp/x"})); err != nil {
		t.Fatal(err)
	}
	var sent authmin.Secret
	watch := authmin.NewSecretWatch([]*authmin.SecretSource{c.orchestrator}, func(next func(*authmin.SecretSource) authmin.Secret) error {
		sent = c.tokens(next).Sent[0]
		return nil
	}, func(authmin.SecretEvent) {})
	if !c.options.OrchestratorToken().Equal(first) {
		t.Error("not the first token")
	}
	if err := os.WriteFile(path, []byte(second.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	if watch.ReadAll(); !c.options.OrchestratorToken().Equal(second) || !sent.Equal(second) {
		t.Error("not the second token")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if watch.ReadAll(); !c.options.OrchestratorToken().Equal(second) {
		t.Error("an empty file must keep a token that was good")
	}
}

func TestErrorsNameTheFileTheLineAndTheRemedy(t *testing.T) {
	var texts []string
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":       {"listen: 127.0.0.1:1\nlisten_adress: x\n", "c.yaml:2: "},
		"unknown key below": {"templates:\n  - name: a\n    shell: rm\n", "c.yaml:3: "},
		"wrong type":        {"listen: [1]\n", "c.yaml:1: "},
		"not YAML":          {"listen: x\nnode_id: b: c\n", "c.yaml:2: "},
		"key twice":         {"listen: a\nlisten: b\n", "c.yaml:2: "},
		"two documents":     {"listen: a\n---\nlisten: b\n", "more than one"},
		"unknown base":      {"templates:\n  - name: a\n    base: bash\n", ":3: templates[0]: base"},
		"bad placeholder":   {"templates:\n- name: a\n  base: llamacpp\n  command:\n  - x\n  - '{home}'\n  - '{port}'\n", ":6: templates[0]: template \"a\": command: unknown placeholder {home}"},
		"in capitals":       {"templates:\n- name: a\n  base: ollama\n  env: {X: '{PORT}'}\n", ":4: "},
		"a model's program": {"templates:\n- name: a\n  base: ollama\n  command: ['{model}', '{port}']\n", ":4: templates[0]: template \"a\": command: \"{model}\": the program itself"},
		"remote plain url":  {"templates:\n- name: a\n  base: url\n  url: 'http://10.0.0.1'\n", ":4: templates[0]: template \"a\": url: plain http only on loopback"},
		"our token in env":  {"templates:\n- {name: b, base: demo}\n- name: a\n  base: llamacpp\n  env:\n    LLORCH_API_TOKEN: x\n", ":5: templates[1]: template \"a\": env: \"LLORCH_API_TOKEN\" may not be set"},
		"our token passed":  {"templates:\n- name: a\n  base: vllm\n  pass_env: [HF_TOKEN, ORCHESTRATORD_TOKEN]\n", ":4: templates[0]: template \"a\": pass_env: \"ORCHESTRATORD_TOKEN\""},
		"key without file":  {"templates:\n- name: a\n  base: ollama\n  key: file\n", "{key_file} is missing"},
		"a mask":            {"templates:\n- name: a\n  base: llamacpp\n  devices: ['0', all]\n", ":4: templates[0]: template \"a\": devices: \"all\""},
		"a relative dir":    {"templates:\n- name: a\n  base: llamacpp\n\n  dir: work\n", ":5: templates[0]: template \"a\": dir: want an absolute path"},
		"few files":         {"templates:\n- name: a\n  base: llamacpp\n  max_open_files: 3\n", ":4: "},
		"little memory":     {"templates:\n- name: a\n  base: llamacpp\n  max_address_space_bytes: 1000\n", ":4: "},
		"a limit of zero":   {"templates:\n- name: a\n  base: demo\n  between_tokens_limit_ms: 0\n", ":4: templates[0]: between_tokens_limit_ms: invalid value 0: want 1 to 86400000"},
		"a negative limit":  {"templates:\n- name: a\n  base: demo\n  first_token_limit_ms: -1\n", ":4: templates[0]: first_token_limit_ms: invalid value -1: want 1 to 86400000"},
		"a limit too long":  {"templates:\n- name: a\n  base: demo\n  first_token_limit_ms: 90000000000000\n", ":4: templates[0]: first_token_limit_ms: invalid value 90000000000000: want 1 to 86400000"},
		"a limit in words":  {"templates:\n- name: a\n  base: demo\n  first_token_limit_ms: 10m\n", "c.yaml:4: "},
		"no unit":           {"templates:\n- name: a\n  base: demo\n  first_token_limit: 10m\n", "c.yaml:4: "},
		"a name twice":      {"templates:\n- name: a\n  base: demo\n- name: a\n  base: demo\n", ":4: templates[1]: name: there is"},
		"a protocol":        {"templates:\n- name: a\n  base: vllm\n  protocols: [chat, ollama]\n", ":4: templates[0]: template \"a\": protocols: \"ollama\""},
		"remote media":      {"templates:\n- name: a\n  base: vllm\n  remote_media: some\n", ":4: templates[0]: template \"a\": remote_media: want none or any"},
		"a refused member":  {"templates:\n- name: a\n  base: vllm\n  refuse_members: ['a < 3']\n", ":4: templates[0]: template \"a\": refuse_members: \"a < 3\""},
		"request bytes":     {"templates:\n- name: a\n  base: vllm\n  request_bytes: 99999999\n", ":4: templates[0]: template \"a\": request_bytes: "},
		"answer bytes":      {"templates:\n- name: a\n  base: vllm\n  answer_bytes: -1\n", ":4: templates[0]: template \"a\": answer_bytes: "},
		"no such template":  {"templates:\n- name: a\n  base: demo\npreload:\n- pool_id: x\n  template: b\n", ":6: preload: template: \"b\" is not among the templates"},
	} {
		path := write(t, "c.yaml", c.text)
		_, err := load(path, env(nil))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %s and the file's name", name, err, c.want)
			continue
		}
		texts = append(texts, name+": "+strings.ReplaceAll(err.Error(), path, filepath.Base(path)))
	}
	testkit.GoldenLines(t, "testdata/refused.txt", texts)
	if _, err := load("", env(map[string]string{"POOL_MANAGERD_ADDR": ""})); err == nil || !strings.Contains(err.Error(), "POOL_MANAGERD_ADDR") {
		t.Errorf("empty variable: got %v", err)
	}
	if _, err := load("", env(map[string]string{"LLORCH_API_TOKEN": "short"})); err == nil || strings.Contains(err.Error(), "short\"") {
		t.Errorf("weak token: got %v", err)
	}
}

// TestErrorsFoundLaterNameTheirPlace: the whole is checked after it was read, and
// before anything starts.
func TestErrorsFoundLaterNameTheirPlace(t *testing.T) {
	var texts []string
	for name, c := range map[string]struct {
		text, want string
		env        map[string]string
	}{
		"a node's name":      {"runtime_dir: /tmp/x\nnode_id: A/B\n", "c.yaml:2: node_id", nil},
		"an address":         {"runtime_dir: /tmp/x\naddress: http://10.0.0.1\n", "c.yaml:2: address", nil},
		"a model host":       {"runtime_dir: /tmp/x\nmodel_hosts:\n- good.example\n- '*'\n", "c.yaml:4: model_hosts (POOL_MANAGERD_MODEL_HOSTS): \"*\"", nil},
		"a model":            {"preload:\n- {pool_id: a, template: demo}\n- pool_id: b\n  template: demo\n  model_ref: file:../x\n", "c.yaml:5: preload: pool b: ", nil},
		"a pool's name":      {"preload:\n- {pool_id: ../a, template: demo}\n", "c.yaml:2: preload", nil},
		"where to listen":    {"runtime_dir: /tmp/x\nlisten: here\n", "c.yaml:2: listen (POOL_MANAGERD_ADDR): invalid value \"here\": want host:port", nil},
		"a port":             {"", "environment: listen (POOL_MANAGERD_ADDR): invalid value ", map[string]string{"POOL_MANAGERD_ADDR": "127.0.0.1:99999"}},
		"a pool twice":       {"preload:\n- {pool_id: a, template: demo}\n- {pool_id: a, template: demo}\n", "preload: pool a: there is a pool of this id above", nil},
		"a variable instead": {"node_id: good\n", "environment: node_id (POOL_MANAGERD_NODE_ID)", map[string]string{"POOL_MANAGERD_NODE_ID": "A/B"}},
		"hosts by variable":  {"", "environment: model_hosts (POOL_MANAGERD_MODEL_HOSTS): \"https://x\"", map[string]string{"POOL_MANAGERD_MODEL_HOSTS": "good.example, https://x"}},
		"bytes by variable":  {"", "environment: memory_bytes (POOL_MANAGERD_MEMORY_BYTES): \"4G\" is not a number: want 0 or more bytes", map[string]string{"POOL_MANAGERD_MEMORY_BYTES": "4G"}},
	} {
		for _, args := range [][]string{{"--check"}, nil} {
			var out, log bytes.Buffer
			path := write(t, "c.yaml", c.text)
			err := run(t.Context(), append([]string{"--config", path}, args...), env(c.env), &out, &log)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s %v: got %v, want %s", name, args, err, c.want)
				continue
			}
			texts = append(texts, fmt.Sprintf("%s %s: %s", name, args, strings.ReplaceAll(err.Error(), path, filepath.Base(path))))
		}
	}
	testkit.GoldenLines(t, "testdata/refused_later.txt", texts)
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
