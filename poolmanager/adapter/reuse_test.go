package adapter_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// dials runs ten tasks and gives how many connections they took.
func dials(t *testing.T, task nodeapi.DispatchRequest, answer http.HandlerFunc) int32 {
	t.Helper()
	var dialed atomic.Int32
	server := httptest.NewUnstartedServer(answer)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			dialed.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	for range 10 {
		_, err := adapter.LlamaCPP.Run(t.Context(), server.Client(), adapter.Target{Base: server.URL}, task, func(nodeapi.Event) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	return dialed.Load()
}

func TestTasksOneAfterAnotherUseOneConnection(t *testing.T) {
	for name, c := range map[string]struct {
		task  nodeapi.DispatchRequest
		parts []string
	}{
		"llama.cpp":  {nodeapi.DispatchRequest{Prompt: "x"}, []string{`data: {"content":"a","stop":true}` + "\n\n"}},
		"chat":       {nodeapi.DispatchRequest{Messages: messages}, []string{`data: {"choices":[{"finish_reason":"stop"}]}` + "\n\n", "data: [DONE]\n\n"}},
		"embeddings": {embed, []string{`{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}]}`, "\n"}},
	} {
		got := dials(t, c.task, func(w http.ResponseWriter, _ *http.Request) {
			for _, part := range c.parts {
				io.WriteString(w, part)
				http.NewResponseController(w).Flush()
			}
		})
		if got != 1 {
			t.Errorf("%s: %d connections for ten tasks, want one", name, got)
		}
	}
}

func TestAnEngineThatDoesNotCloseItsStreamBlocksNoCaller(t *testing.T) {
	begin := time.Now()
	got := dials(t, nodeapi.DispatchRequest{Prompt: "x"}, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `data: {"content":"a","stop":true}`+"\n\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	if took := time.Since(begin); got != 10 || took > 5*time.Second {
		t.Errorf("%d connections in %v, want ten, each given up within 20 ms", got, took)
	}
}
