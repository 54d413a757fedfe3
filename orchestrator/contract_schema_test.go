package orchestrator_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/google/uuid"

	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/httpapi"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// contract checks requests and answers against the document that is served.
type contract struct {
	*service
	document *openapi3.T
	paths    *http.ServeMux
	seen     map[string]bool // which operations have answered 2xx
}

func newContract(s *service) *contract {
	s.t.Helper()
	openapi3filter.RegisterBodyDecoder("text/event-stream", decodeStream)
	openapi3filter.RegisterBodyDecoder("application/problem+json", openapi3filter.JSONBodyDecoder)
	text, err := json.Marshal(s.want(200, "root", "admin", "GET", "/openapi.json", nil))
	if err != nil {
		s.t.Fatal(err)
	}
	c := &contract{service: s, paths: http.NewServeMux(), seen: map[string]bool{}}
	if c.document, err = openapi3.NewLoader().LoadFromData(text); err != nil {
		s.t.Fatal(err)
	}
	if err := c.document.Validate(s.t.Context()); err != nil {
		s.t.Fatalf("the document is not OpenAPI: %v", err)
	}
	for path, item := range c.document.Paths.Map() {
		for method := range item.Operations() {
			c.paths.HandleFunc(method+" "+path, func(http.ResponseWriter, *http.Request) {})
		}
	}
	return c
}

// decodeStream gives an event stream as the list that the schema describes.
func decodeStream(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	events := []any{}
	for block := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n\n"), "\n\n") {
		event := map[string]any{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			var decoded any = value
			if name != "event" && json.Unmarshal([]byte(value), &decoded) != nil {
				decoded = value // [DONE]
			}
			event[name] = decoded
		}
		events = append(events, event)
	}
	return events, nil
}

// do sends a request and checks both ways. A valid one is checked before it
// leaves; one that should be refused is not.
func (c *contract) do(want int, r *http.Request) map[string]any {
	c.t.Helper()
	_, pattern := c.paths.Handler(r)
	method, path, _ := strings.Cut(pattern, " ")
	if pattern == "" {
		c.t.Fatalf("%s %s is not in the document", r.Method, r.URL.Path)
	}
	item := c.document.Paths.Value(path)
	match := r.Clone(r.Context())
	c.paths.ServeHTTP(nil, match)
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: map[string]string{"id": match.PathValue("id")},
		Route:   &routers.Route{Spec: c.document, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true, SkipSettingDefaults: true},
	}
	if want < 300 {
		if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
			c.t.Errorf("%s %s: the request: %v", method, r.URL, err)
		}
		c.seen[pattern] = true
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		c.t.Fatalf("%s %s: got %d %s, %v, want %d", method, r.URL, res.StatusCode, text, err, want)
	}
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: res.StatusCode, Header: res.Header, Options: input.Options,
		Body: io.NopCloser(bytes.NewReader(text)),
	}
	if err := openapi3filter.ValidateResponse(r.Context(), answer); err != nil {
		c.t.Errorf("%s %s: the answer: %v", method, r.URL, err)
	}
	var decoded map[string]any
	_ = json.Unmarshal(text, &decoded) // a stream or nothing decodes to nothing
	return decoded
}

func (c *contract) as(scopes string, want int, method, path string, body any) map[string]any {
	c.t.Helper()
	return c.do(want, c.request("ci", scopes, method, path, body))
}

// TestAnswersAreWhatTheDocumentSays runs every operation of the document at
// least once with success, and the common refusals.
func TestAnswersAreWhatTheDocumentSays(t *testing.T) {
	s := start(t, app.Options{Settings: orchestrator.Settings{ModelRoot: t.TempDir()}})
	c := newContract(s)
	p, _ := commanded(t, 202, `{"pool_id":"p","state":"ready"}`)
	c.as("nodes", 200, "POST", "/v2/nodes/register", p.registration("n1", 4))
	session := uuid.NewString()
	id := c.as("infer", 202, "POST", "/v2/tasks", task(`,"session_id":"`+session+`"`))["task_id"].(string)
	c.as("infer", 200, "GET", "/v2/tasks/"+id+"/events?verbose=true", nil)
	c.as("infer", 200, "GET", "/v2/tasks/"+id, nil)
	c.as("infer", 200, "GET", "/v2/tasks?limit=1", nil)
	c.as("infer", 204, "POST", "/v2/tasks/"+id+"/cancel", nil)
	c.as("infer", 404, "GET", "/v2/tasks/none", nil)
	c.as("infer", 422, "POST", "/v2/tasks", `{"prompt":"x"}`)
	c.as("infer", 400, "POST", "/v2/tasks", `{`)
	c.as("nodes", 403, "GET", "/v2/tasks", nil)
	resumed := c.request("ci", "infer", "GET", "/v2/tasks/"+id+"/events", nil)
	resumed.Header.Set("Last-Event-ID", "3")
	c.do(204, resumed)
	c.as("infer", 200, "GET", "/v2/sessions/"+session, nil)
	c.as("infer", 204, "DELETE", "/v2/sessions/"+session, nil)
	kept := c.as("infer", 201, "POST", "/v2/artifacts", `{"kind":"plan","content":{"a":[1,null]},"tags":["x"],"metadata":{"k":"v"}}`)
	c.as("infer", 200, "GET", "/v2/artifacts/"+kept["id"].(string), nil)
	for _, stream := range []string{"false", "true"} {
		c.as("infer", 200, "POST", "/v1/chat/completions", `{"model":"demo","stream":`+stream+`,"messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}}`)
		c.as("infer", 200, "POST", "/v1/completions", `{"model":"demo","stream":`+stream+`,"prompt":"hi"}`)
	}
	for _, protocol := range nodeapi.Protocols() {
		for _, op := range nodeapi.Operations(protocol) {
			if op.Method == http.MethodPost && !op.HasObject() {
				c.as("infer", 200, "POST", op.Path, `{"model":"demo","stream":false,"prompt":"hi"}`)
			}
		}
	}
	for _, op := range nodeapi.Operations(nodeapi.Responses) {
		if op.HasObject() {
			c.as("infer", 200, op.Method, strings.Replace(op.Path, "{id}", "resp_1", 1), "")
		}
	}
	c.embeddings()
	c.as("infer", 400, "POST", "/v1/embeddings", `{"input":[1,2]}`)
	c.as("infer", 204, "DELETE", "/v2/tasks/"+c.submit(""), "")
	c.as("infer", 404, "POST", "/v1/completions", `{"model":"nope","prompt":"hi"}`)
	for _, path := range []string{"/v1/models", "/v1/models/demo", "/api/tags", "/api/ps", "/api/version", "/v1/capabilities", "/v2/meta/capabilities", "/v2/meta/version"} {
		c.as("infer", 200, "GET", path, nil)
	}
	c.as("metrics", 200, "GET", "/v2/meta/replica", nil)
	c.as("", 200, "GET", "/health", nil)
	c.as("", 200, "GET", "/ready", nil)
	c.operations(p)
	for _, r := range httpapi.Routes() {
		if c.document.Paths.Value(r.Path) == nil {
			if !strings.HasSuffix(r.Path, "/metrics") && !strings.HasSuffix(r.Path, "/openapi.json") {
				t.Errorf("%s is not in the document", r.Path)
			}
			continue
		}
		if !c.seen[r.Method+" "+r.Path] {
			t.Errorf("%s %s was not tried", r.Method, r.Path)
		}
	}
}

// embeddings are the calls with inputs, and their events.
func (c *contract) embeddings() {
	c.t.Helper()
	p := embedder(c.t)
	c.as("nodes", 200, "POST", "/v2/nodes/register", p.registration("n2", 4))
	for _, format := range []string{"float", "base64"} {
		c.as("infer", 200, "POST", "/v1/embeddings", `{"model":"demo","input":["a","b"],"encoding_format":"`+format+`"}`)
	}
	c.as("infer", 200, "POST", "/v1/embeddings", `{"model":"demo","input":"a"}`)
	c.as("nodes", 403, "POST", "/v1/embeddings", `{"model":"demo","input":"a"}`)
	for workload, extra := range map[string]string{"embedding": "", "rerank": `,"prompt":"q"`} {
		id := c.as("infer", 202, "POST", "/v2/tasks", inputs(workload, extra))["task_id"].(string)
		c.as("infer", 200, "GET", "/v2/tasks/"+id+"/events", nil)
		c.as("infer", 200, "GET", "/v2/tasks/"+id, nil)
	}
	c.as("nodes", 204, "DELETE", "/v2/nodes/n2", nil)
}

// operations are the calls of operators and nodes.
func (c *contract) operations(p *pool) {
	c.as("catalog", 201, "POST", "/v2/catalog/models", map[string]any{"id": "m", "digest": digest("x"), "source_url": "file:x", "tags": []string{"a"}})
	c.as("catalog", 409, "POST", "/v2/catalog/models", map[string]any{"id": "m", "digest": digest("x"), "source_url": "file:x"})
	for _, path := range []string{"/v2/catalog/models", "/v2/catalog/models/m", "/v2/catalog/availability"} {
		c.as("catalog", 200, "GET", path, nil)
	}
	c.as("catalog", 202, "POST", "/v2/catalog/models/m/verify", nil)
	c.as("catalog", 202, "POST", "/v2/catalog/models/m/state", `{"state":"Retired","deadline_ms":1}`)
	c.as("catalog", 200, "GET", "/v2/catalog/models/m", nil)
	c.as("catalog", 204, "DELETE", "/v2/catalog/models/m", nil)
	c.as("nodes", 200, "POST", "/v2/workers/register", `{"pool_id":"p","replica_id":"r"}`)
	for _, pools := range []string{"/v2/pools/p", "/control/pools/p", "/v2/pools/n1%2Fp", "/control/pools/n1%2Fp"} {
		c.as("admin", 200, "GET", pools+"/health", nil)
		c.as("admin", 202, "POST", pools+"/drain", `{"deadline_ms":1}`)
		c.as("admin", 202, "POST", pools+"/reload", `{"new_model_ref":"demo"}`)
	}
	c.as("admin", 202, "POST", "/v2/pools/p/purge", nil)
	c.as("admin", 404, "POST", "/v2/pools/q/purge", nil)
	c.as("admin", 200, "GET", "/v2/nodes", nil)
	c.as("nodes", 200, "POST", "/v2/nodes/n1/heartbeat", beat(p, time.Now()))
	c.as("nodes", 204, "DELETE", "/v2/nodes/n1", nil)
}

// TestTheSchemaCheckCanFail shows it a stream that is not what it should be.
func TestTheSchemaCheckCanFail(t *testing.T) {
	s := start(t, app.Options{})
	c := newContract(s)
	schema := c.document.Paths.Value("/v2/tasks/{id}/events").Get.Responses.Status(200).Value.Content["text/event-stream"].Schema.Value
	for text, ok := range map[string]bool{
		"id: 1\nevent: token\ndata: {\"t\":\"x\",\"i\":0}\n\n":               true,
		"id: 1\nevent: token\ndata: {\"t\":\"x\"}\n\n":                       false,
		"id: 1\nevent: tokens\ndata: {\"t\":\"x\",\"i\":0}\n\n":              false,
		"id: x\nevent: token\ndata: {\"t\":\"x\",\"i\":0}\n\n":               false,
		"event: canceled\ndata: {}\n\n":                                      false,
		"id: 2\nevent: error\ndata: {\"code\":\"x\"}\n\n":                    false,
		"id: 2\nevent: embedding\ndata: {\"i\":0,\"embedding\":[0.5]}\n\n":   true,
		"id: 2\nevent: embedding\ndata: {\"i\":0,\"embedding\":[\"x\"]}\n\n": false,
		"id: 2\nevent: score\ndata: {\"i\":0,\"embedding\":[0.5]}\n\n":       false,
		"id: 2\nevent: canceled\ndata: {}\n\n":                               true,
		"id: 2\nevent: gap\ndata: {\"from\":1,\"to\":\"2\"}\n\n":             false,
	} {
		events, err := decodeStream(strings.NewReader(text), nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := schema.VisitJSON(events, openapi3.EnableJSONSchema2020()); (got == nil) != ok {
			t.Errorf("%q: got %v, want ok = %v", text, got, ok)
		}
	}
	if !slices.Contains([]string{"3.1.0", "3.1.1", "3.1.2"}, c.document.OpenAPI) {
		t.Errorf("the document is OpenAPI %s", c.document.OpenAPI)
	}
}
