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

var messages = []nodeapi.Message{{Role: "user", Content: "hi"}}

// run lets an engine answer with the given stream and gives the pieces back.
func run(t *testing.T, d adapter.Dialect, task nodeapi.DispatchRequest, status int, body string) ([]string, adapter.Result, error) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer key" {
			t.Errorf("Authorization: got %q", got)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	defer server.Close()
	var pieces []string
	target := adapter.Target{Base: server.URL, Key: authmin.NewSecret("key"), Model: "m"}
	result, err := d.Stream(t.Context(), server.Client(), target, task, func(s string) error {
		pieces = append(pieces, s)
		return nil
	})
	return pieces, result, err
}

func TestTheDialectsAreRead(t *testing.T) {
	prompt := nodeapi.DispatchRequest{Prompt: "hi"}
	for name, c := range map[string]struct {
		dialect adapter.Dialect
		task    nodeapi.DispatchRequest
		body    string
		pieces  []string
		result  adapter.Result
	}{
		"llama.cpp": {adapter.LlamaCPP, prompt,
			`data: {"content":"a","stop":false}` + "\n\n" + `data: {"content":" b","stop":true,"stop_type":"limit","tokens_predicted":2,"tokens_evaluated":7}` + "\n\n",
			[]string{"a", " b"}, adapter.Result{TokensIn: 7, TokensOut: 2, FinishReason: "length"}},
		"chat with usage": {adapter.LlamaCPP, nodeapi.DispatchRequest{Messages: messages},
			`data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}` + "\n\n" +
				`data: {"choices":[{"delta":{},"finish_reason":"length"}]}` + "\n\n" +
				`data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}` + "\n\ndata: [DONE]\n\n",
			[]string{"a"}, adapter.Result{TokensIn: 3, TokensOut: 1, FinishReason: "length"}},
		"text without usage": {adapter.OpenAI, prompt,
			": comment\n\ndata:\n\ndata: \n\nevent: ping\ndata: {}\n\nid: 1\nretry: 5\n" + `data: {"choices":[{"text":"a"}],"error":null}` + "\n\n" + `data: {"choices":[{"text":"b","finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n",
			[]string{"a", "b"}, adapter.Result{TokensOut: 2, FinishReason: "stop"}},
	} {
		t.Run(name, func(t *testing.T) {
			pieces, result, err := run(t, c.dialect, c.task, 200, c.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.pieces, pieces); diff != "" {
				t.Errorf("pieces (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.result, result); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFailuresHaveAClass(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   adapter.Class
		text   string
	}{
		"busy":            {503, `{"error":{"message":"Loading model"}}`, adapter.ClassBusy, "Loading model"},
		"refused":         {400, `{"error":"too long"}`, adapter.ClassRefused, "too long"},
		"failed":          {500, "x\r\ny", adapter.ClassFailed, "x y"},
		"error event":     {200, `data: {"error":{"message":"oops"}}` + "\n\n", adapter.ClassFailed, "oops"},
		"old error event": {200, `error: {"error":{"message":"oops"}}` + "\n\n", adapter.ClassFailed, "oops"},
		"not JSON":        {200, "data: {\n\n", adapter.ClassFailed, "JSON"},
		"broken off":      {200, `data: {"content":"a"}` + "\n\n", adapter.ClassReset, "before the answer"},
		"endless line":    {200, "data: " + strings.Repeat("x", 5<<20), adapter.ClassReset, "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := run(t, adapter.LlamaCPP, nodeapi.DispatchRequest{Prompt: "x"}, c.status, c.body)
			var got *adapter.Error
			if !errors.As(err, &got) || got.Class != c.want || !strings.Contains(got.Message, c.text) {
				t.Errorf("got %v, want %s with %q", err, c.want, c.text)
			}
		})
	}
}

func TestAnUnreachableEngineIsUnavailable(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	_, err := adapter.OpenAI.Stream(t.Context(), http.DefaultClient, adapter.Target{Base: server.URL}, nodeapi.DispatchRequest{Prompt: "x"}, nil)
	var got *adapter.Error
	if !errors.As(err, &got) || got.Class != adapter.ClassUnavailable {
		t.Errorf("got %v, want %s", err, adapter.ClassUnavailable)
	}
}

func TestHangingUpReachesTheEngineAndGivesTheCause(t *testing.T) {
	hungUp := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `data: {"content":"a"}`+"\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
		close(hungUp)
	}))
	defer server.Close()
	cause := errors.New("the slot is taken away")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := adapter.LlamaCPP.Stream(ctx, server.Client(), adapter.Target{Base: server.URL}, nodeapi.DispatchRequest{Prompt: "x"},
		func(string) error { cancel(cause); return nil })
	if !errors.Is(err, cause) {
		t.Errorf("got %v, want %v", err, cause)
	}
	testkit.Receive(t, hungUp, "the end of the engine's call")
}

func TestAnErrorOfTheReceiverEndsTheTask(t *testing.T) {
	want := errors.New("the client is gone")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat(`data: {"content":"a"}`+"\n\n", 3))
	}))
	defer server.Close()
	calls := 0
	_, err := adapter.LlamaCPP.Stream(t.Context(), server.Client(), adapter.Target{Base: server.URL}, nodeapi.DispatchRequest{Prompt: "x"},
		func(string) error { calls++; return want })
	if err != want || calls != 1 {
		t.Errorf("got %v after %d calls, want %v after 1", err, calls, want)
	}
}

func TestTheRequestCarriesTheTasksParameters(t *testing.T) {
	seed, temperature, topP := int64(7), 0.5, 0.9
	task := nodeapi.DispatchRequest{Prompt: "p", MaxTokens: 5, Seed: &seed, Temperature: &temperature, TopP: &topP, Stop: []string{"x"}}
	for dialect, want := range map[adapter.Dialect]string{
		adapter.LlamaCPP: `/completion {"cache_prompt":true,"n_predict":5,"prompt":"p","seed":7,"stop":["x"],"stream":true,"temperature":0.5,"top_p":0.9}`,
		adapter.OpenAI:   `/v1/completions {"max_tokens":5,"model":"m","prompt":"p","seed":7,"stop":["x"],"stream":true,"stream_options":{"include_usage":true},"temperature":0.5,"top_p":0.9}`,
	} {
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			encoded, err := json.Marshal(body)
			if err != nil {
				t.Error(err)
			}
			got = r.URL.Path + " " + string(encoded)
			io.WriteString(w, map[adapter.Dialect]string{
				adapter.LlamaCPP: `data: {"content":"","stop":true}` + "\n\n",
				adapter.OpenAI:   `data: {"choices":[{"text":"","finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n",
			}[dialect])
		}))
		if _, err := dialect.Stream(t.Context(), server.Client(), adapter.Target{Base: server.URL, Model: "m"}, task, nil); err != nil {
			t.Error(err)
		}
		server.Close()
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
