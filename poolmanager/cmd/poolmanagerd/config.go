package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager"
	"github.com/llorch/gateway/poolmanager/adapter"
)

// maxConfigBytes bounds the configuration file; a hundred templates are 50 KiB.
const maxConfigBytes = 1 << 20

// file is the configuration file. Keys that are not here are errors. It holds
// no token: those come from the environment, or from files named there.
type file struct {
	Listen          string     `yaml:"listen"`
	RuntimeDir      string     `yaml:"runtime_dir"`
	ModelRoot       string     `yaml:"model_root"`
	ModelHosts      []string   `yaml:"model_hosts"`
	NodeID          string     `yaml:"node_id"`
	Address         string     `yaml:"address"`
	OrchestratorURL string     `yaml:"orchestrator_url"`
	Templates       []template `yaml:"templates"`
	Preload         []preload  `yaml:"preload"`
	MemoryBytes     int64      `yaml:"memory_bytes"`
	LogLevel        string     `yaml:"log_level"`
}

type preload struct {
	PoolID   string `yaml:"pool_id"`
	Template string `yaml:"template"`
	ModelRef string `yaml:"model_ref"`
	OnDemand bool   `yaml:"on_demand"`
}

// template is a shipped template (base) with changes, or one of its own.
type template struct {
	Name        string            `yaml:"name"`
	Base        string            `yaml:"base"`
	Engine      string            `yaml:"engine"`
	Dialect     string            `yaml:"dialect"`
	Command     []string          `yaml:"command"`
	Env         map[string]string `yaml:"env"`
	PassEnv     []string          `yaml:"pass_env"`
	Dir         string            `yaml:"dir"`
	OpenFiles   int               `yaml:"max_open_files"`
	AddressSize int64             `yaml:"max_address_space_bytes"`
	URL         string            `yaml:"url"`
	URLKeyFile  string            `yaml:"url_key_file"`
	Key         string            `yaml:"key"`
	TakesFile   *bool             `yaml:"takes_file"`
	ListsModels *bool             `yaml:"lists_models"`
	Model       string            `yaml:"model"`
	HealthPath  string            `yaml:"health_path"`
	Workloads   []string          `yaml:"workloads"`
	Devices     []string          `yaml:"devices"`
	Swap        bool              `yaml:"swap"`
	TTL         time.Duration     `yaml:"ttl"`
	MemoryBytes int64             `yaml:"memory_bytes"`
	Ctx         int               `yaml:"ctx"`
	Slots       int               `yaml:"slots"`
	ReadyLimit  time.Duration     `yaml:"ready_limit"`
	StopGrace   time.Duration     `yaml:"stop_grace"`
	FirstToken  *int64            `yaml:"first_token_limit_ms"`
	TokenGap    *int64            `yaml:"between_tokens_limit_ms"`
}

// load reads the file, then the environment, which wins.
func load(path string, lookup func(string) (string, bool)) (poolmanager.Options, *places, error) {
	f, where := file{}, &places{path: path, fromEnv: map[string]string{}}
	if path != "" {
		var err error
		if f, where.root, err = readFile(path); err != nil {
			return poolmanager.Options{}, where, err
		}
	}
	if err := f.override(where, lookup); err != nil {
		return poolmanager.Options{}, where, err
	}
	o := poolmanager.Options{
		Listen: f.Listen, RuntimeDir: f.RuntimeDir, ModelRoot: f.ModelRoot, ModelHosts: f.ModelHosts, NodeID: f.NodeID,
		Address: f.Address, OrchestratorURL: f.OrchestratorURL, MemoryBytes: f.MemoryBytes,
	}
	if o.RuntimeDir == "" {
		o.RuntimeDir = runtimeDir(lookup)
	}
	names := map[string]bool{}
	for i, t := range f.Templates {
		made, err := t.make()
		if err == nil && names[made.Name] {
			err = fmt.Errorf("name: there is a template %q above", made.Name)
		}
		if err != nil {
			return o, where, where.in(where.element("templates", i), fmt.Errorf("templates[%d]: %w", i, err))
		}
		where.keyFiles = append(where.keyFiles, t.URLKeyFile)
		names[made.Name] = true
		o.Templates = append(o.Templates, made)
	}
	for i, p := range f.Preload {
		if len(names) > 0 && !names[p.Template] {
			return o, where, where.in(where.element("preload", i), fmt.Errorf("template: %q is not among the templates", p.Template))
		}
		o.Preload = append(o.Preload, poolmanager.Preload{PoolID: p.PoolID, Template: p.Template, ModelRef: p.ModelRef, OnDemand: p.OnDemand})
	}
	return o, where, secrets(&o, lookup)
}

// override takes what the environment sets; an empty value is a mistake.
func (f *file) override(where *places, lookup func(string) (string, bool)) error {
	hosts := strings.Join(f.ModelHosts, ",")
	bytes := strconv.FormatInt(f.MemoryBytes, 10)
	for _, v := range []struct {
		name, key string
		into      *string
	}{
		{"POOL_MANAGERD_ADDR", "listen", &f.Listen}, {"POOL_MANAGERD_RUNTIME_DIR", "runtime_dir", &f.RuntimeDir},
		{"POOL_MANAGERD_MODEL_ROOT", "model_root", &f.ModelRoot}, {"POOL_MANAGERD_MODEL_HOSTS", "model_hosts", &hosts},
		{"POOL_MANAGERD_NODE_ID", "node_id", &f.NodeID}, {"POOL_MANAGERD_ADDRESS", "address", &f.Address},
		{"ORCHESTRATORD_URL", "orchestrator_url", &f.OrchestratorURL}, {"POOL_MANAGERD_MEMORY_BYTES", "memory_bytes", &bytes},
		{"POOL_MANAGERD_LOG_LEVEL", "log_level", &f.LogLevel},
	} {
		value, ok := lookup(v.name)
		if ok && value == "" {
			return fmt.Errorf("%s is set but empty; give it a value or unset it", v.name)
		}
		if ok {
			*v.into, where.fromEnv[v.key] = value, v.name
		}
	}
	if _, ok := where.fromEnv["model_hosts"]; ok {
		f.ModelHosts = nil
		for host := range strings.SplitSeq(hosts, ",") {
			f.ModelHosts = append(f.ModelHosts, strings.TrimSpace(host))
		}
	}
	var err error
	if f.MemoryBytes, err = strconv.ParseInt(bytes, 10, 64); err != nil {
		return errors.New("POOL_MANAGERD_MEMORY_BYTES: want a number of bytes, e.g. 34359738368")
	}
	return nil
}

// runtimeDir is systemd's RuntimeDirectory= or the session's own; a world
// writable place is never the default.
func runtimeDir(lookup func(string) (string, bool)) string {
	if dir, ok := lookup("RUNTIME_DIRECTORY"); ok {
		return dir
	}
	if dir, ok := lookup("XDG_RUNTIME_DIR"); ok && dir != "" {
		return dir + "/llorch-poolmanager"
	}
	return ""
}

func readFile(path string) (file, *yaml.Node, error) {
	var f file
	info, err := os.Stat(path)
	if err != nil {
		return f, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfigBytes {
		return f, nil, fmt.Errorf("reading the configuration: %s is not a regular file of at most 1 MiB", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return f, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	// yaml's own errors name the line; a second document would be ignored silently.
	if err := decoder.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return f, nil, fmt.Errorf("%s: %w; see the keys in the documentation of poolmanagerd", path, err)
	}
	if err := decoder.Decode(&file{}); !errors.Is(err, io.EOF) {
		return f, nil, fmt.Errorf("%s: holds more than one YAML document; remove what follows ---", path)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil || len(document.Content) == 0 {
		return f, nil, err // it is empty
	}
	return f, document.Content[0], nil
}

// secrets reads the tokens. The orchestrator's is read again at each call when
// it is in a file, so that its rotation needs no restart.
func secrets(o *poolmanager.Options, lookup func(string) (string, bool)) error {
	var err error
	for _, s := range []struct {
		name string
		into *authmin.Secret
	}{
		{"LLORCH_API_TOKEN", &o.Token}, {"LLORCH_UPSTREAM_TOKEN", &o.UpstreamToken},
		{"POOL_MANAGERD_DISPATCH_TOKEN", &o.DispatchToken},
	} {
		if *s.into, err = authmin.SecretFromEnv(lookup, s.name); err != nil {
			return err
		}
	}
	name := "ORCHESTRATORD_TOKEN"
	now, err := authmin.SecretFromEnv(lookup, name)
	if err == nil && now.IsZero() {
		name = "LLORCH_API_TOKEN"
		now = o.Token
	}
	if err != nil || now.IsZero() {
		return err
	}
	o.OrchestratorToken = func() authmin.Secret {
		// A file that is being replaced keeps the token that was good.
		if fresh, err := authmin.SecretFromEnv(lookup, name); err == nil && !fresh.IsZero() {
			return fresh
		}
		return now
	}
	return nil
}

func (t template) make() (poolmanager.Template, error) {
	made, err := base(t.Base, t.URL)
	if err != nil {
		return made, err
	}
	made.Name = t.Name
	set(&made.Engine, t.Engine)
	set(&made.Dialect, adapter.Dialect(t.Dialect))
	set(&made.URL, t.URL)
	set(&made.Key, poolmanager.KeyStyle(t.Key))
	set(&made.Model, t.Model)
	set(&made.HealthPath, t.HealthPath)
	set(&made.Ctx, t.Ctx)
	set(&made.Swap, t.Swap)
	set(&made.TTL, t.TTL)
	set(&made.MemoryBytes, t.MemoryBytes)
	set(&made.Slots, t.Slots)
	set(&made.ReadyLimit, t.ReadyLimit)
	set(&made.StopGrace, t.StopGrace)
	if t.Command != nil {
		made.Command = t.Command
	}
	if t.Workloads != nil {
		made.Workloads = t.Workloads
	}
	if t.Env != nil {
		made.Env = t.Env
	}
	if t.Devices != nil {
		made.Devices = t.Devices
	}
	if t.PassEnv != nil {
		made.PassEnv = t.PassEnv
	}
	set(&made.Dir, t.Dir)
	set(&made.MaxOpenFiles, t.OpenFiles)
	set(&made.MaxAddressSpaceBytes, t.AddressSize)
	if t.TakesFile != nil {
		made.TakesFile = *t.TakesFile
	}
	if t.ListsModels != nil {
		made.ListsModels = *t.ListsModels
	}
	if err := milliseconds("first_token_limit_ms", t.FirstToken, &made.FirstTokenLimit); err != nil {
		return made, err
	}
	if err := milliseconds("between_tokens_limit_ms", t.TokenGap, &made.BetweenTokensLimit); err != nil {
		return made, err
	}
	if t.URLKeyFile != "" {
		if made.URLKey, err = authmin.SecretFromFile(t.URLKeyFile); err != nil {
			return made, fmt.Errorf("url_key_file: %w", err)
		}
	}
	return made, made.Validate()
}

// maxMilliseconds is a day; Validate has the same bound.
const maxMilliseconds = 86_400_000

// milliseconds reads a limit whose key has its unit. Zero would not mean what it
// says: there is always a limit.
func milliseconds(key string, value *int64, into *time.Duration) error {
	if value == nil {
		return nil
	}
	if *value < 1 || *value > maxMilliseconds {
		return fmt.Errorf("%s: want 1 to %d milliseconds", key, maxMilliseconds)
	}
	*into = time.Duration(*value) * time.Millisecond
	return nil
}

// set keeps the base's value where the file says nothing.
func set[T comparable](into *T, value T) {
	var zero T
	if value != zero {
		*into = value
	}
}

func base(name, url string) (poolmanager.Template, error) {
	switch name {
	case "":
		return poolmanager.Template{}, nil
	case "demo":
		return poolmanager.DemoTemplate(nil)
	case "llamacpp":
		return poolmanager.LlamaCPPTemplate(), nil
	case "llamacpp-embedding":
		return poolmanager.LlamaCPPEmbeddingTemplate(), nil
	case "llamacpp-rerank":
		return poolmanager.LlamaCPPRerankTemplate(), nil
	case "vllm":
		return poolmanager.VLLMTemplate(), nil
	case "ollama":
		return poolmanager.OllamaTemplate(), nil
	case "url":
		return poolmanager.URLTemplate(url), nil
	}
	return poolmanager.Template{}, fmt.Errorf("base: %q is not one of demo, llamacpp, llamacpp-embedding, llamacpp-rerank, vllm, ollama, url", name)
}
