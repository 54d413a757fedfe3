package poolmanager

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestAnEnginesAddressIsItsServersOrRefusedWithACorrection(t *testing.T) {
	const h = "http://127.0.0.1:8000"
	for text, c := range map[string]struct{ base, refused string }{
		h:                            {base: h},
		h + "/":                      {base: h},
		h + "/v1":                    {base: h},
		h + "/v1/":                   {base: h},
		h + "/v1//":                  {base: h},
		h + "/llm":                   {base: h + "/llm"},
		h + "/llm/v1/":               {base: h + "/llm"},
		"https://example.com/api/v1": {base: "https://example.com/api"},
		"https://[::1]:8000/v1":      {base: "https://[::1]:8000"},
		h + "/api":                   {refused: h + " (or"},
		h + "/api/":                  {refused: h + " (or"},
		h + "/api/chat":              {refused: h + " (or"},
		h + "/llm/v1/models":         {refused: h + "/llm (or"},
		h + "/v1/chat/completions":   {refused: h + " (or"},
		h + "/V1":                    {refused: h + " (or"},
		h + "/v1/v1":                 {refused: h + " (or"},
		h + "/health":                {refused: h + " (or"},
		h + "/completion":            {refused: h + " (or"},
		h + "/v1?x=1":                {refused: "without ? and #"},
		h + "/v1?":                   {refused: "without ? and #"},
		h + "/#":                     {refused: "without ? and #"},
		h + "//v1":                   {base: h},
		h + "/a//b":                  {refused: "plain path"},
		h + "/../v1":                 {refused: "plain path"},
		h + "/a%2fb":                 {refused: "plain path"},
		"http://:8000":               {refused: "http://127.0.0.1:PORT"},
		"http://10.0.0.1:8000/v1":    {refused: "only on loopback"},
		"127.0.0.1:8000":             {refused: "url: "},
	} {
		template := URLTemplate(text)
		err := template.Validate()
		switch {
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: got %v, want a refusal with %q", text, err, c.refused)
		case c.refused == "" && (err != nil || engineBase(text) != c.base):
			t.Errorf("%s: got %v, %s, want %s", text, err, engineBase(text), c.base)
		}
	}
}

// anEngine is a server of the OpenAI routes that lists these models.
func anEngine(t *testing.T, models ...string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		var list struct {
			Data []map[string]string `json:"data"`
		}
		for _, m := range models {
			list.Data = append(list.Data, map[string]string{"id": m})
		}
		if err := json.NewEncoder(w).Encode(list); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestAnAddressWithV1IsReadyAndUnusableNamesAreOneLine(t *testing.T) {
	engine := anEngine(t, "good", "a b", "../etc", "x\n\x1b[31m", strings.Repeat("y", 500))
	r := startRig(t, func(o *Options) { o.Templates = append(o.Templates, URLTemplate(engine.URL+"/v1/")) })
	r.ready(t, "p", "url", "")
	probes := r.engine(t, "p")
	begin := time.Now()
	testkit.Eventually(t, "many probes", func() bool { return time.Since(begin) > 20*quick.liveEvery })
	if probes != r.engine(t, "p") {
		t.Error("the engine was restarted")
	}
	lines := 0
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "no task can name") {
			lines++
			if !strings.Contains(line, "count=4") || !strings.Contains(line, "a b") || strings.Contains(line, "\x1b") || len(line) > 1000 {
				t.Errorf("the line is %q", line)
			}
		}
	}
	if lines != 1 {
		t.Errorf("%d lines in the log, want 1", lines)
	}
	p, err := r.pools.find("p")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.report().Models; len(got) != 1 || got[0] != "good" {
		t.Errorf("models: got %q, want good alone", got)
	}
}

func TestAProbeThatFailsNamesTheAddress(t *testing.T) {
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refused/v1/models":
			w.WriteHeader(http.StatusUnauthorized)
		case "/moved/v1/models":
			http.Redirect(w, r, "/login", http.StatusFound)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer answers.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for base, mend := range map[string]string{
		answers.URL:              "it answered 404; url wants the server's address alone",
		answers.URL + "/refused": "it answered 401; it refused the key; check url_key_file",
		answers.URL + "/moved":   "it answered 302, redirects are not followed",
		gone.URL:                 "connection refused",
	} {
		r := startRig(t, func(o *Options) { o.Templates = append(o.Templates, URLTemplate(base+"/v1")) })
		if _, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "url"}); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the reason", func() bool {
			s := r.status(t, "p")
			return s.State == "starting" && strings.Contains(s.LastError, base+"/v1/models") && strings.Contains(s.LastError, mend)
		})
	}
}
