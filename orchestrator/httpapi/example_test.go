package httpapi_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator/httpapi"
)

// Each route says which scopes it needs; the check of credentials around the
// handler says who calls.
func Example() {
	api := httpapi.New(httpapi.Options{Version: "example"})
	for _, r := range api.Routes() {
		if strings.HasPrefix(r.Path, "/v2/tasks") {
			fmt.Println(r.Method, r.Path, r.Scopes)
		}
	}
	token := authmin.RandomSecret()
	auth, err := backend.NewAuthenticator(backend.AuthOptions{
		Service: "example", Listen: "127.0.0.1:8081", Token: token, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(auth.Wrap(api.Handler()))
	defer server.Close()
	res, err := http.Get(server.URL + "/v2/tasks")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	fmt.Println("without a token:", res.StatusCode, res.Header.Get("Content-Type"))
	// Output:
	// POST /v2/tasks [infer]
	// GET /v2/tasks [infer]
	// GET /v2/tasks/{id} [infer]
	// GET /v2/tasks/{id}/events [infer]
	// DELETE /v2/tasks/{id} [infer]
	// POST /v2/tasks/{id}/cancel [infer]
	// without a token: 401 application/problem+json
}
