package backend

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

func TestRouterTellsWhatNoListDeclares(t *testing.T) {
	r := NewRouter()
	r.HandleFunc("GET /listed", http.NotFound)
	r.HandleFunc("GET /leak", http.NotFound)
	r.Handle("POST  /listed", http.NotFoundHandler())
	r.Handle("/all/", http.NotFoundHandler())
	got := r.Undeclared(func(p Pattern) bool { return p == Pattern{"GET", "/listed"} })
	want := []Pattern{{"GET", "/leak"}, {"POST", "/listed"}, {"", "/all/"}}
	if !slices.Equal(got, want) {
		t.Errorf("undeclared: got %v, want %v", got, want)
	}
}

func TestRouterServes(t *testing.T) {
	r := NewRouter()
	r.HandleFunc("GET /x", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for path, want := range map[string]int{"/x": http.StatusTeapot, "/y": http.StatusNotFound} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("GET %s: got %d, want %d", path, w.Code, want)
		}
	}
}
