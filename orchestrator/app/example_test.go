package app_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/app"
)

// A program that runs the orchestrator in its own process starts it with a state
// directory and the gateway's token, and stops it with a limit.
func Example() {
	dir, err := os.MkdirTemp("", "app-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s, err := app.Start(ctx, app.Options{
		Listen: "127.0.0.1:0", StateDir: dir, UpstreamToken: authmin.RandomSecret(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := http.Get("http://" + s.Addr() + "/health")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	fmt.Println(res.StatusCode, strings.TrimSpace(string(body)), err)
	fmt.Println("stopped:", s.Stop(ctx))
	// Output:
	// 200 {"status":"ok"} <nil>
	// stopped: <nil>
}
