package authmin

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// answer writes a problem, and returns what a client would see of it.
func answer(t *testing.T, p Problem, id string) *httptest.ResponseRecorder {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/secret-path", nil)
	if id != "" {
		r = r.WithContext(WithCorrelationID(r.Context(), id))
	}
	WriteProblem(w, r, p)
	return w
}

func TestWriteProblem(t *testing.T) {
	for _, p := range []Problem{ProblemMissingToken, ProblemBadToken, ProblemScope, ProblemForeignHost, ProblemForeignOrigin, ProblemDenied, ProblemBadRequest} {
		w := answer(t, p, "id-1")
		if w.Code != p.Status || p.CodeNumber/100 != p.Status {
			t.Errorf("%s: status %d, number %d", p.Code, w.Code, p.CodeNumber)
		}
		for name, want := range map[string]string{"Content-Type": "application/problem+json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", p.Code, name, got, want)
			}
		}
		var body map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("%s: %v", p.Code, err)
		}
		if body["code"] != p.Code || body["code_number"] != float64(p.CodeNumber) || body["status"] != float64(p.Status) ||
			body["title"] != p.Title || body["hint"] != p.Hint || body["correlation_id"] != "id-1" || body["type"] != "urn:llorch:problem:"+strings.ToLower(p.Code) || len(body) != 8 {
			t.Errorf("%s: got %s", p.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), "secret-path") {
			t.Errorf("%s repeats the request", p.Code)
		}
		if got := w.Header().Get("X-Should-Retry"); got != "false" {
			t.Errorf("%s: X-Should-Retry is %q", p.Code, got)
		}
	}
}

func TestExtraMembersDoNotReplaceOurs(t *testing.T) {
	p := ProblemDenied
	p.Extra = map[string]any{"status": 200, "code": "OK", "title": "x", "type": "x", "hint": "x", "code_number": 0, "correlation_id": "x", "task_id": "t"}
	var body map[string]any
	if err := json.Unmarshal(answer(t, p, "id-1").Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if body["status"] != 403.0 || body["code"] != "DENIED" || body["correlation_id"] != "id-1" || body["code_number"] != 40305.0 || body["task_id"] != "t" {
		t.Errorf("got %v", body)
	}
	p.Extra = map[string]any{"broken": func() {}}
	if w := answer(t, p, ""); !json.Valid(w.Body.Bytes()) {
		t.Errorf("an extra member that is no JSON gives %s", w.Body)
	}
}

// An answer must not say in which way a token is not valid.
func TestInvalidTokensAnswerTheSame(t *testing.T) {
	g, answers := guardOf(t, fourKinds(t)), map[string]bool{}
	for _, name := range []string{"x", "old", "gone", "later"} {
		d := g.Decide(request("GET", "/v1/models", bearer(name)), noon)
		if d.Problem == nil {
			t.Fatalf("%s is allowed", name)
		}
		w := answer(t, *d.Problem, "id-of-"+name)
		body := strings.ReplaceAll(w.Body.String(), "id-of-"+name, "id")
		w.Header().Del("Content-Length") // the id's
		var header strings.Builder
		_ = w.Header().Write(&header)
		answers[Challenge(*d.Problem, nil)+header.String()+body] = true
	}
	if len(answers) != 1 {
		t.Errorf("unknown, expired, revoked and future tokens get %d different answers: %v", len(answers), answers)
	}
}

func TestChallenge(t *testing.T) {
	cases := map[string]struct {
		p    Problem
		want string
	}{
		"no token, so no error":    {ProblemMissingToken, `Bearer realm="llorch"`},
		"a bad token":              {ProblemBadToken, `Bearer realm="llorch", error="invalid_token"`},
		"a missing scope":          {ProblemScope, `Bearer realm="llorch", error="insufficient_scope", scope="infer nodes"`},
		"an ambiguous request":     {ProblemBadRequest, `Bearer realm="llorch", error="invalid_request"`},
		"a denied request":         {ProblemDenied, ""},
		"a request of elsewhere":   {ProblemForeignHost, ""},
		"a page of another origin": {ProblemForeignOrigin, ""},
	}
	for name, c := range cases {
		if got := Challenge(c.p, []Scope{ScopeInfer, ScopeNodes}); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestEveryReasonHasAnAnswer(t *testing.T) {
	want := map[Reason]*Problem{ReasonMissing: &ProblemMissingToken, ReasonHost: &ProblemForeignHost, ReasonOrigin: &ProblemForeignOrigin}
	for _, reason := range Reasons() {
		p := ProblemFor(reason)
		if w := want[reason]; w != nil && p != w || w == nil && p != &ProblemBadToken || p.Status < http.StatusBadRequest {
			t.Errorf("%s: got %v", reason, p)
		}
	}
}
