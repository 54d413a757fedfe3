package clients_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anthropics/anthropic-sdk-go/v2"
	anthropicoption "github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/openai/openai-go/v3"
	openaioption "github.com/openai/openai-go/v3/option"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// busyOnce answers the first request of each token with 503, as an engine does that loads
// its model, and passes the others on to the demo engine.
func busyOnce(t *testing.T) string {
	t.Helper()
	address := testkit.FreeAddress(t)
	target, err := url.Parse("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	key, keyFile := authmin.RandomSecret().Reveal(), filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Start(t, nil, "demo-engine", "--port", target.Port(), "--api-key-file", keyFile).Listening(t, address)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Set("Authorization", "Bearer "+key)
	}}
	var seen sync.Map
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, again := seen.LoadOrStore(r.Header.Get("X-Auth-Identity"), true); !again {
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"error":{"message":"the model is being loaded","type":"unavailable_error","code":503}}`, http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(busy.Close)
	return busy.Listener.Addr().String()
}

// startLimited runs a gateway that gives each identity one request a second, and an
// engine that is busy at the first request of each.
func startLimited(t *testing.T, names ...string) (base string, tokens map[string]string) {
	t.Helper()
	dir, address := t.TempDir(), testkit.FreeAddress(t)
	tokens = make(map[string]string)
	var ring []authmin.Token
	for _, name := range names {
		secret := authmin.RandomSecret()
		tokens[name] = secret.Reveal()
		ring = append(ring, authmin.NewToken(name, secret, authmin.ScopeInfer))
	}
	keyring := filepath.Join(dir, "tokens")
	if err := authmin.WriteKeyringFile(keyring, ring); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, fmt.Appendf(nil, `{
	admin off
	persist_config off
	log {
		format authmin
	}
	authmin {
		token_file %s
	}
}
http://%s {
	bind 127.0.0.1
	authmin engine {
		require infer POST /v1/chat/completions /v1/messages
		limit 60 1m 1
	}
	reverse_proxy %s
}
`, keyring, address, busyOnce(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	gatewaytest.Start(t, nil, "run", "--adapter", "caddyfile", "--config", config).Listening(t, address)
	return "http://" + address, tokens
}

// statuses counts the answers that a client gets to the requests of one call.
type statuses struct{ ok, limited, unavailable, other atomic.Int64 }

func (s *statuses) note(r *http.Request, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
	answer, err := next(r)
	switch {
	case err != nil:
		s.other.Add(1)
	case answer.StatusCode == http.StatusOK:
		s.ok.Add(1)
	case answer.StatusCode == http.StatusTooManyRequests:
		s.limited.Add(1)
	case answer.StatusCode == http.StatusServiceUnavailable:
		s.unavailable.Add(1)
	default:
		s.other.Add(1)
	}
	return answer, err
}

// want is one 503 of the engine, at least one 429 of the guard (the retry of an SDK may
// come before its second has passed), and one answer for each call.
func (s *statuses) want(t *testing.T, calls int64) {
	t.Helper()
	if s.ok.Load() != calls || s.unavailable.Load() != 1 || s.limited.Load() < 1 || s.other.Load() != 0 {
		t.Errorf("answers: 200 %d times, 503 %d, 429 %d, others %d; want %d, 1, at least 1, 0",
			s.ok.Load(), s.unavailable.Load(), s.limited.Load(), s.other.Load(), calls)
	}
}

// TestOfficialClientsRetry has SDKs repeat, by their own rules, what the guard's limit and
// a busy engine refuse for now: their callers see answers only.
func TestOfficialClientsRetry(t *testing.T) {
	const calls = 3
	base, tokens := startLimited(t, "openai", "openai-stream", "anthropic", "anthropic-stream")
	openaiClient := func(name string, s *statuses) openai.Client {
		return openai.NewClient(openaioption.WithBaseURL(base+"/v1"), openaioption.WithAPIKey(tokens[name]),
			openaioption.WithMaxRetries(5), openaioption.WithRequestTimeout(limit), openaioption.WithMiddleware(s.note))
	}
	anthropicClient := func(name string, s *statuses) anthropic.Client {
		return anthropic.NewClient(anthropicoption.WithoutEnvironmentDefaults(), anthropicoption.WithBaseURL(base), anthropicoption.WithAPIKey(tokens[name]),
			anthropicoption.WithMaxRetries(5), anthropicoption.WithRequestTimeout(limit), anthropicoption.WithMiddleware(s.note))
	}
	for name, call := range map[string]func(*testing.T, *statuses) error{
		"openai": func(t *testing.T, s *statuses) error {
			c := openaiClient("openai", s)
			_, err := c.Chat.Completions.New(t.Context(), chatParams())
			return err
		},
		"openai-stream": func(t *testing.T, s *statuses) error {
			c := openaiClient("openai-stream", s)
			stream := c.Chat.Completions.NewStreaming(t.Context(), chatParams())
			defer stream.Close()
			for stream.Next() {
			}
			return stream.Err()
		},
		"anthropic": func(t *testing.T, s *statuses) error {
			c := anthropicClient("anthropic", s)
			_, err := c.Messages.New(t.Context(), messageParams())
			return err
		},
		"anthropic-stream": func(t *testing.T, s *statuses) error {
			c := anthropicClient("anthropic-stream", s)
			stream := c.Messages.NewStreaming(t.Context(), messageParams())
			defer stream.Close()
			for stream.Next() {
			}
			return stream.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s statuses
			for i := range calls {
				if err := call(t, &s); err != nil {
					t.Fatalf("call %d: %v", i, err)
				}
			}
			s.want(t, calls)
		})
	}
}
