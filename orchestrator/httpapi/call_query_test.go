package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAQueryGoesWithTheCall byte for byte, on the routes that name a response and on those
// with a body. One that asks for events gets them as they come.
func TestAQueryGoesWithTheCall(t *testing.T) {
	s := serve(t, Options{})
	asked := make(chan string, 1)
	s.engine("n", 1, func(out frames, r *http.Request, _ string) {
		q := r.URL.Query()
		asked <- q.Get("query") + " stream=" + q.Get("stream")
		if q.Get("stream") == "true" {
			out.head("text/event-stream")
			out.send(nodeapi.FrameData, "event: response.created\ndata: {}\n\n")
			out.send(nodeapi.FrameLast, "event: response.completed\ndata: {}\n\n")
		} else {
			out.head("application/json")
			out.send(nodeapi.FrameData, "{}")
		}
		out.value(nodeapi.FrameEnd, nodeapi.CallEnd{Succeeded: true, ResponseID: "resp_1"})
	})
	const call = `{"model":"demo","input":"x"}`
	for _, c := range []struct{ method, path, query, body, stream string }{
		{"POST", "/v1/responses", "", call, ""},
		{"GET", "/v1/responses/resp_1", "include[]=a.b&include%5B%5D=c%20d&starting_after=7", "", ""},
		{"GET", "/v1/responses/resp_1", "stream=true&starting_after=7", "", "true"},
		{"GET", "/v1/responses/resp_1", "stream=True", "", "true"},
		{"GET", "/v1/responses/resp_1", "stream=false", "", ""},
		{"GET", "/v1/responses/resp_1/input_items", "limit=2&order=asc&after=m_1&include=x+y", "", ""},
		{"DELETE", "/v1/responses/resp_1", "x", "", ""},
		{"POST", "/v1/responses/resp_1/cancel", "x=%2f", "", ""},
		{"POST", "/v1/messages", "beta=true", `{"model":"demo","messages":[]}`, ""},
		{"POST", "/v1/messages/count_tokens", "beta=true", `{"model":"demo","messages":[]}`, ""},
		{"POST", "/v1/chat/completions", "api-version=1", `{"model":"demo","messages":[]}`, ""},
		{"POST", "/api/show", "x=1", `{"model":"demo"}`, ""},
	} {
		res := s.send(t.Context(), c.method, strings.TrimSuffix(c.path+"?"+c.query, "?"), c.body)
		if got, want := testkit.Receive(t, asked, "the engine's request"), c.query+" stream="+c.stream; got != want {
			t.Errorf("%s: got %s, want %s", c.path, got, want)
		}
		kind := res.Header.Get("Content-Type")
		if res.StatusCode != 200 || strings.HasPrefix(kind, "text/event-stream") != (c.stream == "true") {
			t.Errorf("%s?%s: got %s and %s", c.path, c.query, res.Status, kind)
		}
		_ = res.Body.Close()
	}
}

// TestAQueryWithTwoReadingsIsRefused, and what is judged in a body is said there.
func TestAQueryWithTwoReadingsIsRefused(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) { out.hello() })
	for target, code := range map[string]string{
		"POST /v1/chat/completions?model=other":                         "MEMBER_AMBIGUOUS",
		"POST /v1/chat/completions?MODEL=demo":                          "MEMBER_AMBIGUOUS",
		"POST /v1/chat/completions?m%6fdel=demo":                        "MEMBER_AMBIGUOUS",
		"POST /v1/chat/completions?model[]=other":                       "MEMBER_AMBIGUOUS",
		"POST /v1/chat/completions?stream_options%5Binclude_usage%5D=1": "MEMBER_AMBIGUOUS",
		"POST /v1/chat/completions?stream=true":                         "MEMBER_AMBIGUOUS",
		"POST /v1/responses?previous_response_id=resp_1":                "MEMBER_AMBIGUOUS",
		"POST /v1/responses?background=true":                            "MEMBER_AMBIGUOUS",
		"POST /api/chat?name=other":                                     "MEMBER_AMBIGUOUS",
		"GET /v1/responses/resp_1?stream=true&stream=1":                 "MEMBER_AMBIGUOUS",
		"GET /v1/responses/resp_1?Stream=true":                          "MEMBER_AMBIGUOUS",
		"GET /v1/responses/resp_1?model=other":                          "MEMBER_AMBIGUOUS",
		"GET /v1/responses/resp_1?a=%00":                                "INVALID_QUERY",
		"GET /v1/responses/resp_1/input_items?a;b":                      "INVALID_QUERY",
		"GET /v1/responses/resp_1?key=x":                                "INVALID_QUERY",
		"POST /v1/messages?beta=true&Api%5FKey=x":                       "INVALID_QUERY",
		"GET /v1/responses/resp_1/input_items?access-token":             "INVALID_QUERY",
		"GET /v1/responses/resp_1?a=%zz":                                "INVALID_QUERY",
		"POST /v1/messages?a=" + strings.Repeat("x", 2048):              "INVALID_QUERY",
	} {
		method, path, _ := strings.Cut(target, " ")
		if got := s.want(400, method, path, chat); !strings.Contains(got, `"code":"`+code+`"`) {
			t.Errorf("%.60s: got %s, want %s", target, got, code)
		}
	}
}

// TestAnotherQueryIsAnotherCall: a key gives the answer of the same request only.
func TestAnotherQueryIsAnotherCall(t *testing.T) {
	s := serve(t, Options{})
	s.engine("n", 1, func(out frames, _ *http.Request, _ string) { out.hello() })
	key := []string{"Idempotency-Key", "k"}
	for query, want := range map[string]int{"?beta=true": 200, "?beta=false": 409, "": 409} {
		s.want(200, "POST", "/v1/chat/completions?beta=true", chat, key...)
		s.want(want, "POST", "/v1/chat/completions"+query, chat, key...)
	}
}
