package presets_test

import (
	"fmt"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// closed are routes of scope infer or metrics, by preset, that a token with models may not
// use, each with the reason.
var closed = map[string]string{
	"vllm /v1/realtime":   "the messages of a WebSocket name the model",
	"vllm /invocations":   "a header replaces the model of the body",
	"sglang /v1/realtime": "the messages of a WebSocket name the model",
	"sglang /generate":    "the request names no model",
	"sglang /encode":      "the request names no model",
	"sglang /classify":    "the request names no model",
}

// TestPresetsSayWhereEachRouteNamesAModel: without that a token with models could not use
// a route that its scope opens.
func TestPresetsSayWhereEachRouteNamesAModel(t *testing.T) {
	all := ours(t)
	for _, name := range []string{"llamacpp", "ollama", "prometheus", "sglang", "vllm"} {
		all[name] = recorded(t, name).Routes
	}
	met := map[string]bool{}
	for name, routes := range all {
		models := modelRoutesOf(t, site(t, name, "authmin-"+name, ""))
		checked := 0
		for _, r := range routes {
			if r.Class != "infer" && r.Class != "metrics" {
				continue
			}
			checked++
			in, free := models.Find(r.Method, r.example())
			key := name + " " + r.Path
			met[key] = true
			switch reason, open := closed[key], len(in) > 0 || free; {
			case reason == "" && !open:
				t.Errorf("%s: %s %s is in neither model_in nor model_free", name, r.Method, r.Path)
			case reason != "" && open:
				t.Errorf("%s: %s %s is open to tokens with models: %s", name, r.Method, r.Path, reason)
			}
		}
		if checked == 0 {
			t.Errorf("%s: no route of scope infer or metrics was checked", name)
		}
	}
	for key := range closed {
		if !met[key] {
			t.Errorf("%s is no recorded route of scope infer or metrics", key)
		}
	}
}

// guardOf is the one guard of a Caddyfile.
func guardOf(t *testing.T, text string) *caddymodule.Guard {
	t.Helper()
	found, err := adapt(t, text)
	if err != nil {
		t.Fatal(err)
	}
	g, err := found.guard()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// modelLinesOf are model_in and model_free of the one guard of a Caddyfile, one line for
// each path.
func modelLinesOf(t *testing.T, text string) (all []line) {
	t.Helper()
	g := guardOf(t, text)
	for _, in := range g.ModelIn {
		for _, path := range in.Paths {
			all = append(all, line(fmt.Sprintf("model_in %s:%s %v %s", in.In, in.Member, in.Methods, path)))
		}
	}
	for _, free := range g.ModelFree {
		for _, path := range free.Paths {
			all = append(all, line(fmt.Sprintf("model_free %v %s", free.Methods, path)))
		}
	}
	return all
}

// modelRoutesOf are the routes of the one guard of a Caddyfile.
func modelRoutesOf(t *testing.T, text string) *authmin.ModelRoutes {
	t.Helper()
	routes, err := guardOf(t, text).ModelRoutes()
	if err != nil {
		t.Fatal(err)
	}
	return routes
}
