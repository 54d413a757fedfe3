package orchestrator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin/jsonbody"
)

func TestAttributionNamesAConversation(t *testing.T) {
	header := func(name, value string) http.Header { h := http.Header{}; h.Set(name, value); return h }
	body := func(text string) *jsonbody.Scanner {
		s := jsonbody.New(jsonbody.Options{Watch: attributingMembers})
		if _, err := s.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	long := strings.Repeat("x", maxAttribution+1)
	seen := map[string]string{}
	for name, got := range map[string]string{
		"claude": attribution("ci", header("x-claude-code-session-id", "a"), nil), "webui": attribution("ci", header("X-OpenWebUI-Chat-Id", "a"), nil),
		"of another": attribution("bob", header("x-session-id", "a"), nil), "member of another": attribution("bob", nil, body(`{"user":"a"}`)),
		"session": attribution("ci", header("x-session-id", "a"), nil), "another": attribution("ci", header("x-session-id", "b"), nil),
		"member": attribution("ci", nil, body(`{"session_id":"a"}`)), "key": attribution("ci", nil, body(`{"prompt_cache_key":"a"}`)), "user": attribution("ci", nil, body(`{"user":"a"}`)),
	} {
		if got == "" || len(got) > 64 || seen[got] != "" {
			t.Errorf("%s: got %q, as %q", name, got, seen[got])
		}
		seen[got] = name
	}
	for name, got := range map[string]string{
		"none": attribution("ci", nil, body(`{"x":1}`)), "a long header": attribution("ci", header("x-session-id", long), nil),
		"a long member": attribution("ci", nil, body(`{"user":"`+long+`"}`)), "no text": attribution("ci", nil, body(`{"user":7}`)),
	} {
		if got != "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestAffinityIsBoundedAndOfOneIdentity(t *testing.T) {
	a, now := newAffinity(), time.Now()
	n := Needs{Model: "m", Attribution: "c"}
	a.ran("ann", n, "n/p", now)
	a.ran("ann", Needs{Model: "m"}, "n/q", now)
	for name, c := range map[string]struct {
		owner string
		needs Needs
		at    time.Time
		want  string
	}{
		"the same":      {"ann", n, now, "n/p"},
		"another's":     {"bob", n, now, ""},
		"another model": {"ann", Needs{Model: "k", Attribution: "c"}, now, ""},
		"none":          {"ann", Needs{Model: "m"}, now, ""},
		"too late":      {"ann", n, now.Add(affinityTTL), ""},
	} {
		if got := a.home(c.owner, c.needs, c.at); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	for i := range maxConversations {
		a.ran("ann", Needs{Model: "m", Attribution: fmt.Sprint(i)}, "n/p", now)
	}
	if got := a.home("ann", n, now); got != "" {
		t.Errorf("the oldest of too many is at %q", got)
	}
	for i := range maxConversing {
		a.ran(fmt.Sprint(i), n, "n/p", now)
	}
	if a.owners.Len() != maxConversing || a.home("ann", Needs{Model: "m", Attribution: "1"}, now) != "" {
		t.Errorf("%d identities are remembered", a.owners.Len())
	}
}
