package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

const (
	tokenFresh      = "canary-fresh-0123456789abcdefghijklmnop"
	upstreamFresh   = "canary-upstream-fresh-0123456789abcdefg"
	hiddenInNoError = "canary"
)

// replaceFile puts a file into place with one rename.
func replaceFile(t *testing.T, path, content string) {
	t.Helper()
	writeFile(t, path+".new", content, 0o600)
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// secretStore is a store with a client's token and a guard's upstream token in
// files, and a keyring file beside them.
type secretStore struct {
	*tokenStore
	logs                     *observer.ObservedLogs
	upstream                 *upstreamCredential
	token, credential, files string
}

func newSecretStore(t *testing.T) *secretStore {
	t.Helper()
	dir := t.TempDir()
	s := &secretStore{token: filepath.Join(dir, "token"), credential: filepath.Join(dir, "upstream"), files: filepath.Join(dir, "tokens")}
	writeFile(t, s.token, tokenInfer+"\n", 0o600)
	writeFile(t, s.credential, tokenUpstream+"\n", 0o600)
	writeKeyring(t, s.files, keyringLine("boss", tokenAdmin, "admin"))
	core, logs := observer.New(zap.InfoLevel)
	s.logs = logs
	m, err := provisionMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	ci, err := TokenSource{Name: "ci", Source: "{file." + s.token + "}", Scopes: []authmin.Scope{"infer"}}.resolve()
	if err != nil {
		t.Fatal(err)
	}
	if s.tokenStore, err = newTokenStore(nil, []string{s.files}, zap.New(core), quietAudit(t, m), m, ci); err != nil {
		t.Fatal(err)
	}
	if s.upstream, err = s.addUpstream("edge", "{file."+s.credential+"}"); err != nil {
		t.Fatal(err)
	}
	s.watch()
	return s
}

func (s *secretStore) pollTwice() {
	s.pollSecrets()
	s.pollSecrets()
}

func (s *secretStore) sends(token string) bool {
	return s.upstream.value().Equal(authmin.NewSecret("Bearer "+token)) && s.upstream.secret().Equal(authmin.NewSecret(token))
}

func TestTheStoreFollowsTheFilesOfSingleSecrets(t *testing.T) {
	s := newSecretStore(t)
	replaceFile(t, s.token, tokenFresh)
	replaceFile(t, s.credential, upstreamFresh)
	if s.pollTwice(); !s.knows(tokenFresh) || s.knows(tokenInfer) || !s.knows(tokenAdmin) {
		t.Error("the client's new token is not in use, or its old one still is")
	}
	if !s.sends(upstreamFresh) {
		t.Error("the guard still sends the old credential")
	}
	for _, entry := range s.logs.All() {
		if text := entry.Message + entryText(entry); strings.Contains(strings.ReplaceAll(text, filepath.Dir(s.token), ""), hiddenInNoError) {
			t.Errorf("the log holds a token: %s", text)
		}
	}
}

// The client's token and the gateway's own must differ after a change as at a
// start, whichever of them changed, and wherever the client's is.
func TestEqualTokensAreRefusedWhileServing(t *testing.T) {
	cases := map[string]struct {
		change func(t *testing.T, s *secretStore)
		kind   string
	}{
		"the client's becomes the gateway's":     {func(t *testing.T, s *secretStore) { replaceFile(t, s.token, tokenUpstream) }, sourceToken},
		"the gateway's becomes the client's":     {func(t *testing.T, s *secretStore) { replaceFile(t, s.credential, tokenInfer) }, sourceUpstream},
		"the gateway's becomes one of a keyring": {func(t *testing.T, s *secretStore) { replaceFile(t, s.credential, tokenAdmin) }, sourceUpstream},
		"one of a keyring becomes the gateway's": {func(t *testing.T, s *secretStore) {
			writeKeyring(t, s.files, keyringLine("boss", tokenUpstream, "admin"))
		}, sourceTokenFile},
		"the client's becomes one of a keyring": {func(t *testing.T, s *secretStore) { replaceFile(t, s.token, tokenAdmin) }, sourceToken},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSecretStore(t)
			before := value(t, s.metrics.sourceErrors.WithLabelValues(c.kind))
			c.change(t, s)
			for range 4 {
				s.poll()
				s.pollSecrets()
			}
			if !s.knows(tokenInfer) || !s.knows(tokenAdmin) || s.knows(tokenUpstream) || !s.sends(tokenUpstream) {
				t.Error("the last good secrets are not in use")
			}
			if n := value(t, s.metrics.sourceErrors.WithLabelValues(c.kind)) - before; n != 1 {
				t.Errorf("the metric grew by %v, want 1", n)
			}
			if n := s.unusable(); n != 1 {
				t.Errorf("%d files are unusable, want 1", n)
			}
			if errors := s.logs.FilterLevelExact(zap.ErrorLevel).Len(); errors != 1 {
				t.Errorf("the log has %d errors, want 1", errors)
			}
		})
	}
}

// A keyring file that had to wait for a single secret is in use as soon as that
// has changed.
func TestAKeyringWaitsForASecret(t *testing.T) {
	s := newSecretStore(t)
	writeKeyring(t, s.files, keyringLine("boss", tokenInfer, "admin"))
	s.poll()
	replaceFile(t, s.token, tokenFresh)
	if s.pollTwice(); !s.knows(tokenFresh) || !s.knows(tokenInfer) || s.knows(tokenAdmin) {
		t.Error("the keyring is not in use after the token that it collided with has changed")
	}
}

func TestAChangedChainKeyIsRefusedWhileRunning(t *testing.T) {
	s := newSecretStore(t)
	key := filepath.Join(t.TempDir(), "key")
	writeFile(t, key, tokenFresh, 0o600)
	var err error
	if s.chains, err = chainKeys([]AuditSink{{Sink: sinkFile, Path: "/var/log/audit", Chain: key}}); err != nil {
		t.Fatal(err)
	}
	s.watch()
	before := value(t, s.metrics.sourceErrors.WithLabelValues(sourceChain))
	replaceFile(t, key, upstreamFresh)
	replaceFile(t, s.token, "canary-another-0123456789abcdefghijklmn")
	if s.pollTwice(); s.knows(tokenInfer) {
		t.Error("the chain's key keeps a token from changing")
	}
	if n := value(t, s.metrics.sourceErrors.WithLabelValues(sourceChain)) - before; n != 1 || !s.chains[0].Secret().Equal(authmin.NewSecret(tokenFresh)) {
		t.Errorf("the metric grew by %v, want 1, and the key to stay", n)
	}
}

// A gateway as it runs: an unchanged configuration, other files. The old token is
// refused, its stream ends, and the upstream gets the new credential.
func TestAGatewayFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	token, credential := filepath.Join(dir, "token"), filepath.Join(dir, "upstream")
	writeFile(t, token, tokenInfer, 0o600)
	writeFile(t, credential, tokenUpstream, 0o600)
	var seen atomic.Value
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/stream" {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		seen.Store(r.Header.Get("Authorization"))
	}))
	t.Cleanup(upstream.Close)
	for name, option := range map[string]string{"a block": "\tauthmin {\n\t\ttoken ci {file." + token + "} infer\n\t}\n", "the environment": ""} {
		t.Run(name, func(t *testing.T) {
			replaceFile(t, token, tokenInfer)
			replaceFile(t, credential, tokenUpstream)
			if option == "" {
				t.Setenv(EnvToken+"_FILE", token)
			}
			g := &gateway{}
			t.Cleanup(forgetLockouts(t))
			g.start(t, false, option, "\tauthmin {\n\t\trequire infer /v1/*\n\t\tupstream_token {file."+credential+"}\n\t}\n\treverse_proxy "+strings.TrimPrefix(upstream.URL, "http://")+"\n")
			status := func(bearer string) int {
				answer, _ := g.ask(t, plainClient(), "GET", "/v1/x", "Authorization: Bearer "+bearer)
				return answer.StatusCode
			}
			if got := status(tokenInfer); got != 200 || seen.Load() != "Bearer "+tokenUpstream {
				t.Fatalf("before the change: got %d", got)
			}
			request, err := http.NewRequestWithContext(t.Context(), "GET", g.base+"/v1/stream", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+tokenInfer)
			stream, err := plainClient().Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Body.Close()
			replaceFile(t, token, tokenFresh)
			replaceFile(t, credential, upstreamFresh)
			testkit.Eventually(t, "the new token", func() bool { return status(tokenFresh) == 200 })
			testkit.Eventually(t, "the new credential", func() bool { return status(tokenFresh) == 200 && seen.Load() == "Bearer "+upstreamFresh })
			if got := status(tokenInfer); got != 401 && got != 429 { // 429: the client was too early with the new one
				t.Errorf("the old token: got %d, want 401 or 429", got)
			}
			ended := make(chan struct{})
			go func() { defer close(ended); _, _ = stream.Body.Read(make([]byte, 1)) }()
			testkit.Eventually(t, "the end of the old token's stream", func() bool {
				select {
				case <-ended:
					return true
				default:
					return false
				}
			})
		})
	}
}
