package backend

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

// endLimit is how long a stream whose token has gone may stay open.
const endLimit = time.Second

// streamServer is a guarded service that sends one byte and then nothing, until
// its context ends.
func streamServer(t *testing.T) (*Authenticator, *httptest.Server) {
	t.Helper()
	guard, err := NewAuthenticator(AuthOptions{Service: "test", Listen: "127.0.0.1:0", Token: secretOf("own"), UpstreamToken: secretOf("gateway")})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "x")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return guard, server
}

// openStream returns when the first byte is there; ended is closed with the stream.
func openStream(t *testing.T, server *httptest.Server, token string) (ended chan struct{}) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(answer.Body, make([]byte, 1)); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("got %d, %v, want a stream", answer.StatusCode, err)
	}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	}()
	return ended
}

func TestACallersStreamEndsWithItsToken(t *testing.T) {
	guard, server := streamServer(t)
	own, gateway := openStream(t, server, tokenOf("own")), openStream(t, server, tokenOf("gateway"))
	if err := guard.SetTokens(secretOf("own"), secretOf("gateway 2")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-own:
		t.Fatal("a stream ended although its token is still valid")
	default:
	}
	if err := guard.SetTokens(secretOf("own 2"), secretOf("gateway 2")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-own:
	case <-time.After(endLimit):
		t.Error("the stream of a token that has gone is still open")
	}
	select {
	case <-gateway:
		t.Error("a stream that the gateway sent ended")
	default:
	}
	again := openStream(t, server, tokenOf("own 2"))
	select {
	case <-again:
		t.Error("the new token's stream ended")
	default:
	}
}

func TestSetTokensRefusesWhatAStartWouldRefuse(t *testing.T) {
	cases := map[string]struct {
		token, upstream authmin.Secret
		want            string
	}{
		"equal ones":                   {secretOf("a"), secretOf("a"), "must differ"},
		"a weak one":                   {authmin.NewSecret("short"), secretOf("a"), "fewer"},
		"one that is gone":             {secretOf("a"), authmin.Secret{}, "missing"},
		"none":                         {authmin.Secret{}, authmin.Secret{}, "missing"},
		"two that have been exchanged": {secretOf("gateway"), secretOf("own"), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			guard, server := streamServer(t)
			stream := openStream(t, server, tokenOf("own"))
			err := guard.SetTokens(c.token, c.upstream)
			if c.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}
			select {
			case <-stream:
				t.Error("a refused change ended a stream")
			default:
			}
			_ = openStream(t, server, tokenOf("own"))
		})
	}
}
