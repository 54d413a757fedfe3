package nodeapi_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func serve(t *testing.T, h http.HandlerFunc) *nodeapi.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return nodeapi.New(server.URL, func() string { return "secret-token" }, server.Client())
}

func stream(t *testing.T, body string) *nodeapi.Stream {
	t.Helper()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, body)
	})
	s, err := c.Dispatch(t.Context(), "demo", nodeapi.DispatchRequest{Prompt: "x"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestEveryEventSurvivesTheWire(t *testing.T) {
	want := []nodeapi.Event{
		{Type: nodeapi.EventToken, Text: "a\n\nevent: end\ndata: {}\r\n\n", Index: 0},
		{Type: nodeapi.EventToken, Text: strings.Repeat("é", 40_000), Index: 1},
		{Type: nodeapi.EventEmbedding, Index: 255, Vector: longest()},
		{Type: nodeapi.EventScore, Index: 1, Score: -0.93},
		{Type: nodeapi.EventEnd, TokensIn: 3, TokensOut: 2, DecodeMS: 12, FinishReason: "stop"},
	}
	body := ": a comment\n\nevent: later\ndata: {}\n\n"
	for _, e := range want {
		encoded, err := e.AppendSSE(nil)
		if err != nil {
			t.Fatal(err)
		}
		body += string(encoded)
	}
	s := stream(t, body)
	var got []nodeapi.Event
	for {
		e, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAStreamThatEndsWrongIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"no end":        {"event: token\ndata: {\"t\":\"a\",\"i\":0}\n\n", io.ErrUnexpectedEOF},
		"empty":         {"", io.ErrUnexpectedEOF},
		"half an event": {"event: end\ndata: {}", io.ErrUnexpectedEOF},
		"endless line":  {"data: " + strings.Repeat("x", 2<<20), nodeapi.ErrLineTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			s := stream(t, c.body)
			var err error
			for err == nil {
				_, err = s.Next()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestAnErrorSaysHowLongToWaitWithinBounds(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want nodeapi.Event
	}{
		"told":     {`{"code":"ENGINE_BUSY","message":"m","engine":"e","retry_after_ms":2000}`, nodeapi.Event{Code: "ENGINE_BUSY", Message: "m", Engine: "e", RetryAfterMS: 2000}},
		"not told": {`{"code":"ENGINE_BUSY"}`, nodeapi.Event{Code: "ENGINE_BUSY"}},
		"negative": {`{"retry_after_ms":-1}`, nodeapi.Event{}},
		"too long": {`{"retry_after_ms":9000000000000}`, nodeapi.Event{RetryAfterMS: nodeapi.MaxRetryAfter.Milliseconds()}},
	} {
		c.want.Type = nodeapi.EventError
		got, err := stream(t, "event: error\ndata: "+c.data+"\n\n").Next()
		if err != nil || !cmp.Equal(got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		}
		encoded, err := c.want.AppendSSE(nil)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := stream(t, string(encoded)).Next(); err != nil || !cmp.Equal(again, c.want) {
			t.Errorf("%s, once more: got %+v, %v, want %+v", name, again, err, c.want)
		}
	}
}

// longest is an embedding at the bound whose numbers are as long as they come.
func longest() []float32 {
	vector := make([]float32, nodeapi.MaxVector)
	for i := range vector {
		vector[i] = -1.2345678e-38
	}
	return vector
}

func TestAnEmbeddingOrScoreOutOfBoundsIsAnErrorOnBothSides(t *testing.T) {
	numbers := strings.Repeat("0,", nodeapi.MaxVector) + "0"
	for name, body := range map[string]string{
		"too long":     `event: embedding` + "\n" + `data: {"i":0,"embedding":[` + numbers + `]}`,
		"empty":        `event: embedding` + "\n" + `data: {"i":0,"embedding":[]}`,
		"none":         `event: embedding` + "\n" + `data: {"i":0}`,
		"over float32": `event: embedding` + "\n" + `data: {"i":0,"embedding":[1e300]}`,
		"index":        `event: embedding` + "\n" + `data: {"i":256,"embedding":[1]}`,
		"score index":  `event: score` + "\n" + `data: {"i":-1,"score":1}`,
		"no number":    `event: score` + "\n" + `data: {"i":0,"score":"1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if e, err := stream(t, body+"\n\n").Next(); err == nil {
				t.Errorf("got %s of %d, want an error", e.Type, len(e.Vector))
			}
		})
	}
	for _, e := range []nodeapi.Event{
		{Type: nodeapi.EventEmbedding, Vector: make([]float32, nodeapi.MaxVector+1)},
		{Type: nodeapi.EventEmbedding},
		{Type: nodeapi.EventEmbedding, Vector: []float32{float32(math.NaN())}},
		{Type: nodeapi.EventScore, Score: math.Inf(1)},
	} {
		if _, err := e.AppendSSE(nil); err == nil {
			t.Errorf("a %s of %d numbers and score %v was encoded", e.Type, len(e.Vector), e.Score)
		}
	}
}

func TestBrokenDataIsAnError(t *testing.T) {
	if _, err := stream(t, "event: token\ndata: {\n\n").Next(); err == nil {
		t.Error("broken JSON was accepted")
	}
}

func TestAnEventOfUnknownTypeIsNotEncoded(t *testing.T) {
	if _, err := (nodeapi.Event{Type: "x"}).AppendSSE(nil); err == nil {
		t.Error("an unknown type was encoded")
	}
}

func TestRefusalsAreStatusErrors(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer secret-token" {
			t.Errorf("Authorization: got %q", got)
		}
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(429)
		io.WriteString(w, `{"code":"NO_SLOT","hint":"wait"}`)
	})
	_, err := c.Dispatch(t.Context(), "demo", nodeapi.DispatchRequest{})
	var got *nodeapi.StatusError
	if !errors.As(err, &got) {
		t.Fatalf("got %v, want a StatusError", err)
	}
	want := nodeapi.StatusError{Status: 429, Code: "NO_SLOT", Hint: "wait", RetryAfter: 2 * time.Second}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the redirect was followed")
	}))
	defer other.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	_, err := c.Pools(t.Context())
	var got *nodeapi.StatusError
	if !errors.As(err, &got) || got.Status != 307 {
		t.Errorf("got %v, want status 307", err)
	}
}

func TestAnAnswerThatIsNotAStreamIsRefused(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") })
	if _, err := c.Dispatch(t.Context(), "demo", nodeapi.DispatchRequest{}); err == nil {
		t.Error("a plain answer was taken for a stream")
	}
}

func TestCallsUseTheDocumentedRoutes(t *testing.T) {
	var got string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path + " " + string(body)
		json.NewEncoder(w).Encode(nodeapi.Status{PoolID: "p1", State: "ready"})
	})
	ctx := t.Context()
	for want, call := range map[string]func() error{
		"GET /pools ":           func() error { _, err := c.Pools(ctx); return err },
		"GET /pools/p1/status ": func() error { _, err := c.Status(ctx, "p1"); return err },
		`POST /pools/p1/preload {"template":"demo","wait_ms":5}`: func() error {
			_, err := c.Preload(ctx, "p1", nodeapi.PreloadRequest{Template: "demo", WaitMS: 5})
			return err
		},
		`POST /pools/p1/drain {"deadline_ms":5}`: func() error {
			_, err := c.Drain(ctx, "p1", nodeapi.DrainRequest{DeadlineMS: 5})
			return err
		},
		`POST /pools/p1/reload {"model_ref":"file:m"}`: func() error {
			_, err := c.Reload(ctx, "p1", nodeapi.ReloadRequest{ModelRef: "file:m"})
			return err
		},
		"POST /pools/p1/stop ": func() error { _, err := c.Stop(ctx, "p1"); return err },
	} {
		if err := call(); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}

// TestEveryCallSendsTheToken: each call, and the token of the moment.
func TestEveryCallSendsTheToken(t *testing.T) {
	var got, token string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = strings.Join(r.Header["Authorization"], ", ")
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(server.Close)
	c := nodeapi.New(server.URL, func() string { return token }, server.Client())
	ctx := t.Context()
	for name, call := range map[string]func(){
		"pools":    func() { c.Pools(ctx) },
		"status":   func() { c.Status(ctx, "p") },
		"preload":  func() { c.Preload(ctx, "p", nodeapi.PreloadRequest{}) },
		"drain":    func() { c.Drain(ctx, "p", nodeapi.DrainRequest{}) },
		"reload":   func() { c.Reload(ctx, "p", nodeapi.ReloadRequest{}) },
		"stop":     func() { c.Stop(ctx, "p") },
		"dispatch": func() { c.Dispatch(ctx, "p", nodeapi.DispatchRequest{}) },
	} {
		for _, token = range []string{"first-token", "rotated-token"} {
			got = ""
			call()
			if want := "Bearer " + token; got != want {
				t.Errorf("%s: Authorization %q, want %q", name, got, want)
			}
		}
	}
}

func TestAPoolIDIsOneHarmlessPathSegment(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for _, id := range []string{"", ".", "..", "a/b", "a..b", "A", "a b", "a?b", "%2e", strings.Repeat("a", 65)} {
		if _, err := c.Status(t.Context(), id); err == nil {
			t.Errorf("pool id %q was accepted", id)
		}
	}
}

func TestTasksOneAfterAnotherUseOneConnection(t *testing.T) {
	var dialed atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "event: end\ndata: {}\n\n")
		http.NewResponseController(w).Flush()
		<-time.After(2 * time.Millisecond) // the end of the body comes after the last event
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			dialed.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	c := nodeapi.New(server.URL, func() string { return "" }, server.Client())
	for range 10 {
		s, err := c.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{Prompt: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if e, err := s.Next(); err != nil || e.Type != nodeapi.EventEnd {
			t.Fatal(e, err)
		}
		s.Close()
	}
	if got := dialed.Load(); got != 1 {
		t.Errorf("%d connections for ten tasks, want one", got)
	}
}

func TestRetryAfterIsReadInBothFormsAndBounded(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "2": 2 * time.Second, " 2 ": 2 * time.Second, "-1": 0, "1.5": 0, "soon": 0, "+2": 0, "0x10": 0,
		"86400": nodeapi.MaxRetryAfter, "86401": nodeapi.MaxRetryAfter, "9223372036854775807": nodeapi.MaxRetryAfter, "99999999999999999999999": nodeapi.MaxRetryAfter,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:03:05 GMT": 0, "Fri, 02 Jan 2099 03:03:05 GMT": nodeapi.MaxRetryAfter,
	} {
		if got := nodeapi.ParseRetryAfter(value, now); got != want {
			t.Errorf("Retry-After: %q: got %s, want %s", value, got, want)
		}
	}
}
