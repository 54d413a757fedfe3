package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// maxProgressLimit is a day; Validate has the same bound.
const maxProgressLimit = 24 * time.Hour

// template is a shipped template (base) with changes, or one of its own.
type template struct {
	poolmanager.Template
	urlKeyFile string
}

// settings declares the keys of a template. base comes first: the others change it.
func (t *template) settings() backend.Settings {
	override := backend.Override
	return backend.Settings{
		{Key: "base", Value: base{&t.Template}, Doc: "the shipped template that this one changes"},
		{Key: "name", Value: backend.Text(&t.Name, nil), Doc: "what preload calls it"},
		{Key: "engine", Value: override(backend.Text(&t.Engine, nil)), Doc: "what status shows"},
		{Key: "dialect", Value: override(backend.Text(&t.Dialect, nil)), Doc: "how tasks are given to it: llamacpp or openai"},
		{Key: "command", Value: backend.Texts(&t.Command, nil), Doc: "the program and its arguments; no shell sees them"},
		{Key: "env", Value: backend.TextMap(&t.Env), Doc: "variables to set"},
		{Key: "pass_env", Value: backend.Texts(&t.PassEnv, nil), Doc: "names of ours to pass on, e.g. HF_TOKEN"},
		{Key: "dir", Value: override(backend.Text(&t.Dir, nil)), Doc: "the working directory, absolute"},
		{Key: "max_open_files", Value: override(backend.AnyNumber(&t.MaxOpenFiles)), Doc: "RLIMIT_NOFILE of the engine"},
		{Key: "max_address_space_bytes", Unit: "bytes", Value: override(backend.AnyNumber(&t.MaxAddressSpaceBytes)), Doc: "RLIMIT_AS; for engines without a GPU"},
		{Key: "url", Value: override(backend.Text(&t.URL, nil)), Doc: "a server that already runs, with or without /v1"},
		{Key: "url_key_file", Value: backend.Text(&t.urlKeyFile, nil), Doc: "the file of that server's key"},
		{Key: "key", Value: override(backend.Text(&t.Key, nil)), Doc: "file or vllm-yaml: how {key_file} gives the engine its key"},
		{Key: "takes_file", Value: backend.Switch(&t.TakesFile), Doc: "a model is a file"},
		{Key: "lists_models", Value: backend.Switch(&t.ListsModels), Doc: "the engine knows its models itself"},
		{Key: "model", Value: override(backend.Text(&t.Model, nil)), Doc: "the reference when a preload names none"},
		{Key: "health_path", Value: override(backend.Text(&t.HealthPath, nil)), Doc: "what answers 200 when the engine is ready"},
		{Key: "workloads", Value: backend.Texts(&t.Workloads, nil), Doc: "completion, embedding, rerank"},
		{Key: "protocols", Value: protocols{&t.Protocols}, Doc: "which of the engine's own APIs pass through", DefaultDoc: "all that it has for its workloads"},
		{Key: "remote_media", Value: override(backend.Text(&t.RemoteMedia, nil)), Doc: "none or any: what a native call may have the engine fetch", DefaultDoc: "none"},
		{Key: "refuse_members", Value: backend.Texts(&t.RefuseMembers, nil), Doc: "members that a native call may not have, or with a limit: options.num_ctx <= 8192", DefaultDoc: "the engine's list"},
		{Key: "stream_usage", Value: backend.Switch(&t.StreamUsage), Doc: "the engine knows stream_options.include_usage"},
		{Key: "deterministic", Value: backend.Switch(&t.Deterministic), Doc: "the same prompt, seed and options always give the same tokens"},
		{Key: "request_bytes", Unit: "bytes", Value: override(backend.AnyNumber(&t.RequestBytes)), Doc: "limit of a native call's request", DefaultDoc: "33554432, which is the most"},
		{Key: "answer_bytes", Unit: "bytes", Value: override(backend.AnyNumber(&t.AnswerBytes)), Doc: "limit of an event of a native call, or of its answer in one piece", DefaultDoc: "16777216, which is the most"},
		{Key: "devices", Value: backend.Texts(&t.Devices, nil), Doc: "its GPUs: indexes as nvidia-smi counts, or GPU-… and MIG-… ids"},
		{Key: "swap", Value: override(backend.Switch(&t.Swap)), Doc: "may be ended when idle"},
		{Key: "ttl", Value: override(backend.Duration(&t.TTL)), Doc: "is ended after being idle so long"},
		{Key: "memory_bytes", Unit: "bytes", Value: override(backend.AnyNumber(&t.MemoryBytes)), Doc: "what it takes, until that was measured"},
		{Key: "ctx", Unit: "tokens", Value: override(backend.AnyNumber(&t.Ctx)), Doc: "its context"},
		{Key: "slots", Unit: "tasks", Value: override(backend.AnyNumber(&t.Slots)), Doc: "how many tasks it runs at once"},
		{Key: "ready_limit", Value: override(backend.Duration(&t.ReadyLimit)), Doc: "how long a start may take"},
		{Key: "stop_grace", Value: override(backend.Duration(&t.StopGrace)), Doc: "how long a stop may take"},
		{Key: "first_token_limit_ms", Unit: "ms", Value: backend.Milliseconds(&t.FirstTokenLimit, time.Millisecond, maxProgressLimit),
			Doc: "how long a task may wait for its first token", DefaultDoc: "600000"},
		{Key: "between_tokens_limit_ms", Unit: "ms", Value: backend.Milliseconds(&t.BetweenTokensLimit, time.Millisecond, maxProgressLimit),
			Doc: "and then for each further one", DefaultDoc: "120000"},
	}
}

// protocols is the value of the key protocols. An empty list means no protocol, not all.
type protocols struct{ to *[]nodeapi.Protocol }

func (p protocols) Decode(node *yaml.Node) error {
	names := []nodeapi.Protocol{}
	if err := node.Decode(&names); err != nil {
		return err
	}
	*p.to = append([]nodeapi.Protocol{}, names...)
	return nil
}

// Set is for variables, which templates have none of.
func (p protocols) Set(string) error { return errors.New("can be set in a file only") }
func (p protocols) Check() error     { return nil }
func (p protocols) Want() string     { return "" }
func (p protocols) Get() any         { return *p.to }

// base is the value of the key base: it puts a shipped template in place.
type base struct{ to *poolmanager.Template }

func (b base) Decode(node *yaml.Node) error {
	var name string
	if err := node.Decode(&name); err != nil {
		return err
	}
	return b.Set(name)
}

// Set takes everything of a shipped template but its name.
func (b base) Set(name string) (err error) {
	switch name {
	case "":
	case "demo":
		*b.to, err = poolmanager.DemoTemplate(nil)
	case "llamacpp":
		*b.to = poolmanager.LlamaCPPTemplate()
	case "llamacpp-embedding":
		*b.to = poolmanager.LlamaCPPEmbeddingTemplate()
	case "llamacpp-rerank":
		*b.to = poolmanager.LlamaCPPRerankTemplate()
	case "vllm":
		*b.to = poolmanager.VLLMTemplate()
	case "ollama":
		*b.to = poolmanager.OllamaTemplate()
	case "url":
		*b.to = poolmanager.URLTemplate("")
	default:
		return fmt.Errorf("%q is not one of %s", name, b.Want())
	}
	b.to.Name = ""
	return err
}

func (b base) Check() error { return nil }
func (b base) Want() string {
	return "demo, llamacpp, llamacpp-embedding, llamacpp-rerank, vllm, ollama, url"
}
func (b base) Get() any { return *b.to }

func checkTemplate(t template, before []template) error {
	if err := t.Validate(); err != nil {
		return ofKey(err)
	}
	if slices.ContainsFunc(before, func(other template) bool { return other.Name == t.Name }) {
		return backend.KeyErrorf("name", "there is a template %q above", t.Name)
	}
	return nil
}

var (
	// validation is the text of an error of Validate: which template, and then the key
	// that it is about.
	validation       = regexp.MustCompile(`^(template "[^"]*"): ([a-z_]+): (.*)$`)
	namedPlaceholder = regexp.MustCompile(`\{[A-Za-z0-9_. -]*\}`)
)

// ofKey says of an error of Validate which key it is about.
func ofKey(err error) error {
	match := validation.FindStringSubmatch(err.Error())
	if match == nil {
		return err
	}
	bad := &backend.KeyError{Key: match[2], Near: namedPlaceholder.FindString(match[3]), Err: errors.New(match[3])}
	return fmt.Errorf("%s: %w", match[1], bad)
}
