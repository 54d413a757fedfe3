package httpapi

import (
	"encoding/json"
	"net/http"
	"testing"
)

// TestAnUnknownModelHasTheCodeThatSDKsKnow on every route that names a model: programs
// compare error.code. The member code is ours on each.
func TestAnUnknownModelHasTheCodeThatSDKsKnow(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(frames, *http.Request, string) {})
	const body = `{"model":"nope","stream":true}`
	for _, c := range []struct{ method, path, body, code string }{
		{"POST", "/v1/chat/completions", body, "MODEL_NOT_AVAILABLE"},
		{"POST", "/v1/completions", body, "MODEL_NOT_AVAILABLE"},
		{"POST", "/v1/responses", body, "MODEL_NOT_AVAILABLE"},
		{"POST", "/v1/embeddings", body, "MODEL_NOT_AVAILABLE"},
		{"POST", "/v1/rerank", body, "MODEL_NOT_AVAILABLE"},
		{"POST", "/v2/tasks", `{"model_ref":"nope","prompt":"x"}`, "MODEL_NOT_AVAILABLE"},
		{"GET", "/v1/models/nope", "", "MODEL_NOT_FOUND"},
	} {
		var got struct {
			Code  string
			Error struct{ Code string }
		}
		if err := json.Unmarshal([]byte(s.want(404, c.method, c.path, c.body)), &got); err != nil {
			t.Fatal(err)
		}
		if got.Code != c.code || got.Error.Code != "model_not_found" {
			t.Errorf("%s: got code %s and error.code %s, want %s and model_not_found", c.path, got.Code, got.Error.Code, c.code)
		}
	}
}
