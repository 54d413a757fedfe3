package presets_test

import (
	"testing"

	"github.com/llorch/gateway/authmin"
)

// closed are routes of scope infer or metrics that a token with models may not use, each
// with the reason.
var closed = map[string]string{
	"/models":      "POST and DELETE of the same path add and remove models",
	"/v1/realtime": "the messages of a WebSocket name the model",
	"/invocations": "a header replaces the model of the body",
}

// TestPresetsSayWhereEachRouteNamesAModel: without that a token with models could not use
// a route that its scope opens.
func TestPresetsSayWhereEachRouteNamesAModel(t *testing.T) {
	all := ours(t)
	for _, name := range []string{"llamacpp", "ollama", "prometheus", "vllm"} {
		all[name] = recorded(t, name).Routes
	}
	for name, routes := range all {
		models := modelRoutesOf(t, site(t, name, "authmin-"+name, ""))
		checked := 0
		for _, r := range routes {
			if r.Class != "infer" && r.Class != "metrics" {
				continue
			}
			checked++
			in, free := models.Find(r.example())
			switch reason, open := closed[r.Path], len(in) > 0 || free; {
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
}

// modelRoutesOf are the routes of the one guard of a Caddyfile.
func modelRoutesOf(t *testing.T, text string) *authmin.ModelRoutes {
	t.Helper()
	found, err := adapt(t, text)
	if err != nil {
		t.Fatal(err)
	}
	g, err := found.guard()
	if err != nil {
		t.Fatal(err)
	}
	routes, err := g.ModelRoutes()
	if err != nil {
		t.Fatal(err)
	}
	return routes
}
