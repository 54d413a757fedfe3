package poolmanager

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/llorch/gateway/poolmanager/adapter"
)

const (
	// propsPath is where llama-server tells the context of one slot, in tokens.
	propsPath = "/props"
	// showPath is where Ollama tells of a model.
	showPath = "/api/show"
	// maxShown bounds the models that Ollama is asked about with one probe.
	maxShown = 8
)

// contexts asks an engine how many tokens the context of its models has: each once. What
// it does not tell is 0; the engine stays ready.
func (e prober) contexts(ctx context.Context, inst *instance, models []string) map[string]int64 {
	if inst.contexts == nil {
		inst.contexts = map[string]int64{}
	}
	var fresh []string
	for _, name := range models {
		if _, known := inst.contexts[name]; !known && len(fresh) < maxShown {
			fresh = append(fresh, name)
		}
	}
	if len(fresh) == 0 {
		return inst.contexts
	}
	switch inst.template.Engine {
	case "ollama":
		for _, name := range fresh {
			inst.contexts[name] = e.shownContext(ctx, inst, name)
		}
	case "llamacpp":
		n := e.slotContext(ctx, inst)
		for _, name := range fresh {
			inst.contexts[name] = n
		}
	default:
		told := e.listedContexts(ctx, inst)
		for _, name := range fresh {
			if inst.contexts[name] = told[name]; len(models) == 1 && len(told) == 1 { // it may have a name of its own
				for _, n := range told {
					inst.contexts[name] = n
				}
			}
		}
	}
	return inst.contexts
}

// slotContext is llama-server's word (tools/server: /props, default_generation_settings).
func (e prober) slotContext(ctx context.Context, inst *instance) int64 {
	var props struct {
		Settings struct {
			Context int64 `json:"n_ctx"`
		} `json:"default_generation_settings"`
	}
	if e.read(ctx, inst, http.MethodGet, propsPath, nil, &props) != nil {
		return 0
	}
	return props.Settings.Context
}

// listedContexts is the word of vLLM and SGLang (ModelCard.max_model_len), by model.
func (e prober) listedContexts(ctx context.Context, inst *instance) map[string]int64 {
	var list struct {
		Data []struct {
			ID     string `json:"id"`
			MaxLen int64  `json:"max_model_len"`
		} `json:"data"`
	}
	if e.read(ctx, inst, http.MethodGet, modelsPath, nil, &list) != nil {
		return nil
	}
	told := make(map[string]int64, len(list.Data))
	for _, m := range list.Data {
		told[m.ID] = m.MaxLen
	}
	return told
}

// shownContext is Ollama's word: what the model was made for, under a name that begins
// with its architecture.
func (e prober) shownContext(ctx context.Context, inst *instance, name string) int64 {
	body, err := json.Marshal(map[string]string{"model": name})
	if err != nil {
		return 0
	}
	var shown struct {
		Info map[string]json.RawMessage `json:"model_info"`
	}
	if e.read(ctx, inst, http.MethodPost, showPath, body, &shown) != nil {
		return 0
	}
	for member, value := range shown.Info {
		var n int64
		if strings.HasSuffix(member, ".context_length") && json.Unmarshal(value, &n) == nil {
			return n
		}
	}
	return 0
}

// read asks an engine for JSON.
func (e prober) read(ctx context.Context, inst *instance, method, path string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, inst.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking the engine: %w", err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	adapter.Authorize(request, inst.secret())
	response, err := e.http.Do(request)
	if err != nil {
		return fmt.Errorf("asking the engine: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return answered(inst, response)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxModelListBytes)).Decode(into); err != nil {
		return fmt.Errorf("reading the engine's answer at %s: %w", path, err)
	}
	return nil
}
