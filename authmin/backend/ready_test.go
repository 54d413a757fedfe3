package backend

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReadinessHasAStatusAndAReason(t *testing.T) {
	for reason, want := range map[NotReady]string{
		"": `200 {"status":"ready"}`, Starting: `503 {"status":"not_ready","reason":"starting"}`, Draining: `503 {"status":"not_ready","reason":"draining"}`,
		NoQuorum: `503 {"status":"not_ready","reason":"no_quorum"}`, DiskFull: `503 {"status":"not_ready","reason":"disk_full"}`,
	} {
		a := newTestAPI(io.Discard)
		a.AddReady(func() NotReady { return reason })
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", "/ready", nil))
		if got := w.Result().Status[:3] + " " + strings.TrimSpace(w.Body.String()); got != want {
			t.Errorf("%q: got %s, want %s", reason, got, want)
		}
	}
}

// While a service starts, it lives and is not ready; every other request is not answered.
func TestAStartingServiceLivesAndIsNotReady(t *testing.T) {
	for target, want := range map[string]string{
		"GET /health": `200 {"status":"ok"}`, "HEAD /health": "200", "GET /ready": `503 {"status":"not_ready","reason":"starting"}`, "HEAD /ready": "503",
		"POST /health": "", "GET /ready/": "", "GET /v2/tasks": "",
	} {
		method, path, _ := strings.Cut(target, " ")
		w := httptest.NewRecorder()
		answered := AnswerStarting(w, httptest.NewRequest(method, path, nil))
		got := ""
		if answered {
			got = w.Result().Status[:3] + " " + strings.TrimSpace(w.Body.String())
		}
		if answered != (want != "") || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}
