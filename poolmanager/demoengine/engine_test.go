package demoengine

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

const testKey = "0123456789012345678901234567890123456789012"

// start serves over real TCP and gives the base URL and the engine.
func start(t *testing.T, change func(*settings)) (string, *engine) {
	t.Helper()
	s := settings{model: "demo", parallel: 2, context: defaultContext}
	if change != nil {
		change(&s)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(s, authmin.NewSecret(testKey))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, e) }()
	t.Cleanup(func() {
		cancel()
		if err := testkit.Receive(t, ended, "the end"); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	base := "http://" + listener.Addr().String()
	if s.loadDelay == 0 {
		testkit.Eventually(t, "the engine to be loaded", func() bool { return e.loaded.Load() })
	}
	return base, e
}

func do(t *testing.T, ctx context.Context, method, url, key, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

func text(t *testing.T, base, path, body string) string {
	t.Helper()
	response := do(t, t.Context(), "POST", base+path, testKey, body)
	all, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%s: %d %s %v", path, response.StatusCode, all, err)
	}
	return string(all)
}

func TestEverythingButHealthWantsTheKey(t *testing.T) {
	base, _ := start(t, nil)
	for _, route := range []string{"GET /slots", "GET /v1/models", "POST /completion", "POST /v1/completions",
		"POST /v1/chat/completions", "POST /v1/embeddings", "POST /v1/rerank", "GET /nothing", "POST /health", "GET /health/"} {
		method, path, _ := strings.Cut(route, " ")
		for _, key := range []string{"", "wrong", testKey + "x", testKey[:len(testKey)-1]} {
			if got := do(t, t.Context(), method, base+path, key, "{}").StatusCode; got != 401 {
				t.Errorf("%s with key %q: got %d, want 401", route, key, got)
			}
		}
	}
	if got := do(t, t.Context(), "GET", base+"/health", "", "").StatusCode; got != 200 {
		t.Errorf("GET /health: got %d, want 200", got)
	}
}

func TestHealthIs503WhileLoading(t *testing.T) {
	base, e := start(t, func(s *settings) { s.loadDelay = time.Hour })
	if got := do(t, t.Context(), "GET", base+"/health", "", "").StatusCode; got != 503 {
		t.Errorf("while loading: got %d, want 503", got)
	}
	if got := do(t, t.Context(), "POST", base+"/completion", testKey, "{}").StatusCode; got != 503 {
		t.Errorf("completion while loading: got %d, want 503", got)
	}
	e.loaded.Store(true)
	if got := do(t, t.Context(), "GET", base+"/health", "", "").StatusCode; got != 200 {
		t.Errorf("loaded: got %d, want 200", got)
	}
}

func TestAnswersAreDeterministicForASeedAndSayDemo(t *testing.T) {
	base, _ := start(t, nil)
	content := func(seed string) string {
		var body struct{ Content string }
		if err := json.Unmarshal([]byte(text(t, base, "/completion", `{"prompt":"hi","n_predict":20,"seed":`+seed+`}`)), &body); err != nil {
			t.Fatal(err)
		}
		return body.Content
	}
	one := content("1")
	if again := content("1"); again != one {
		t.Errorf("seed 1 twice: %q and %q", one, again)
	}
	if other := content("2"); other == one {
		t.Errorf("seeds 1 and 2 both give %q", one)
	}
	if !strings.HasPrefix(one, "[demo]") {
		t.Errorf("got %q, want it to begin with [demo]", one)
	}
}

func TestStreamingGivesTheSameTextAsOnePiece(t *testing.T) {
	base, _ := start(t, nil)
	var whole struct {
		Choices []struct{ Message struct{ Content string } }
	}
	const chat = `{"messages":[{"role":"user","content":"hi"}],"max_tokens":9,"stream":`
	if err := json.Unmarshal([]byte(text(t, base, "/v1/chat/completions", chat+"false}")), &whole); err != nil {
		t.Fatal(err)
	}
	var streamed strings.Builder
	lines := bufio.NewScanner(strings.NewReader(text(t, base, "/v1/chat/completions", chat+`true,"stream_options":{"include_usage":true}}`)))
	last, usage := "", 0
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		last = data
		var piece struct {
			Choices []struct{ Delta struct{ Content string } }
			Usage   struct {
				CompletionTokens int `json:"completion_tokens"`
			}
		}
		if json.Unmarshal([]byte(data), &piece) == nil {
			for _, c := range piece.Choices {
				streamed.WriteString(c.Delta.Content)
			}
			usage += piece.Usage.CompletionTokens
		}
	}
	if got, want := streamed.String(), whole.Choices[0].Message.Content; got != want || got == "" {
		t.Errorf("streamed %q, whole %q", got, want)
	}
	if last != "[DONE]" || usage != 9 {
		t.Errorf("the stream ended with %q and %d tokens, want [DONE] and 9", last, usage)
	}
}

func TestAStopWordEndsTheAnswer(t *testing.T) {
	base, _ := start(t, nil)
	for path, body := range map[string]string{
		"/completion":     `{"prompt":"x","stop":[" model:"]}`,
		"/v1/completions": `{"prompt":"x","stop":" model:"}`,
	} {
		if got := text(t, base, path, body); !strings.Contains(got, `"[demo] not a"`) {
			t.Errorf("%s: got %s, want the text to be cut before the stop word", path, got)
		}
	}
}

func TestHangingUpFreesTheSlot(t *testing.T) {
	base, e := start(t, func(s *settings) { s.tokenDelay = time.Millisecond; s.parallel = 1 })
	ctx, hangUp := context.WithCancel(t.Context())
	response := do(t, ctx, "POST", base+"/completion", testKey, `{"prompt":"x","n_predict":60000,"stream":true}`)
	if _, err := response.Body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if len(e.slots) != 1 {
		t.Fatalf("slots in use: got %d, want 1", len(e.slots))
	}
	hangUp()
	testkit.Eventually(t, "the slot to be free", func() bool { return len(e.slots) == 0 })
}

func TestEmbeddingsAreUnitVectorsThatDependOnTheText(t *testing.T) {
	a, b := embedding("a"), embedding("b")
	var sum, product float64
	for i := range a {
		sum += a[i] * a[i]
		product += a[i] * b[i]
	}
	if math.Abs(sum-1) > 1e-9 || product > 0.99 || embedding("a")[0] != a[0] {
		t.Errorf("length² %v, likeness of two texts %v", sum, product)
	}
	base, _ := start(t, nil)
	if got := text(t, base, "/v1/embeddings", `{"input":["a","b"]}`); strings.Count(got, `"embedding":[`) != 2 {
		t.Errorf("got %.200s, want two embeddings", got)
	}
}

func TestRunRefusesWrongSettings(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"--api-key-file": {},
		"--parallel":     {"--api-key-file", empty, "--parallel", "0"},
		"unexpected":     {"--api-key-file", empty, "surplus"},
		"API key":        {"--api-key-file", empty},
	} {
		if err := Run(t.Context(), args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want an error about %s", args, err, want)
		}
	}
}
