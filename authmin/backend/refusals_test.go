package backend

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/llorch/gateway/authmin"
)

// TestACallerWithAListIsRefusedByTheRouter, with the scope of the route.
func TestACallerWithAListIsRefusedByTheRouter(t *testing.T) {
	few, err := authmin.ParseModels("tiny")
	if err != nil {
		t.Fatal(err)
	}
	a := newTestAPI(io.Discard)
	a.AddRaw(authmin.ScopeAdmin, "/documents", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for name, c := range map[string]struct {
		models *authmin.Models
		status int
	}{"a list": {few, 403}, "every model": {nil, 204}} {
		r := httptest.NewRequest("GET", "/documents", nil)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), Caller{Name: "x", Scopes: authmin.AllScopes(), Models: c.models})))
		if w.Code != c.status {
			t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, c.status)
		}
	}
}

// TestOnlyHealthAndReadyNeedNothing, also when another operation says that it needs none.
func TestOnlyHealthAndReadyNeedNothing(t *testing.T) {
	a := newTestAPI(io.Discard)
	op := huma.Operation{Method: "GET", Path: "/leak", Security: []map[string][]string{{}}}
	huma.Register(a.huma, op, func(context.Context, *none) (*none, error) { return nil, nil })
	for _, scopes := range [][]authmin.Scope{nil, {authmin.ScopeAdmin}} {
		if w := ask(a, "GET", "/leak", "", scopes...); w.Code != 403 {
			t.Errorf("with scopes %v: got %d, want 403", scopes, w.Code)
		}
	}
}

// TestAPanicAfterTheBeginningBreaksTheAnswerOff: with a problem at its end, a client would
// take it for whole.
func TestAPanicAfterTheBeginningBreaksTheAnswerOff(t *testing.T) {
	a := newTestAPI(io.Discard)
	a.AddRaw(authmin.ScopeInfer, "/broken", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of")
		panic("a defect")
	}))
	r := httptest.NewRequest("GET", "/broken", nil)
	w := httptest.NewRecorder()
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("the handler ended with %v, want %v", err, http.ErrAbortHandler)
		}
		if got := w.Body.String(); got != "half of" || strings.Contains(got, codeInternal) {
			t.Errorf("the client got %q, want what was written before", got)
		}
	}()
	a.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), Caller{Name: "x", Scopes: authmin.AllScopes()})))
}
