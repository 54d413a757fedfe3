package main

import (
	"bytes"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The certificate is checked for the name of the URL, though the connection goes to
// this machine.
func TestHealthChecksTheCertificate(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ca, other := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "other.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for file, content := range map[string][]byte{ca: text, other: []byte("no certificate")} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ url, ca, want string }{
		{"https://example.com:" + port + "/health", ca, ""}, // the test certificate's name
		{"https://example.org:" + port + "/health", ca, "not example.org"},
		{"https://example.com:" + port + "/health", "", "certificate"},
		{"https://example.com:" + port + "/health", other, "no certificate in PEM"},
		{"https://example.com:" + port + "/health", other + ".none", "--ca: "},
	} {
		var out bytes.Buffer
		err := healthFlags{url: c.url, ca: c.ca, timeout: time.Minute}.ask(t.Context(), &out)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: got %v, want %q", c.url, filepath.Base(c.ca), err, c.want)
		}
	}
}

// The admin endpoint is written as a Caddyfile has it.
func TestHealthAsksTheAdminEndpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != adminRoute || r.Host != "localhost" {
			w.WriteHeader(http.StatusNotFound)
		}
	})}}
	server.Start()
	var out bytes.Buffer
	flags := healthFlags{admin: "unix/" + path + "|0600", timeout: time.Minute}
	if err := flags.ask(t.Context(), &out); err != nil || !strings.HasSuffix(out.String(), "answers 200\n") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("got %q, %v", &out, err)
	}
	server.Close()
	if err := flags.ask(t.Context(), &out); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("a gateway that has ended: got %v", err)
	}
}
