package adapter_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// batch lets an engine answer one embedding or rerank task.
func batch(t *testing.T, task nodeapi.DispatchRequest, status int, body string) (events []nodeapi.Event, asked string, result adapter.Result, err error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request map[string]any
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			t.Error(err)
		}
		encoded, err := json.Marshal(request)
		if err != nil {
			t.Error(err)
		}
		asked = r.URL.Path + " " + string(encoded) + " " + r.Header.Get("Authorization")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	defer server.Close()
	target := adapter.Target{Base: server.URL, Key: authmin.NewSecret("key"), Model: "m"}
	result, err = adapter.LlamaCPP.Run(t.Context(), server.Client(), target, task, func(e nodeapi.Event) error {
		events = append(events, e)
		return nil
	})
	return events, asked, result, err
}

var (
	embed  = nodeapi.DispatchRequest{Workload: "embedding", Inputs: []string{"a", "b"}}
	rerank = nodeapi.DispatchRequest{Workload: "rerank", Prompt: "q", Inputs: []string{"a", "b"}}
)

func TestBatchesAreReadInTheFormsOfTheEngines(t *testing.T) {
	for name, c := range map[string]struct {
		task   nodeapi.DispatchRequest
		body   string
		asked  string
		events []nodeapi.Event
		tokens int
	}{
		"llama.cpp embeddings": {embed,
			`{"model":"m","object":"list","usage":{"prompt_tokens":4,"total_tokens":4},"data":[{"embedding":[0.5,-1e-3],"index":0,"object":"embedding"},{"embedding":[1, 2],"index":1,"object":"embedding"}]}`,
			`/v1/embeddings {"encoding_format":"float","input":["a","b"],"model":"m"} Bearer key`,
			[]nodeapi.Event{{Type: "embedding", Index: 0, Vector: []float32{0.5, -0.001}}, {Type: "embedding", Index: 1, Vector: []float32{1, 2}}}, 4},
		"embeddings out of order, without usage": {embed, `{"data":[{"index":1,"embedding":[1]},{"index":0,"embedding":[2]}]}`,
			`/v1/embeddings {"encoding_format":"float","input":["a","b"],"model":"m"} Bearer key`,
			[]nodeapi.Event{{Type: "embedding", Index: 1, Vector: []float32{1}}, {Type: "embedding", Index: 0, Vector: []float32{2}}}, 0},
		"vLLM rerank": {rerank,
			`{"id":"rerank-1","model":"m","usage":{"total_tokens":9},"results":[{"index":1,"document":{"text":"b"},"relevance_score":0.9},{"index":0,"document":{"text":"a"},"relevance_score":-2.5}]}`,
			`/v1/rerank {"documents":["a","b"],"model":"m","query":"q","top_n":2} Bearer key`,
			[]nodeapi.Event{{Type: "score", Index: 1, Score: 0.9}, {Type: "score", Index: 0, Score: -2.5}}, 9},
	} {
		t.Run(name, func(t *testing.T) {
			events, asked, result, err := batch(t, c.task, 200, c.body)
			if err != nil || asked != c.asked {
				t.Fatalf("asked %s, want %s; %v", asked, c.asked, err)
			}
			if diff := cmp.Diff(c.events, events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if result.TokensIn != c.tokens || result.TokensOut != 0 || result.FinishReason != "stop" {
				t.Errorf("got %+v", result)
			}
		})
	}
}

func TestABatchWithMissingOrRepeatedAnswersFails(t *testing.T) {
	ok := `{"index":0,"embedding":[1]},`
	for name, c := range map[string]struct {
		task   nodeapi.DispatchRequest
		status int
		body   string
		want   adapter.Class
	}{
		"missing":           {embed, 200, `{"data":[{"index":0,"embedding":[1]}]}`, adapter.ClassFailed},
		"twice":             {embed, 200, `{"data":[` + ok + ok + `{"index":1,"embedding":[1]}]}`, adapter.ClassFailed},
		"another index":     {embed, 200, `{"data":[` + ok + `{"index":2,"embedding":[1]}]}`, adapter.ClassFailed},
		"negative index":    {embed, 200, `{"data":[` + ok + `{"index":-1,"embedding":[1]}]}`, adapter.ClassFailed},
		"null for a number": {embed, 200, `{"data":[` + ok + `{"index":1,"embedding":[null]}]}`, adapter.ClassFailed},
		"empty":             {embed, 200, `{"data":[` + ok + `{"index":1,"embedding":[]}]}`, adapter.ClassFailed},
		"base64":            {embed, 200, `{"data":[` + ok + `{"index":1,"embedding":"AACAPw=="}]}`, adapter.ClassFailed},
		"over 32 bits":      {embed, 200, `{"data":[` + ok + `{"index":1,"embedding":[1e300]}]}`, adapter.ClassFailed},
		"too long":          {embed, 200, `{"data":[` + ok + `{"index":1,"embedding":[` + strings.Repeat("0,", nodeapi.MaxVector) + `0]}]}`, adapter.ClassFailed},
		"cut":               {embed, 200, `{"data":[` + ok, adapter.ClassFailed},
		"no list":           {embed, 200, `{}`, adapter.ClassFailed},
		"not an object":     {embed, 200, `[]`, adapter.ClassFailed},
		"endless":           {embed, 200, `{"x":"` + strings.Repeat("x", 6<<20) + `"}`, adapter.ClassFailed},
		"no score":          {rerank, 200, `{"results":[{"index":0}]}`, adapter.ClassFailed},
		"score for vector":  {embed, 200, `{"data":[{"index":0,"relevance_score":1}]}`, adapter.ClassFailed},
		"not started so":    {embed, 501, `{"error":{"message":"start it with --embeddings"}}`, adapter.ClassRefused},
		"loading":           {embed, 503, `{}`, adapter.ClassBusy},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, err := batch(t, c.task, c.status, c.body)
			var got *adapter.Error
			if !errors.As(err, &got) || got.Class != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestHangingUpReachesTheEngineDuringABatchToo(t *testing.T) {
	hungUp := make(chan struct{})
	asked := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(asked)
		<-r.Context().Done()
		close(hungUp)
	}))
	defer server.Close()
	cause := errors.New("the slot is taken away")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-asked; cancel(cause) }()
	_, err := adapter.OpenAI.Run(ctx, server.Client(), adapter.Target{Base: server.URL}, embed, func(nodeapi.Event) error { return nil })
	if !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
	testkit.Receive(t, hungUp, "the end of the engine's call")
}

func TestAnErrorOfTheReceiverEndsABatch(t *testing.T) {
	want := errors.New("the client is gone")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}]}`)
	}))
	defer server.Close()
	calls := 0
	_, err := adapter.LlamaCPP.Run(t.Context(), server.Client(), adapter.Target{Base: server.URL}, embed,
		func(nodeapi.Event) error { calls++; return want })
	if err != want || calls != 1 {
		t.Errorf("got %v after %d calls, want %v after 1", err, calls, want)
	}
}

// FuzzBatch feeds answers of a hostile engine: whatever comes is an error, or
// each input answered once within the bounds.
func FuzzBatch(f *testing.F) {
	f.Add(`{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}],"usage":{"prompt_tokens":1}}`)
	f.Add(`{"data":[{"index":0,"embedding":[1]}],"data":[{"index":1,"embedding":[1]}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		events, _, _, err := batch(t, embed, 200, body)
		seen := map[int]bool{}
		for _, e := range events {
			if seen[e.Index] || e.Index < 0 || e.Index > 1 || len(e.Vector) == 0 || len(e.Vector) > nodeapi.MaxVector {
				t.Errorf("event %+v", e)
			}
			seen[e.Index] = true
		}
		if err == nil && len(seen) != 2 {
			t.Errorf("%d inputs answered", len(seen))
		}
	})
}
