package orchestrator_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator/app"
)

func (s *service) keep(status int, identity, text string) map[string]any {
	s.t.Helper()
	return s.want(status, identity, "infer", "POST", "/v2/artifacts", text)
}

func TestAnArtifactsIDIsTheDigestOfItsCanonicalContent(t *testing.T) {
	s := start(t, app.Options{})
	for sent, canonical := range map[string]string{
		`{"b": 1.0, "a": ["x",  null]}`:      `{"a":["x",null],"b":1.0}`,
		`"<script>&\u003c\u00e4"`:            `"<script>&<ä"`,
		`12345678901234567890`:               `12345678901234567890`,
		`{"a":{"z":true,"y":false},"a2":""}`: `{"a":{"y":false,"z":true},"a2":""}`,
	} {
		want := fmt.Sprintf("%x", sha256.Sum256([]byte(canonical)))
		if got := s.keep(201, "ci", `{"kind":"plan","content":`+sent+`}`); got["id"] != want || got["kind"] != "plan" {
			t.Errorf("%s: got %v, want the id %s", sent, got, want)
		}
		if got := s.want(200, "ci", "infer", "GET", "/v2/artifacts/"+want, nil); got["id"] != want || got["owner"] != "ci" {
			t.Errorf("%s: got %v", sent, got)
		}
	}
}

func TestTheSameArtifactAgainChangesNothing(t *testing.T) {
	s := start(t, app.Options{})
	first := s.keep(201, "ci", `{"kind":"diff","content":{"a":1},"tags":["x"]}`)["id"].(string)
	before := s.want(200, "ci", "infer", "GET", "/v2/artifacts/"+first, nil)
	s.keep(201, "ci", `{"kind":"diff","content":{ "a" : 1 },"tags":["x"]}`)
	if after := s.want(200, "ci", "infer", "GET", "/v2/artifacts/"+first, nil); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("got %v, want %v", after, before)
	}
	s.keep(409, "ci", `{"kind":"plan","content":{"a":1},"tags":["x"]}`)
	s.keep(201, "ci", `{"kind":"diff","content":{"a":2},"parent":"`+first+`"}`)
}

func TestArtifactsBelongToTheirIdentity(t *testing.T) {
	dir := t.TempDir()
	s := start(t, app.Options{StateDir: dir})
	id := s.keep(201, "ci", `{"kind":"other","content":"secret of ci"}`)["id"].(string)
	s.want(404, "eve", "infer", "GET", "/v2/artifacts/"+id, nil)
	s.keep(422, "eve", `{"kind":"other","content":1,"parent":"`+id+`"}`)
	if got := s.want(200, "root", "admin", "GET", "/v2/artifacts/"+id, nil); got["owner"] != "ci" {
		t.Errorf("an administrator: got %v", got)
	}
	if got := s.keep(201, "eve", `{"kind":"plan","content":"secret of ci"}`); got["id"] != id {
		t.Errorf("got %v, want the same id: it is the content's", got)
	}
	s.Stop(context.Background())
	s = start(t, app.Options{StateDir: dir})
	for identity, kind := range map[string]string{"ci": "other", "eve": "plan"} {
		if got := s.want(200, identity, "infer", "GET", "/v2/artifacts/"+id, nil); got["kind"] != kind || got["owner"] != identity {
			t.Errorf("%s after a restart: got %v, want its own, a %s", identity, got, kind)
		}
	}
}

func TestWrongArtifactsAreRefused(t *testing.T) {
	s := start(t, app.Options{})
	for name, text := range map[string]string{
		"no content":     `{"kind":"plan"}`,
		"null":           `{"kind":"plan","content":null}`,
		"a kind unknown": `{"kind":"virus","content":1}`,
		"an empty tag":   `{"kind":"plan","content":1,"tags":[""]}`,
		"a long tag":     `{"kind":"plan","content":1,"tags":["` + strings.Repeat("x", 129) + `"]}`,
		"a parent path":  `{"kind":"plan","content":1,"parent":"../../etc/passwd"}`,
		"no such parent": `{"kind":"plan","content":1,"parent":"` + strings.Repeat("0", 64) + `"}`,
		"another field":  `{"kind":"plan","content":1,"id":"x"}`,
	} {
		t.Log(name)
		s.keep(422, "ci", text)
	}
	s.keep(413, "ci", `{"kind":"plan","content":"`+strings.Repeat("\u2028", 300_000)+`"}`) // 6 bytes each when canonical
	for _, id := range []string{strings.Repeat("0", 64), "x", "%2e%2e", "*", ">", strings.Repeat("A", 64)} {
		if got, _, _ := s.send(s.request("ci", "infer", http.MethodGet, "/v2/artifacts/"+id, nil)); got != 404 {
			t.Errorf("%s: got %d, want 404", id, got)
		}
	}
}
