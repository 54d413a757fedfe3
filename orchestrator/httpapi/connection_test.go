package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// TestABodysTimeLimitIsNotTheHandlers has a handler that takes longer than the
// caller had for its body: huma leaves the limit on the connection, and net/http
// lifts it.
func TestABodysTimeLimitIsNotTheHandlers(t *testing.T) {
	const limit = 50 * time.Millisecond
	a := New(Options{Log: slog.New(slog.DiscardHandler)})
	route(a, authmin.ScopeInfer, http.MethodPost, "/slow", http.StatusOK, "Slow", func(ctx context.Context, _ *struct{ Body map[string]string }) (*none, error) {
		select {
		case <-ctx.Done():
			return nil, newProblem(http.StatusTeapot, "LEFT", "the context has ended")
		case <-time.After(4 * limit):
			return nil, nil
		}
	}, func(op *huma.Operation) { op.BodyReadTimeout = limit })
	srv := httptest.NewServer(asCaller(a.Handler()))
	defer srv.Close()
	res, err := srv.Client().Post(srv.URL+"/slow", "application/json", strings.NewReader(`{"a":"b"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("got %d: the handler's context ended with the limit for the body", res.StatusCode)
	}
	body, never := io.Pipe()
	defer never.Close()
	if res, err = srv.Client().Post(srv.URL+"/slow", "application/json", body); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("a body that never comes: got %d, want 408", res.StatusCode)
	}
}

// TestAPanicInTheMiddleOfAnAnswerBreaksItOff: no proper end, and no second answer
// in the first one.
func TestAPanicInTheMiddleOfAnAnswerBreaksItOff(t *testing.T) {
	log := &testkit.Buffer{}
	a := New(Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	route(a, authmin.ScopeInfer, http.MethodGet, "/broken", http.StatusOK, "Broken", func(context.Context, *none) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			_, w := humago.Unwrap(hc)
			s := newSSE(w, within)
			_ = s.Write([]byte("data: one\n\n"))
			panic("a defect")
		}}, nil
	})
	srv := httptest.NewUnstartedServer(asCaller(a.Handler()))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Start()
	defer srv.Close()
	res, err := srv.Client().Get(srv.URL + "/broken")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil || string(text) != "data: one\n\n" {
		t.Errorf("got %q, %v, want what came before, and no proper end", text, err)
	}
	if got := log.Lines("handler panicked"); len(got) != 1 || !strings.Contains(got[0], "connection_test.go") {
		t.Errorf("logged %q, want one line that says where", got)
	}
}

func TestOfManyWrongFieldsSomeAreNamed(t *testing.T) {
	s := serve(t, Options{})
	body := `{"model_ref":"demo","prompt":"x"`
	for i := range 1000 {
		body += `,"x` + strings.Repeat("y", i) + `":1`
	}
	got := s.want(422, "POST", "/v2/tasks", body+"}")
	if n := strings.Count(got, `"location"`); n != 32 {
		t.Errorf("%d places are named, want 32", n)
	}
}
