package httpapi

import (
	"net/http"
	"testing"
)

// TestACallGoesWhereItsConversationRan: the pool with the most free memory is chosen for
// each but those that say that they go on with one that ran elsewhere.
func TestACallGoesWhereItsConversationRan(t *testing.T) {
	s := serve(t, Options{})
	ran := make(chan string, 1)
	s.engine("n", 2, func(out frames, _ *http.Request, _ string) { ran <- "n"; out.hello() })
	where := func(body string, header ...string) string {
		t.Helper()
		s.want(200, "POST", "/v1/chat/completions", body, header...)
		return <-ran
	}
	const keyed = `{"model":"demo","prompt_cache_key":"k","stream":true}`
	where(chat, "X-Session-Id", "s")
	where(keyed)
	s.engine("a", 2, func(out frames, _ *http.Request, _ string) { ran <- "a"; out.hello() }) // is the first of equals
	for _, c := range []struct {
		want, body string
		header     []string
	}{
		{"n", chat, []string{"X-Session-Id", "s"}}, {"n", keyed, nil}, {"a", chat, nil}, {"a", chat, []string{"X-Session-Id", "other"}}, {"a", chat, []string{"X-OpenWebUI-Chat-Id", "s"}},
	} {
		if got := where(c.body, c.header...); got != c.want {
			t.Errorf("%s with %v ran at %s, want %s", c.body, c.header, got, c.want)
		}
	}
}
