package demoengine_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/demoengine"
)

// The engine takes its options as flags and its key from a file, as an engine that a
// template starts does. It answers until its context ends.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "demoengine-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	key, keyFile := authmin.RandomSecret(), filepath.Join(dir, "key")
	if err := os.WriteFile(keyFile, []byte(key.Reveal()+"\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	free.Close()

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- demoengine.Run(ctx, []string{"--port", port, "--api-key-file", keyFile}) }()
	ask := func(key string) error {
		r, err := http.NewRequest("POST", "http://127.0.0.1:"+port+"/completion", strings.NewReader(`{"prompt":"hello","n_predict":4}`))
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		fmt.Printf("status %d, a demo answer: %t\n", res.StatusCode, strings.Contains(string(body), `"content":"[demo]`))
		return err
	}
	err = testkit.Poll(10*time.Second, func() error { return ask("another key") })
	fmt.Println(err, ask(key.Reveal()))
	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// status 401, a demo answer: false
	// status 200, a demo answer: true
	// <nil> <nil>
	// ended: <nil>
}
