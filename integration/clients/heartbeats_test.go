package clients_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/httpapi"
	"github.com/llorch/gateway/poolmanager"
)

// startSlow runs an orchestrator with short heartbeats, and an engine that pauses before
// each token for longer than three of them.
func startSlow(t *testing.T) site {
	t.Helper()
	token, node := authmin.RandomSecret(), authmin.RandomSecret()
	quiet := slog.New(slog.DiscardHandler)
	o, err := app.Start(t.Context(), app.Options{
		Listen: "127.0.0.1:0", StateDir: t.TempDir(), Token: token, UpstreamToken: authmin.RandomSecret(), Log: quiet,
		Streams: httpapi.Streams{Heartbeat: 20 * time.Millisecond, Commit: 20 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Stop(context.Background()) })
	demo, err := poolmanager.DemoTemplate([]string{os.Args[0], "demo-engine"})
	if err != nil {
		t.Fatal(err)
	}
	demo.Command = append(demo.Command, "--token-delay", "200ms")
	s := site{base: "http://" + o.Addr(), user: token.Reveal()}
	p, err := poolmanager.Start(t.Context(), poolmanager.Options{
		Listen: "127.0.0.1:0", RuntimeDir: t.TempDir(), NodeID: "slow", OrchestratorURL: s.base,
		OrchestratorToken: func() authmin.Secret { return token }, DispatchToken: node, Token: node, UpstreamToken: authmin.RandomSecret(),
		Templates: []poolmanager.Template{demo}, Preload: []poolmanager.Preload{{PoolID: "p", Template: demo.Name}}, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Errorf("stopping the pool manager: %v", err)
		}
	})
	c := s.openai(s.user)
	testkit.Eventually(t, "the model is there", func() bool {
		models, err := c.Models.List(t.Context())
		return err == nil && len(models.Data) == 1
	})
	return s
}

// watched counts what keeps a stream alive before its first event, and after.
type watched struct {
	io.ReadCloser
	mark, first   string
	begun         bool
	before, after atomic.Int64
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	text := string(p[:n]) // each heartbeat and each event is one write, and so mostly one read
	if beats := int64(strings.Count(text, w.mark)); w.begun {
		w.after.Add(beats)
	} else {
		w.before.Add(beats)
	}
	w.begun = w.begun || strings.Contains(text, w.first)
	return n, err
}

// watch is a middleware of either client.
func (w *watched) watch(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	res, err := next(r)
	if err == nil {
		w.ReadCloser, res.Body = res.Body, w
	}
	return res, err
}

func (w *watched) check(t *testing.T) {
	t.Helper()
	if before, after := w.before.Load(), w.after.Load(); before < 3 || after < 3 {
		t.Errorf("%d heartbeats before the first event and %d after it, want 3 each", before, after)
	}
}

// TestHeartbeatsAreNoEventsToOfficialClients has at least three before the first event
// and three after it.
func TestHeartbeatsAreNoEventsToOfficialClients(t *testing.T) {
	s := startSlow(t)
	const text = "[demo] not a"
	t.Run("openai: chat", func(t *testing.T) {
		t.Parallel()
		w := &watched{mark: ": alive\n", first: "data:"}
		c := s.openai(s.user, openaioption.WithMiddleware(w.watch))
		params := chatParams()
		params.MaxTokens = openai.Int(3)
		if got := accumulated(t, c.Chat.Completions.NewStreaming(t.Context(), params), nil); got.Choices[0].Message.Content != text {
			t.Errorf("got %+v", got)
		}
		w.check(t)
	})
	t.Run("openai: responses", func(t *testing.T) {
		t.Parallel()
		w := &watched{mark: ": alive\n", first: "data:"}
		params := responseParams(hello)
		params.MaxOutputTokens = openai.Int(3)
		if _, got, _ := streamedResponse(t, s.openai(s.user, openaioption.WithMiddleware(w.watch)), params); got != text {
			t.Errorf("got %q", got)
		}
		w.check(t)
	})
	t.Run("openai: completions", func(t *testing.T) {
		t.Parallel()
		w := &watched{mark: ": alive\n", first: "data:"}
		c := s.openai(s.user, openaioption.WithMiddleware(w.watch))
		stream := c.Completions.NewStreaming(t.Context(), openai.CompletionNewParams{
			Model: "demo", Prompt: openai.CompletionNewParamsPromptUnion{OfString: openai.String(hello)}, MaxTokens: openai.Int(3),
		})
		defer stream.Close()
		got := ""
		for stream.Next() {
			got += stream.Current().Choices[0].Text
		}
		if stream.Err() != nil || got != text {
			t.Errorf("got %q, %v", got, stream.Err())
		}
		w.check(t)
	})
	t.Run("anthropic", func(t *testing.T) {
		t.Parallel()
		w := &watched{mark: "event: ping\n", first: "event: message_start"}
		c := s.anthropic("")
		c = anthropic.NewClient(append(c.Options, anthropicoption.WithAuthToken(s.user), anthropicoption.WithMiddleware(w.watch))...)
		params := messageParams()
		params.MaxTokens = 3
		if _, got := streamedMessage(t, c, params); got.Content[0].Text != text {
			t.Errorf("got %+v", got)
		}
		w.check(t)
	})
	t.Run("ollama: nothing is added", func(t *testing.T) {
		t.Parallel()
		q := ollamaParams(true)
		q.Options["num_predict"] = 3
		if all, got, err := chatted(t.Context(), s.ollama(t, s.user), q); err != nil || len(all) != 4 || got.Content != text {
			t.Errorf("got %d lines and %+v, %v", len(all), got, err)
		}
	})
	t.Run("ollama: nothing is added to a generation", func(t *testing.T) {
		t.Parallel()
		got := lines(t, s.open(t, "/api/generate", `{"model":"demo","prompt":"`+hello+`","options":{"num_predict":3}}`).Body, 0)
		if len(got) != 4 || !strings.Contains(got[3], `"done":true`) {
			t.Errorf("got %q", got)
		}
	})
}
