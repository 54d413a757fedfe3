package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/integration/testkit"
)

const (
	statusOwn      = "canary-own-0123456789abcdefghijklmnopqrst"
	statusUpstream = "canary-upstream-0123456789abcdefghijklmno"
)

// asked serves an answer to GET /v2/meta/replica and keeps the request.
func asked(t *testing.T, answer string, code int) (address string, last func() *http.Request) {
	t.Helper()
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), func() *http.Request { s.Close(); return got }
}

func TestStatusIsForPeople(t *testing.T) {
	answer, err := os.ReadFile("testdata/replica.json")
	if err != nil {
		t.Fatal(err)
	}
	address, _ := asked(t, string(answer), http.StatusOK)
	lookup := environment("ORCHD_ADDR", address, "ORCHD_STATE_DIR", t.TempDir(), "LLORCH_API_TOKEN", statusOwn)
	var out, raw bytes.Buffer
	if err := run(t.Context(), []string{"status"}, lookup, &out, io.Discard); !errors.Is(err, errNotReady) {
		t.Errorf("of a replica without a quorum: got %v, want %v", err, errNotReady)
	}
	testkit.Golden(t, "testdata/status.txt", out.Bytes())
	if err := run(t.Context(), []string{"status", "--json"}, lookup, &raw, io.Discard); !errors.Is(err, errNotReady) || raw.String() != string(answer) {
		t.Errorf("--json: got %v and\n%s", err, raw.String())
	}
}

// A caller's own credential needs no headers. The gateway's has no scope without them, and
// gets the smallest.
func TestStatusAsksWithOneOfTheCredentials(t *testing.T) {
	const ready = `{"replica":"r","groups":[]}`
	for name, c := range map[string]struct {
		env           []string
		token, scopes string
	}{
		"its own":       {[]string{"LLORCH_API_TOKEN", statusOwn}, statusOwn, ""},
		"the gateway's": {[]string{"LLORCH_UPSTREAM_TOKEN", statusUpstream}, statusUpstream, "metrics"},
		"both":          {[]string{"LLORCH_API_TOKEN", statusOwn, "LLORCH_UPSTREAM_TOKEN", statusUpstream}, statusOwn, ""},
	} {
		address, last := asked(t, ready, http.StatusOK)
		env := append([]string{"ORCHD_ADDR", address, "ORCHD_STATE_DIR", t.TempDir()}, c.env...)
		if err := run(t.Context(), []string{"status"}, environment(env...), io.Discard, io.Discard); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		r := last()
		if got := r.Header.Get("Authorization"); got != "Bearer "+c.token || r.Header.Get("X-Auth-Scopes") != c.scopes || r.URL.Path != "/v2/meta/replica" {
			t.Errorf("%s: got %s with scopes %q", name, r.URL.Path, r.Header.Get("X-Auth-Scopes"))
		}
	}
}

func TestStatusSaysWhyItHasNone(t *testing.T) {
	refusing, _ := asked(t, `{"code":"AUTH_INVALID"}`, http.StatusUnauthorized)
	garbage, _ := asked(t, "<html>", http.StatusOK)
	large, _ := asked(t, strings.Repeat(" ", maxStatusBytes+1), http.StatusOK)
	for name, c := range map[string]struct{ address, want string }{
		"it is down":      {testkit.FreeAddress(t), "does not answer"},
		"it refuses":      {refusing, "401: AUTH_INVALID"},
		"another service": {garbage, "reading the answer"},
		"endless":         {large, "more than"},
	} {
		env := environment("ORCHD_ADDR", c.address, "ORCHD_STATE_DIR", t.TempDir(), "LLORCH_API_TOKEN", statusOwn)
		if err := run(t.Context(), []string{"status"}, env, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), statusOwn) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestStatusOfARunningOne asks the real one, with the gateway's credential.
func TestStatusOfARunningOne(t *testing.T) {
	address := testkit.FreeAddress(t)
	lookup := environment("ORCHD_ADDR", address, "ORCHD_STATE_DIR", t.TempDir(), "LLORCH_UPSTREAM_TOKEN", statusUpstream)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- run(ctx, nil, lookup, io.Discard, io.Discard) }()
	defer func() { cancel(); testkit.Receive(t, done, "the end") }()
	testkit.Within(t, testkit.Limit, "it is healthy", func() error { return backend.LocalCheck(address, "/ready").Ask(t.Context()) })
	var out bytes.Buffer
	if err := run(t.Context(), []string{"status"}, lookup, &out, io.Discard); err != nil || !strings.Contains(out.String(), "takes work, schedules") {
		t.Errorf("got %v and\n%s", err, out.String())
	}
}
