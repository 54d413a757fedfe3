package page

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The files are public, and every answer has the headers that make the page's origin its
// own.
func TestFilesHaveTheirHeaders(t *testing.T) {
	s := serve(t, options, "")
	for path, kind := range map[string]string{"/": "text/html; charset=utf-8", "/page.css": "text/css; charset=utf-8", "/page.js": "text/javascript; charset=utf-8", "/table.js": "text/javascript; charset=utf-8", "/icon.svg": "image/svg+xml"} {
		answer := ask(t, t.Context(), http.MethodGet, s.page+path)
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK || len(body) == 0 {
			t.Errorf("%s: status %d, %d bytes, %v", path, answer.StatusCode, len(body), err)
		}
		expectHeaders(t, path, answer, kind)
		again := ask(t, t.Context(), http.MethodGet, s.page+path, "If-None-Match: "+answer.Header.Get("Etag"))
		if again.StatusCode != http.StatusNotModified {
			t.Errorf("%s again: status %d, want 304", path, again.StatusCode)
		}
		if head := ask(t, t.Context(), http.MethodHead, s.page+path); head.StatusCode != http.StatusOK {
			t.Errorf("HEAD %s: status %d", path, head.StatusCode)
		}
	}
	live := ask(t, t.Context(), http.MethodGet, s.page+livePath, "Authorization: "+asUser)
	expectHeaders(t, livePath, live, "text/event-stream")
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
		if got := live.Header.Get(name); got != want {
			t.Errorf("%s: %s %q, want %q", livePath, name, got, want)
		}
	}
}

func expectHeaders(t *testing.T, path string, answer *http.Response, kind string) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Type":                 kind,
		"Content-Security-Policy":      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Embedder-Policy": "require-corp",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Set-Cookie":                   "",
		"Access-Control-Allow-Origin":  "",
	} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s: %s is %q, want %q", path, name, got, want)
		}
	}
}

// No other path answers without a token, from this machine, with the bypass on.
func TestDataNeedATokenUnderTheBypass(t *testing.T) {
	s := serve(t, options, "")
	bypassed := ask(t, t.Context(), http.MethodGet, s.other+"/v1/x")
	if bypassed.StatusCode != http.StatusOK {
		t.Fatalf("the bypass is off: status %d", bypassed.StatusCode)
	}
	for _, c := range []struct {
		method, path string
		fields       []string
		want         int
	}{
		{"GET", livePath, nil, 401},
		{"GET", livePath, []string{"Authorization: Bearer " + strings.Repeat("x", 40)}, 401},
		{"GET", livePath + "?token=" + tokenUser, nil, 401},
		{"GET", livePath, []string{"Cookie: token=" + tokenUser}, 401},
		{"GET", livePath, []string{"X-Api-Key: " + tokenUser}, 401},
		{"GET", livePath, []string{"X-Auth-Identity: boss", "X-Auth-Scopes: admin"}, 401},
		{"POST", livePath, nil, 401},
		{"POST", livePath, []string{"Authorization: " + asBoss}, 403},
		{"GET", tasksPath + "0190-1/events", nil, 401},
		{"GET", tasksPath + "0190-1/events", []string{"Authorization: " + asBoss}, 404}, // no orchestrator
		{"GET", tasksPath + "x", []string{"Authorization: " + asBoss}, 404},
		{"POST", "/", nil, 401},
		{"GET", "/index.html", nil, 401},
		{"GET", "/files/page.js", nil, 401},
		{"GET", "/data/", nil, 401},
		{"OPTIONS", livePath, []string{"Origin: https://evil.example", "Access-Control-Request-Method: GET"}, 401},
	} {
		answer := ask(t, t.Context(), c.method, s.page+c.path, c.fields...)
		if answer.StatusCode != c.want {
			t.Errorf("%s %s %q: status %d, want %d", c.method, c.path, c.fields, answer.StatusCode, c.want)
		}
		if got := answer.Header.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s %s: other origins may read it: %q", c.method, c.path, got)
		}
	}
}

// The handler itself gives data to no request that such a guard has not allowed.
func TestWithoutItsGuardThereAreNoData(t *testing.T) {
	p := &Page{readers: newReaders(1), paces: defaultPaces}
	for _, path := range []string{livePath, tasksPath + "1/events", "/else"} {
		w := httptest.NewRecorder()
		r, _ := http.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("X-Auth-Identity", "boss")
		r.Header.Set("X-Auth-Scopes", "admin")
		if err := p.ServeHTTP(w, r, nil); err != nil || w.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d, %v", path, w.Code, err)
		}
	}
}
