package nodeapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// A dispatched task is a stream of events: its tokens, and one end.
func Example() {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range []nodeapi.Event{
			{Type: nodeapi.EventToken, Text: "Hello,"}, {Type: nodeapi.EventToken, Text: " world", Index: 1},
			{Type: nodeapi.EventEnd, TokensIn: 1, TokensOut: 2, FinishReason: "stop"},
		} {
			text, err := event.AppendSSE(nil)
			if err != nil {
				panic(err)
			}
			_, _ = w.Write(text)
		}
	}))
	defer node.Close()

	client := nodeapi.New(node.URL, func() string { return "the node's token" }, nil)
	stream, err := client.Dispatch(context.Background(), "demo", nodeapi.DispatchRequest{Prompt: "hello", MaxTokens: 16})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stream.Close()
	for {
		event, err := stream.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %q %d\n", event.Type, event.Text, event.TokensOut)
	}
	// Output:
	// token "Hello," 0
	// token " world" 0
	// end "" 2
}
