package poolmanager_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// A pool manager starts its pools and takes tasks for them. The demo engine is this
// program again, with the argument demo-engine.
func Example() {
	dir, err := os.MkdirTemp("", "poolmanager-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, token := context.Background(), authmin.RandomSecret()
	service, err := poolmanager.Start(ctx, poolmanager.Options{
		Listen: "127.0.0.1:0", RuntimeDir: dir, Token: token, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer service.Stop(ctx)

	client := nodeapi.New("http://"+service.Addr(), token.Reveal, nil)
	state, err := client.Preload(ctx, "p", nodeapi.PreloadRequest{Template: "demo", WaitMS: 20_000})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(state.State)
	stream, err := client.Dispatch(ctx, "p", nodeapi.DispatchRequest{Prompt: "hello", MaxTokens: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stream.Close()
	for event, err := stream.Next(); err == nil; event, err = stream.Next() {
		fmt.Printf("%s %q\n", event.Type, event.Text+event.FinishReason)
	}
	// Output:
	// ready
	// token "[demo]"
	// token " not"
	// token " a"
	// end "length"
}
