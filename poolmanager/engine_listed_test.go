package poolmanager

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// listsOf are Ollama's lists, version 0.17.4, shortened.
var listsOf = map[string]string{
	tagsPath:    `{"models":[{"name":"a:1b","model":"a:1b","modified_at":"2026-05-06T07:08:09.5Z","size":7,"digest":"d1","details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"1B","quantization_level":"Q8_0"}},{"name":"b:latest","size":8},{"name":"\u0007"}]}`,
	runningPath: `{"models":[{"name":"a:1b","model":"a:1b","size":9,"digest":"d1","expires_at":"2026-05-06T07:13:09Z","size_vram":6,"context_length":4096}]}`,
}

func TestAnEngineOfOllamasProtocolListsItsModels(t *testing.T) {
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := listsOf[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(text))
	}))
	defer engine.Close()
	e, inst := prober{engine.Client(), time.Minute}, &instance{base: engine.URL}
	want := []nodeapi.ListedModel{
		{Name: "a:1b", SizeBytes: 7, Digest: "d1", ModifiedAt: time.Date(2026, 5, 6, 7, 8, 9, 5e8, time.UTC),
			Details: nodeapi.ListedDetails{Format: "gguf", Family: "llama", ParameterSize: "1B", QuantizationLevel: "Q8_0"},
			Running: &nodeapi.RunningDetail{SizeBytes: 9, VRAMBytes: 6, ExpiresAt: time.Date(2026, 5, 6, 7, 13, 9, 0, time.UTC), ContextLength: 4096}},
		{Name: "b:latest", SizeBytes: 8},
	}
	if diff := cmp.Diff(want, e.listed(t.Context(), inst)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	inst.base += "/none"
	if got := e.listed(t.Context(), inst); got != nil {
		t.Errorf("an engine without the lists: got %+v, want nil", got)
	}
}

// TestAPoolTellsOfItsModelsWhenOneIsAsked: the list of pools, which may be long, has none.
func TestAPoolTellsOfItsModelsWhenOneIsAsked(t *testing.T) {
	r := startRig(t, nil)
	r.ready(t, "p", "demo", "")
	s, err := r.client.Status(t.Context(), "p")
	if err != nil || len(s.Listed) != 1 || s.Listed[0].Name != "demo:latest" || s.Listed[0].Running == nil || s.Listed[0].Running.ContextLength != 131072 {
		text, _ := json.Marshal(s)
		t.Errorf("one: got %s, %v", text, err)
	}
	all, err := r.client.Pools(t.Context())
	if err != nil || len(all) == 0 || all[0].Listed != nil {
		t.Errorf("all: got %+v, %v, want no models", all, err)
	}
	if _, err := r.client.Stop(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	if s, err := r.client.Status(t.Context(), "p"); err != nil || s.Listed != nil {
		t.Errorf("stopped: got %+v, %v, want no models", s.Listed, err)
	}
}
