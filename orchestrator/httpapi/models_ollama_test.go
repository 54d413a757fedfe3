package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// lists registers a node whose pools, of Ollama's protocol, tell this of their models.
func (s *served) lists(node string, told string, pools ...nodeapi.Pool) {
	s.t.Helper()
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if told == "" || !strings.HasSuffix(r.URL.Path, "/status") {
			w.WriteHeader(404)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"pool_id":"p","listed":` + told + `}`)) // else the test finds no list
	}))
	s.t.Cleanup(manager.Close)
	for i := range pools {
		pools[i].Workloads = nodeapi.WithContexts(nodeapi.WithProtocols([]string{nodeapi.WorkloadCompletion}, []nodeapi.Protocol{nodeapi.Ollama}), []int64{2048})
		pools[i].SlotsFree, pools[i].SlotsTotal = 1, 1
	}
	_, err := s.o.RegisterNode(s.t.Context(), orchestrator.Who{Identity: node}, nodeapi.RegisterRequest{
		NodeID: node, Address: manager.URL, DispatchToken: "node-token-of-at-least-32-characters", Pools: pools,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// fromOllama is what Ollama 0.17.4 says of two models, one of them loaded.
const fromOllama = `[
	{"name":"big:8b","size_bytes":4920753328,"digest":"46e0c10c039e019119339687c3c1757cc81b9da49709a3b3924863ba87ca666e","modified_at":"2026-05-06T07:08:09Z","details":{"format":"gguf","family":"llama","parameter_size":"8.0B","quantization_level":"Q4_K_M"},
	 "running":{"size_bytes":6654289920,"vram_bytes":6000000000,"expires_at":"2026-05-06T07:13:09Z","context_length":4096}},
	{"name":"tiny:latest","size_bytes":1234,"digest":"../x","modified_at":"2026-05-06T07:08:09+02:00"}]`

func TestOllamasListsSayWhatItsEngineTells(t *testing.T) {
	s := serve(t, Options{})
	s.lists("n", fromOllama, nodeapi.Pool{PoolID: "p", Engine: "ollama", Ready: true, Models: []string{"big:8b", "tiny:latest", "gone:1b"}})
	const big = `"digest":"46e0c10c039e019119339687c3c1757cc81b9da49709a3b3924863ba87ca666e","details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"8.0B","quantization_level":"Q4_K_M"}`
	zeros := strings.Repeat("0", 64)
	empty := `"details":{"parent_model":"","format":"","family":"","families":[],"parameter_size":"","quantization_level":""}`
	for path, want := range map[string]string{
		"/api/tags": `{"models":[{"name":"big:8b","model":"big:8b","modified_at":"2026-05-06T07:08:09Z","size":4920753328,` + big + `},` +
			`{"name":"gone:1b","model":"gone:1b","modified_at":"0001-01-01T00:00:00Z","size":0,"digest":"` + zeros + `",` + empty + `},` +
			`{"name":"tiny:latest","model":"tiny:latest","modified_at":"2026-05-06T05:08:09Z","size":1234,"digest":"` + zeros + `",` + empty + `}]}`,
		"/api/ps": `{"models":[{"name":"big:8b","model":"big:8b","size":6654289920,` + big + `,"expires_at":"2026-05-06T07:13:09Z","size_vram":6000000000,"context_length":4096}]}`,
	} {
		if got := strings.TrimSpace(s.want(200, "GET", path, "")); got != want {
			t.Errorf("%s: got %s\nwant %s", path, got, want)
		}
	}
}

// TestOnlyLoadedModelsRun has nodes that tell nothing: what they reported decides.
func TestOnlyLoadedModelsRun(t *testing.T) {
	for name, c := range map[string]struct {
		pool nodeapi.Pool
		runs bool
	}{
		"one model, ready":       {nodeapi.Pool{PoolID: "p", Engine: "demo", Ready: true, Models: []string{"m"}}, true},
		"to be loaded":           {nodeapi.Pool{PoolID: "p", Engine: "demo", Ready: true, Loadable: true, Models: []string{"m"}}, false},
		"draining":               {nodeapi.Pool{PoolID: "p", Engine: "demo", Ready: true, Draining: true, Models: []string{"m"}}, false},
		"not ready":              {nodeapi.Pool{PoolID: "p", Engine: "demo", State: "starting", Models: []string{"m"}}, false},
		"several":                {nodeapi.Pool{PoolID: "p", Engine: "demo", Ready: true, Models: []string{"m", "n"}}, false},
		"Ollama, which may have": {nodeapi.Pool{PoolID: "p", Engine: "ollama", Ready: true, Models: []string{"m"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{})
			s.lists("n", "", c.pool)
			if got := s.want(200, "GET", "/api/tags", ""); !strings.Contains(got, `"name":"m:latest"`) {
				t.Errorf("tags: got %s", got)
			}
			var list ollamaRunningModels
			if err := json.Unmarshal([]byte(s.want(200, "GET", "/api/ps", "")), &list); err != nil {
				t.Fatal(err)
			}
			if !c.runs {
				if len(list.Models) != 0 {
					t.Errorf("got %+v, want none", list.Models)
				}
				return
			}
			if len(list.Models) != 1 || list.Models[0].ExpiresAt != never || list.Models[0].Context != 2048 || len(list.Models[0].Digest) != 64 {
				t.Errorf("got %+v", list.Models)
			}
		})
	}
}

// TestAModelsDigestIsTheCatalogs: what the catalog has was checked.
func TestAModelsDigestIsTheCatalogs(t *testing.T) {
	s := serve(t, Options{})
	s.lists("n", strings.ReplaceAll(fromOllama, "big:8b", "m:latest"), nodeapi.Pool{PoolID: "p", Engine: "demo", Ready: true, Models: []string{"catalog:m"}})
	digest := strings.Repeat("ab", 32)
	s.want(201, "POST", "/v2/catalog/models", `{"id":"m","aliases":["other"],"digest":"sha256:`+digest+`","source_url":"file:x"}`)
	if got := s.want(200, "GET", "/api/tags", ""); strings.Count(got, `"digest":"`+digest+`"`) != 2 {
		t.Errorf("got %s, want the digest of the catalog for both names", got)
	}
}
