package backend

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
)

type none struct{}

// newTestAPI is a contract with a health route and one with a body.
func newTestAPI(log io.Writer) *API {
	a := NewAPI(APIOptions{
		Title: "test", Version: "1", Log: slog.New(slog.NewTextHandler(log, nil)),
		Translate: func(context.Context, error) huma.StatusError { return Internal() },
	})
	Add(a, Public, huma.Operation{Method: "GET", Path: "/health", OperationID: "health"}, func(context.Context, *none) (*none, error) { return nil, nil })
	Add(a, authmin.ScopeInfer, huma.Operation{Method: "POST", Path: "/tasks/{id}", OperationID: "task"}, func(_ context.Context, in *struct {
		Body struct {
			Count int `json:"count"`
		}
	}) (*struct{ Body map[string]int }, error) {
		if in.Body.Count < 0 {
			return nil, errors.New("canary-value")
		}
		return &struct{ Body map[string]int }{map[string]int{"count": in.Body.Count}}, nil
	})
	a.AddRaw(authmin.ScopeMetrics, "/metrics", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x 1\n")) }))
	return a
}

// ask sends a request as a caller with these scopes.
func ask(a http.Handler, method, target, body string, scopes ...authmin.Scope) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r.WithContext(WithCaller(authmin.WithCorrelationID(r.Context(), "id-1"), Caller{Name: "ci", Scopes: scopes})))
	return w
}

func TestAPIAnswers(t *testing.T) {
	infer := []authmin.Scope{authmin.ScopeInfer}
	cases := map[string]struct {
		method, target, body string
		scopes               []authmin.Scope
		status               int
		has                  string
	}{
		"what the scope allows":       {"POST", "/tasks/1", `{"count":1}`, infer, 200, `"count":1`},
		"an administrator":            {"POST", "/tasks/1", `{"count":1}`, []authmin.Scope{authmin.ScopeAdmin}, 200, `"count":1`},
		"no scope":                    {"POST", "/tasks/1", `{"count":1}`, nil, 403, "INSUFFICIENT_SCOPE"},
		"another scope":               {"GET", "/metrics", "", infer, 403, "INSUFFICIENT_SCOPE"},
		"the scope of a raw route":    {"GET", "/metrics", "", []authmin.Scope{authmin.ScopeMetrics}, 200, "x 1"},
		"health without a scope":      {"GET", "/health", "", nil, 204, ""},
		"no JSON":                     {"POST", "/tasks/1", `{`, infer, 400, "INVALID_JSON"},
		"bytes that are not UTF-8":    {"POST", "/tasks/1", "{\"x\":\"canary-value\xff\"}", infer, 400, "INVALID_JSON"},
		"an unknown field":            {"POST", "/tasks/1", `{"count":1,"canary":"canary-value"}`, infer, 422, "body.canary"},
		"a field in other letters":    {"POST", "/tasks/1", `{"count":1,"COUNT":2}`, infer, 422, "body.COUNT"},
		"a number that does not fit":  {"POST", "/tasks/1", `{"count":1e400}`, infer, 400, "INVALID_JSON"},
		"a body of more than 1 MiB":   {"POST", "/tasks/1", `{"x":"` + strings.Repeat("x", 1<<20) + `"}`, infer, 413, "BODY_TOO_LARGE"},
		"a route that does not exist": {"GET", "/nothing", "", infer, 404, "ROUTE_NOT_FOUND"},
		"an unclean path":             {"GET", "//health", "", infer, 404, "ROUTE_NOT_FOUND"},
		"another method":              {"DELETE", "/tasks/1", "", infer, 405, "METHOD_NOT_ALLOWED"},
		"an error of the handler":     {"POST", "/tasks/1", `{"count":-1}`, infer, 500, "INTERNAL"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := ask(newTestAPI(io.Discard), c.method, c.target, c.body, c.scopes...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.has) || strings.Contains(w.Body.String(), "canary-value") {
				t.Errorf("got %d %s, want %d with %q and nothing that was sent", w.Code, w.Body, c.status, c.has)
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("got header %v, want no-store and nosniff", w.Header())
			}
			if problem := w.Header().Get("Content-Type") == "application/problem+json"; problem != (c.status >= 400) || problem && !strings.Contains(w.Body.String(), `"correlation_id":"id-1"`) {
				t.Errorf("got %v %s, want a problem with the correlation id", w.Header(), w.Body)
			}
			if allow := w.Header().Get("Allow"); (allow != "") != (c.status == 405) {
				t.Errorf("got Allow: %q", allow)
			}
		})
	}
}

// TestOfManyWrongFieldsSomeAreNamed bounds an answer by a request's size.
func TestOfManyWrongFieldsSomeAreNamed(t *testing.T) {
	body := `{"count":1`
	for i := range 1000 {
		body += `,"x` + strings.Repeat("y", i) + `":1`
	}
	w := ask(newTestAPI(io.Discard), "POST", "/tasks/1", body+"}", authmin.ScopeInfer)
	if n := strings.Count(w.Body.String(), `"location"`); w.Code != 422 || n != maxFieldErrors {
		t.Errorf("got %d, %d places, want 422, %d", w.Code, n, maxFieldErrors)
	}
}

// TestAPanicIsA500 before the answer has begun; the log names the place.
func TestAPanicIsA500(t *testing.T) {
	var log lockedBuffer
	a := newTestAPI(&log)
	a.AddRaw(authmin.ScopeInfer, "/broken", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a defect") }))
	if w := ask(a, "GET", "/broken", "", authmin.ScopeInfer); w.Code != 500 || !strings.Contains(w.Body.String(), codeInternal) || strings.Contains(w.Body.String(), "a defect") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if got := log.String(); strings.Count(got, "handler panicked") != 1 || !strings.Contains(got, "api_test.go") || !strings.Contains(got, "correlation_id=id-1") {
		t.Errorf("logged %q, want one line that says where", got)
	}
}

// stalled is a connection that says which deadline its answer has.
type stalled struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (s *stalled) SetWriteDeadline(t time.Time) error { s.until = t; return nil }

func TestEveryAnswerHasToBeRead(t *testing.T) {
	for _, path := range []string{"/health", "/nothing"} {
		w := &stalled{ResponseRecorder: httptest.NewRecorder()}
		newTestAPI(io.Discard).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if left := time.Until(w.until); left <= 0 || left > answerTimeout {
			t.Errorf("%s: got %d, %s for reading it, want up to %s", path, w.Code, left, answerTimeout)
		}
	}
}

// TestARouteWithoutAScopeIsListedAsSuch registers routes past the two functions
// that declare a scope: they are listed, without one, and refused by huma.
func TestARouteWithoutAScopeIsListedAsSuch(t *testing.T) {
	cases := map[string]struct {
		register func(*API)
		want     Route
	}{
		"by the router":              {func(a *API) { a.mux.HandleFunc("GET /leak", http.NotFound) }, Route{Method: "GET", Path: "/leak"}},
		"by the router, as handler":  {func(a *API) { a.mux.Handle("POST /leak", http.NotFoundHandler()) }, Route{Method: "POST", Path: "/leak"}},
		"by the router, all methods": {func(a *API) { a.mux.HandleFunc("/leak/", http.NotFound) }, Route{Path: "/leak/"}},
		"by huma": {func(a *API) {
			huma.Get(a.huma, "/leak", func(context.Context, *none) (*none, error) { return nil, nil })
		}, Route{Method: "GET", Path: "/leak"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a := newTestAPI(io.Discard)
			c.register(a)
			found := slices.IndexFunc(a.Routes(), func(r Route) bool { return r.Method == c.want.Method && r.Path == c.want.Path })
			if found < 0 {
				t.Fatalf("%s %s is served and not listed", c.want.Method, c.want.Path)
			}
			if r := a.Routes()[found]; r.Public || len(r.Scopes) > 0 {
				t.Errorf("got %+v, want no scope and not public", r)
			}
			if name == "by huma" {
				if w := ask(a, "GET", "/leak", "", authmin.ScopeAdmin); w.Code != 403 {
					t.Errorf("an operation without a scope: got %d, want 403", w.Code)
				}
			}
		})
	}
}
