package backend

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// A token that a client sends in the wrong place, or that the service itself sends,
// stands in none of its logs.
func TestBackendLogsHoldNoTokenOfTheirs(t *testing.T) {
	api, gateway, other := authmin.NewSecret("01a200ae-e6e6-42f6-b337-539a1b2aa701"), secretOf("gateway"), secretOf("other")
	var text bytes.Buffer
	backend, err := NewAuthenticator(AuthOptions{Service: "test", Listen: "127.0.0.1:0", Token: api, UpstreamToken: gateway,
		Others: []authmin.Secret{other, {}, api, other}, Log: slog.New(slog.NewJSONHandler(&text, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []authmin.Secret{api, gateway, other} {
		token := secret.Reveal()
		handler := backend.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			backend.Log().With("id", token).WithGroup("g").Error("failed on sk-"+token, "error", errors.New("asking /v1/"+token),
				"correlation_id", authmin.CorrelationID(r.Context()), "list", []string{token}, slog.Group("g", "path", r.URL.Path), "n", 1)
		}))
		for _, id := range []string{token, "req-" + token, strings.ToUpper(token) + "-x"} {
			for _, authorization := range []string{"", "Bearer " + token} {
				r := httptest.NewRequest("GET", "/v1/"+token+"/x", nil)
				r.Header.Set(authmin.HeaderCorrelationID, id)
				r.Header.Set("Authorization", authorization)
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				if leaks(strings.ToLower(fmt.Sprint(w.Header(), w.Body)), strings.ToLower(token)) {
					t.Errorf("with the id %q the answer holds the token: %v %s", id, w.Header(), w.Body)
				}
			}
		}
		if leaks(strings.ToLower(text.String()), strings.ToLower(token)) {
			t.Errorf("the log holds a token:\n%s", text.String())
		}
	}
	if !strings.Contains(text.String(), `"n":1`) || !strings.Contains(text.String(), "asking /v1/[redacted]") || !strings.Contains(text.String(), "auth_failed") {
		t.Errorf("the log says too little:\n%s", text.String())
	}
}

func TestBackendKeepsTheIDOfAClient(t *testing.T) {
	b := newBackend(t, secretOf("api"), secretOf("gateway"))
	for _, id := range []string{"mine-1", "01a200ae-e6e6-72f6-b337-539a1b2aa701"} {
		resp, _ := b.do(t, "GET", "/health", http.Header{authmin.HeaderCorrelationID: {id}})
		if got := resp.Header.Get(authmin.HeaderCorrelationID); got != id {
			t.Errorf("the id %q became %q", id, got)
		}
	}
}

func TestOptionsNeverPrintTheirTokens(t *testing.T) {
	options := AuthOptions{Service: "x", Token: secretOf("own"), UpstreamToken: secretOf("gateway"), Others: []authmin.Secret{secretOf("other")}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text := fmt.Sprintf(verb, options) + fmt.Sprintf(verb, &options)
		for _, name := range []string{"own", "gateway", "other"} {
			if leaks(text, tokenOf(name)) {
				t.Errorf("%s prints the token of %s", verb, name)
			}
		}
	}
	if text, err := json.Marshal(options.Others); err == nil && leaks(string(text), tokenOf("other")) {
		t.Errorf("JSON holds a token: %s", text)
	}
}
