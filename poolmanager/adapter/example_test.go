package adapter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// An answer is whole when the engine says so. One that breaks off is an error with
// a class, whatever tokens came before.
func Example() {
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"content\":\"Hello,\"}\n\ndata: {\"content\":\" world\"}\n\n")
		if r.Header.Get("Authorization") == "" {
			_, _ = io.WriteString(w, "data: {\"content\":\"\",\"stop\":true,\"stop_type\":\"eos\",\"tokens_evaluated\":1,\"tokens_predicted\":2}\n\n")
		}
	}))
	defer engine.Close()

	run := func(target adapter.Target) {
		result, err := adapter.LlamaCPP.Stream(context.Background(), http.DefaultClient, target,
			nodeapi.DispatchRequest{Prompt: "hello"}, func(text string) error { fmt.Print(text); return nil })
		if failure, ok := errors.AsType[*adapter.Error](err); ok {
			fmt.Printf(" [%s]\n", failure.Class)
			return
		}
		fmt.Printf(" [%d tokens, %s, %v]\n", result.TokensOut, result.FinishReason, err)
	}
	run(adapter.Target{Base: engine.URL})
	run(adapter.Target{Base: engine.URL, Key: authmin.RandomSecret()})
	// Output:
	// Hello, world [2 tokens, stop, <nil>]
	// Hello, world [WORKER_RESET]
}
