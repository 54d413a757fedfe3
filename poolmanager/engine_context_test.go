package poolmanager

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestContextsAreWhatEnginesTell asks stand-ins that answer as each engine does.
func TestContextsAreWhatEnginesTell(t *testing.T) {
	for name, c := range map[string]struct {
		engine, path, answer string
		models               []string
		want                 int64 // of the first model
		asked                int32
	}{
		"llama-server": {"llamacpp", "GET /props", `{"default_generation_settings":{"id":0,"n_ctx":4096},"total_slots":1}`, []string{"file:a.gguf"}, 4096, 1},
		"vLLM":         {"vllm", "GET /v1/models", `{"data":[{"id":"org/a","max_model_len":32768},{"id":"lora"}]}`, []string{"org/a", "lora"}, 32768, 1},
		"its own name": {"sglang", "GET /v1/models", `{"data":[{"id":"x","max_model_len":131072}]}`, []string{"a"}, 131072, 1},
		"Ollama":       {"ollama", "POST /api/show", `{"model_info":{"general.architecture":"llama","llama.context_length":8192}}`, []string{"a:latest", "b:latest"}, 8192, 2},
		"nothing":      {"vllm", "GET /v1/models", `{"data":[{"id":"a"}]}`, []string{"a"}, 0, 1},
		"no JSON":      {"llamacpp", "GET /props", `oops`, []string{"a"}, 0, 1},
		"many":         {"ollama", "POST /api/show", `{"model_info":{}}`, strings.Split("a,b,c,d,e,f,g,h,i,j", ","), 0, 8},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if got := r.Method + " " + r.URL.Path; got != c.path {
					t.Errorf("asked %s, want %s", got, c.path)
				}
				io.WriteString(w, c.answer)
			}))
			defer server.Close()
			inst := &instance{template: Template{Engine: c.engine}, base: server.URL}
			e := prober{server.Client(), 10 * time.Second}
			if got := e.contexts(t.Context(), inst, c.models)[c.models[0]]; got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
			if n := asked.Load(); n != c.asked {
				t.Errorf("asked %d times, want %d", n, c.asked)
			}
			if name == "many" {
				return // the others come with the next probe
			}
			if e.contexts(t.Context(), inst, c.models); asked.Load() != c.asked {
				t.Error("asked again")
			}
		})
	}
}

func TestAPoolReportsItsContext(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	p, err := r.pools.find("p")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.report().Contexts()["demo"]; got <= 0 {
		t.Errorf("the context is %d in %+v", got, p.report())
	}
}
