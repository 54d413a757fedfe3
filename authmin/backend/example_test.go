package backend_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
)

// A service with one route, which needs the scope infer.
func Example() {
	token := authmin.NewSecret("c2af6b1c7d1e4b0f9a3d5e8f7a6b4c2d") // from a file, in a real service
	auth, err := backend.NewAuthenticator(backend.AuthOptions{
		Service: "greeter", Listen: "127.0.0.1:0", Token: token, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	api := backend.NewAPI(backend.APIOptions{
		Title: "greeter", Version: "1", Log: auth.Log(),
		Translate: func(context.Context, error) huma.StatusError { return backend.Internal() },
	})
	type greeting struct{ Body map[string]string }
	backend.Add(api, authmin.ScopeInfer, huma.Operation{Method: http.MethodGet, Path: "/hello", OperationID: "hello"},
		func(ctx context.Context, _ *struct{}) (*greeting, error) {
			return &greeting{map[string]string{"hello": backend.CallerFrom(ctx).Name}}, nil
		})

	listener, err := backend.Listen("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	server := backend.Serve(listener, auth.Wrap(api), auth.Log())
	defer server.Stop(context.Background())

	for _, credential := range []string{"Bearer " + token.Reveal(), ""} {
		request, _ := http.NewRequest(http.MethodGet, "http://"+listener.Addr().String()+"/hello", nil)
		request.Header.Set("Authorization", credential)
		if credential == "" {
			request.Header.Del("Authorization")
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		fmt.Println(answer.StatusCode, answer.Header.Get("Content-Type"), len(body) > 0)
	}
	// Output:
	// 200 application/json true
	// 401 application/problem+json true
}

// The number of a code is for people who sort logs by it.
func ExampleNewProblem() {
	p := backend.NewProblem(http.StatusConflict, "POOL_BUSY", "Stop the pool first.")
	fmt.Println(p.Code, p.CodeNumber, p.Type)
	// Output: POOL_BUSY 40902 urn:llorch:problem:pool_busy
}
