package backend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAHealthCheckSaysInOneLineWhatItGot(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("it sends a credential")
		}
		switch r.URL.Path {
		case "/ready":
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"status":"not ready","reason":"no_quorum"}`)
		case "/hostile":
			w.WriteHeader(http.StatusTeapot)
			_ = json.NewEncoder(w).Encode(map[string]string{"code": "a\nb\x1b[31m" + strings.Repeat("x", 1000)})
		case "/moved":
			http.Redirect(w, r, "https://gateway.example/health", http.StatusPermanentRedirect)
		}
	}))
	defer server.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	for u, want := range map[string]string{
		server.URL + "/health":                   "",
		server.URL + "/ready":                    "answers 503: no_quorum",
		server.URL + "/hostile":                  `answers 418: a\nb\x1b[31mxxx`,
		server.URL + "/moved":                    `a redirect to "https://gateway.example/health"`,
		closed.URL + "/health":                   "does not answer: ",
		"ftp://127.0.0.1/health":                 "want a URL",
		"http://user:hunter2@127.0.0.1/":         "want a URL",
		"127.0.0.1:8080":                         "want a URL",
		"https://" + server.URL[len("http://"):]: "does not answer: ",
	} {
		err := HealthCheck{URL: u}.Ask(t.Context())
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", u, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 250 || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: got %v, want one short line with %q", u, err, want)
		}
	}
}

// What Get sends may be a credential: it goes to the server that is asked, and to no other
// that this one names.
func TestAHeaderOfAHealthCheckFollowsNoRedirect(t *testing.T) {
	asked := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path + " " + r.Header.Get("Authorization")
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return
		}
		fmt.Fprint(w, "answer")
	}))
	defer server.Close()
	header := http.Header{"Authorization": {"Bearer secret"}}
	if body, err := (HealthCheck{URL: server.URL + "/status"}).Get(t.Context(), header, 10); err != nil || string(body) != "answer" {
		t.Errorf("got %q, %v", body, err)
	}
	if _, err := (HealthCheck{URL: server.URL + "/moved"}).Get(t.Context(), header, 10); err == nil || !strings.Contains(err.Error(), "a redirect") {
		t.Errorf("a redirect: got %v", err)
	}
	if err := (HealthCheck{URL: server.URL + "/health"}).Ask(t.Context()); err != nil {
		t.Error(err)
	}
	close(asked)
	var got []string
	for line := range asked {
		got = append(got, line)
	}
	if want := []string{"/status Bearer secret", "/moved Bearer secret", "/health "}; !slices.Equal(got, want) {
		t.Errorf("the server got %q, want %q", got, want)
	}
}

// A name is never resolved, and an address that stands for all is this machine's.
func TestAHealthCheckConnectsToThisMachine(t *testing.T) {
	for _, c := range []struct{ address, url, want string }{
		{"", "https://gateway.example/health", "tcp 127.0.0.1:443"},
		{"", "http://gateway.example:8080/health", "tcp 127.0.0.1:8080"},
		{"", "http://10.0.0.5/health", "tcp 10.0.0.5:80"},
		{"", "http://[::1]:81/health", "tcp [::1]:81"},
		{"0.0.0.0:8081", "http://x/", "tcp 127.0.0.1:8081"},
		{"[::]:8081", "http://x/", "tcp 127.0.0.1:8081"},
		{":8081", "http://x/", "tcp 127.0.0.1:8081"},
		{"10.0.0.5:8081", "http://x/", "tcp 10.0.0.5:8081"},
		{"localhost:2019", "http://x/", "tcp localhost:2019"},
		{"unix//run/x.sock", "http://x/", "unix /run/x.sock"},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		network, address := HealthCheck{Address: c.address}.destination(u)
		if got := network + " " + address; got != c.want {
			t.Errorf("%q, %q: got %s, want %s", c.address, c.url, got, c.want)
		}
	}
}

// health of a daemon asks the address of its configuration, and needs no secret.
func TestHealthOfADaemonAsksItsOwnAddress(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a:socket")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"reason":"starting"}`)
		}
	})}}
	server.Start()
	defer server.Close()
	p := newProgram(new(thing))
	p.ListenKey = "listen"
	lookup := environment("T_LISTEN", "unix/"+path)
	var out bytes.Buffer
	if err := p.Run(t.Context(), []string{"health"}, lookup, &out, io.Discard); err != nil || out.String() != "thingd: http://localhost/health answers 200\n" {
		t.Errorf("got %q, %v", &out, err)
	}
	if err := p.Run(t.Context(), []string{"health", "--ready"}, lookup, &out, io.Discard); err == nil || !strings.Contains(err.Error(), "answers 503: starting") {
		t.Errorf("--ready: got %v", err)
	}
	if err := p.Run(t.Context(), []string{"health", "now"}, lookup, &out, io.Discard); err == nil {
		t.Error("an argument was accepted")
	}
}
