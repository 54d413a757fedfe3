package page

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A path that is not the data's own, byte for byte, gets no data: without a token it is
// refused, and with one the handler has nothing there.
func TestOtherSpellingsOfTheDataAreRefused(t *testing.T) {
	s := serve(t, options, "")
	for _, path := range []string{
		"/data/live/", "/DATA/live", "/data/Live", "//data/live", "/data//live", "/./data/live", "/data/../data/live",
		"/page.js/../data/live", "/page.js/data/live", "/data%2Flive", "/data/live%00", "/data/live;x", "/data\\live",
		"/data/live.js", "/data/tasks", "/data/tasks/", "/data/tasks/../live", "/data/tasks/1/events/", "/data/tasks//events",
		"/data/tasks/1%2F..%2F..%2Fnodes/events", "/data/tasks/1?x=/events", "/data/tasks/1/cancel",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, "get"} {
			for _, as := range []string{"", asUser} {
				status, body := send(t, method, s.page, path, as)
				if status < 400 || strings.Contains(body, "event:") || as == "" && status != 400 && status != 401 {
					t.Errorf("%s %s as %.12q: status %d, %q", method, path, as, status, body)
				}
			}
		}
	}
}

// send sends a path as it is, without escapes.
func send(t *testing.T, method, base, path, as string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, base, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = path
	if strings.HasPrefix(path, "//") {
		r.URL.Opaque = base + path // an absolute form, which keeps both slashes
	}
	if as != "" {
		r.Header.Set("Authorization", as)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
