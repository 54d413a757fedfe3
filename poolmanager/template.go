package poolmanager

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/gpu"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// KeyStyle is how an engine is given the API key made for each start.
type KeyStyle string

// The ways. A key never travels in arguments or the environment.
const (
	KeyNone     KeyStyle = ""          // the engine cannot check one
	KeyFile     KeyStyle = "file"      // {key_file} holds the key alone
	KeyVLLMYAML KeyStyle = "vllm-yaml" // {key_file} is a vLLM --config file
)

// Template says how one kind of engine is run. It comes from the local
// configuration only: requests name it and cannot change it.
type Template struct {
	// Name is what requests say.
	Name string
	// Engine is what status and the orchestrator show: llamacpp, vllm, ollama, demo, …
	Engine string
	// Dialect is how tasks are given to it.
	Dialect adapter.Dialect
	// Command is the program and its arguments. Each may hold {port}, {model},
	// {model_path}, {ctx}, {slots}, {gpu_mask} and {key_file}; each stays one argument. No
	// shell is involved. Empty for a server that already runs.
	Command []string
	// Env is added to the few variables that are passed on. Values may hold the
	// same placeholders.
	Env map[string]string
	// PassEnv names more variables of ours to pass on, e.g. HF_TOKEN. Our own
	// credentials and settings are never passed on.
	PassEnv []string
	// Dir is the engine's working directory, an absolute path. Default: the
	// runtime directory.
	Dir string
	// MaxOpenFiles limits the engine's open files (RLIMIT_NOFILE). 0: as ours.
	MaxOpenFiles int
	// MaxAddressSpaceBytes limits what the engine may map (RLIMIT_AS): with its
	// model's file, but without what it mapped in its first moment. It suits
	// engines without a GPU; CUDA maps more than there is. 0: no limit.
	MaxAddressSpaceBytes int64
	// URL is a server that already runs: http on loopback, or https. What clients of
	// OpenAI call its base URL, with /v1 at the end, means the same.
	URL string
	// URLKey is that server's API key, if it wants one.
	URLKey authmin.Secret
	// URLKeySource, when it is set, is used in its place at each call: a key in a
	// file may change.
	URLKeySource *authmin.SecretSource
	// Key is how a started engine gets its API key.
	Key KeyStyle
	// TakesFile says that the model is file:NAME under the model root.
	TakesFile bool
	// ListsModels says that the engine knows its models itself and is asked for
	// them; otherwise it serves the one it was started with.
	ListsModels bool
	// Model is the reference used when a preload names none.
	Model string
	// HealthPath answers 200 when the engine is ready.
	HealthPath string
	// Workloads is what the engine takes as Command starts it: completion,
	// embedding, rerank. None means completion.
	Workloads []string
	// Protocols narrows the APIs of the engine that pass through. nil: all that an
	// engine of this kind has for its workloads.
	Protocols []nodeapi.Protocol
	// RemoteMedia says what the engine may fetch for a native call. "": none.
	RemoteMedia RemoteMedia
	// RefuseMembers is the members that a native call's request may not have, dotted,
	// or with a limit: "options.num_ctx <= 8192". nil: those of an engine of this kind
	// that change it, or what it does, for all users.
	RefuseMembers []string
	// StreamUsage says that the engine knows stream_options.include_usage.
	StreamUsage bool
	// Deterministic says that the engine gives the same tokens each time for the same
	// prompt, seed and options, however many tasks it runs: what a task of determinism
	// strict needs. Only its operator can know: batching and caches change rounding.
	Deterministic bool
	// RequestBytes bounds the request of a native call. 0: MaxRequestBytes.
	RequestBytes int64
	// AnswerBytes bounds an event of a native call, and an answer in one piece. 0:
	// adapter.DefaultMaxAnswer.
	AnswerBytes int
	// Swap lets the engine be ended while it is idle, when another needs its
	// memory; the next task starts it again.
	Swap bool
	// TTL ends the engine when it was idle for so long; it wants Swap. 0: never.
	TTL time.Duration
	// MemoryBytes is how much of the engines' memory this one takes, until that
	// was measured. 0: as much as its model's file.
	MemoryBytes int64
	// Devices are the GPUs that the engine may use, by index or by id; they reach
	// it as CUDA_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES. Empty: its own choice.
	Devices []string
	// Ctx is the context size in tokens given as {ctx}.
	Ctx int
	// Slots is how many tasks it runs at once.
	Slots int
	// ReadyLimit is how long it may take to become ready, whatever the model;
	// the time to read the model's file comes on top of it.
	ReadyLimit time.Duration
	// StopGrace is how long it may take to stop before it is killed.
	StopGrace time.Duration
	// FirstTokenLimit is how long a task may wait for its first token once the
	// engine has it: the prompt is read then. 0: DefaultFirstTokenLimit.
	FirstTokenLimit time.Duration
	// BetweenTokensLimit is how long an answer may stand still before its next
	// token, or its end. 0: DefaultBetweenTokensLimit.
	BetweenTokensLimit time.Duration
}

// The default progress limits of a template: a long prompt on a CPU takes minutes, while two tokens are seconds apart at most.
const (
	DefaultFirstTokenLimit    = 10 * time.Minute
	DefaultBetweenTokensLimit = 2 * time.Minute
	// maxProgressLimit is the longest deadline that a task may have.
	maxProgressLimit = 24 * time.Hour
)

// limits is what the template allows between signs of progress.
func (t Template) limits() adapter.Limits {
	return adapter.Limits{
		FirstToken:    cmp.Or(t.FirstTokenLimit, DefaultFirstTokenLimit),
		BetweenTokens: cmp.Or(t.BetweenTokensLimit, DefaultBetweenTokensLimit),
	}
}

const (
	maxSlots      = 4096 // far above what any engine runs at once
	maxReadyLimit = time.Hour
	maxStopGrace  = time.Minute
)

var (
	templateName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	// JSON in an argument has quotes between its braces.
	placeholder = regexp.MustCompile(`\{[A-Za-z0-9_. -]*\}`)
	known       = map[string]bool{"{port}": true, "{model}": true, "{model_path}": true, "{ctx}": true, "{slots}": true, "{key_file}": true, "{gpu_mask}": true}
)

// Validate reports the first error of the template, and how to correct it.
func (t Template) Validate() error {
	if err := t.validate(); err != nil {
		return fmt.Errorf("template %q: %w", t.Name, err)
	}
	return nil
}

func (t Template) validate() error {
	switch {
	case !templateName.MatchString(t.Name):
		return errors.New("name: want 1 to 64 of a-z 0-9 _ -")
	case t.Engine == "":
		return errors.New("engine: missing; name the kind of engine, e.g. llamacpp")
	case t.Dialect != adapter.LlamaCPP && t.Dialect != adapter.OpenAI:
		return errors.New("dialect: want llamacpp or openai")
	case (len(t.Command) == 0) == (t.URL == ""):
		return errors.New("want either command or url")
	case !strings.HasPrefix(t.HealthPath, "/"):
		return errors.New("health_path: want a path that begins with /")
	case t.Slots < 1 || t.Slots > maxSlots:
		return fmt.Errorf("slots: want 1 to %d", maxSlots)
	case t.ReadyLimit <= 0 || t.ReadyLimit > maxReadyLimit:
		return fmt.Errorf("ready_limit: want more than 0 and at most %v", maxReadyLimit)
	case t.StopGrace < 0 || t.StopGrace > maxStopGrace:
		return fmt.Errorf("stop_grace: want at most %v", maxStopGrace)
	case t.Key != KeyNone && t.Key != KeyFile && t.Key != KeyVLLMYAML:
		return errors.New("key: want file, vllm-yaml, or nothing")
	}
	for key, limit := range map[string]time.Duration{"first_token_limit_ms": t.FirstTokenLimit, "between_tokens_limit_ms": t.BetweenTokensLimit} {
		if limit < 0 || limit > maxProgressLimit {
			return fmt.Errorf("%s: want 1 to %d", key, maxProgressLimit.Milliseconds())
		}
	}
	if err := t.checkCapacity(); err != nil {
		return err
	}
	if err := t.checkCalls(); err != nil {
		return err
	}
	if err := gpu.CheckMask(t.Devices); err != nil {
		return fmt.Errorf("devices: %w", err)
	}
	if err := t.checkEnvironment(); err != nil {
		return err
	}
	if t.URL != "" {
		return checkEngineURL(t.URL)
	}
	return t.checkCommand()
}

func (t Template) checkCommand() error {
	if placeholder.MatchString(t.Command[0]) || t.Command[0] == "" {
		return fmt.Errorf("command: %q: the program itself cannot depend on a placeholder", t.Command[0])
	}
	texts := append([]string{}, t.Command...)
	for _, value := range t.Env {
		texts = append(texts, value)
	}
	for _, text := range texts {
		for _, found := range placeholder.FindAllString(text, -1) {
			if !known[found] {
				return fmt.Errorf("command: unknown placeholder %s", found)
			}
		}
	}
	all := strings.Join(texts, "\x00")
	switch {
	case !strings.Contains(all, "{port}"):
		return errors.New("command: {port} is missing; the engine's port is chosen at each start")
	case strings.Contains(all, "{gpu_mask}") && len(t.Devices) == 0:
		return errors.New("devices: missing, but {gpu_mask} is used")
	case t.Key != KeyNone && !strings.Contains(all, "{key_file}"):
		return errors.New("command: {key_file} is missing, but key is set")
	case t.TakesFile && !strings.Contains(all, "{model_path}"):
		return errors.New("command: {model_path} is missing, but the template takes a file")
	}
	return nil
}

func checkServerURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || strings.ContainsAny(text, "?#"):
		return errors.New("url: want http://127.0.0.1:PORT or https://HOST, without ? and #")
	case u.User != nil:
		return errors.New("url: holds a credential; use the key file instead")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && authmin.IsLoopbackHost(u.Hostname()):
		return nil
	}
	return errors.New("url: plain http only on loopback; want http://127.0.0.1:PORT or https://HOST")
}
