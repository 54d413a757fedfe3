package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDoctorAsksOllamaForItsCloud: what the server itself says is reported, and a server
// that is none is not taken for one.
func TestDoctorAsksOllamaForItsCloud(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		degree string // empty: no finding
		words  string
	}{
		"off":                {200, `{"cloud":{"disabled":true,"source":"env"}}`, fine, "does not use ollama.com"},
		"on":                 {200, `{"cloud":{"disabled":false,"source":"none"}}`, note, "OLLAMA_NO_CLOUD=1"},
		"an older version":   {404, `404 page not found`, "", ""},
		"another server":     {200, `{"status":"ok"}`, "", ""},
		"a redirect":         {302, ``, "", ""},
		"no JSON":            {200, `<html>`, "", ""},
		"more than is read":  {200, `{"x":"` + strings.Repeat("x", maxStatus) + `","cloud":{"disabled":true}}`, "", ""},
		"a null":             {200, `{"cloud":null}`, "", ""},
		"another type of it": {200, `{"cloud":{"disabled":"true"}}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked := ""
			upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.Method + " " + r.URL.String()
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer upstream.Close()
			d := doctorOf(t, "ollama", upstream.Listener.Addr().String())
			d.examineCloud()
			if asked != "GET /api/status" {
				t.Errorf("asked for %q", asked)
			}
			if c.degree == "" {
				if len(d.findings) != 0 {
					t.Errorf("got %v, want no finding", d.findings)
				}
				return
			}
			if len(d.findings) != 1 || d.findings[0].degree != c.degree || !strings.Contains(d.findings[0].what+d.findings[0].fix, c.words) {
				t.Errorf("got %v, want %s with %q", d.findings, c.degree, c.words)
			}
		})
	}
}

// TestDoctorSaysThatOllamaDidNotAnswer: at Ollama's own port silence is a finding; behind a
// guard of another name no server is asked.
func TestDoctorSaysThatOllamaDidNotAnswer(t *testing.T) {
	d := doctorOf(t, "other", fmt.Sprintf("127.0.0.2:%d", ollamaPort))
	d.examineCloud()
	if len(d.findings) != 1 || d.findings[0].degree != note || !strings.Contains(d.findings[0].what, "could not ask the Ollama at 127.0.0.2:11434") {
		t.Errorf("got %v", d.findings)
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a server behind another guard was asked") }))
	defer upstream.Close()
	d = doctorOf(t, "other", upstream.Listener.Addr().String())
	d.examineCloud()
	if len(d.findings) != 0 {
		t.Errorf("got %v, want no finding", d.findings)
	}
}

// doctorOf is a doctor of one site, on a machine without listeners.
func doctorOf(t *testing.T, guard, upstream string) *doctor {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	text := "{\n" + quiet + silent + twoTokens + "}\nhttp://127.0.0.1:8080 {\n\tbind 127.0.0.1\n\tauthmin " + guard +
		" {\n\t\trequire infer /*\n\t}\n\treverse_proxy " + upstream + "\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := readSettings(file)
	if err != nil {
		t.Fatal(err)
	}
	net := filepath.Join(dir, "net")
	if err := os.Mkdir(net, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"tcp", "tcp6"} {
		if err := os.WriteFile(filepath.Join(net, table), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &doctor{host: host{proc: dir, getenv: os.LookupEnv}, settings: s}
}
