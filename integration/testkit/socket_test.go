package testkit

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

func TestSocketClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+r.URL.Path)
	})}}
	server.Start()
	answer, err := SocketClient(path).Get("http://localhost/config/")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || string(text) != "localhost/config/" {
		t.Errorf("got %q, %v", text, err)
	}
	server.Close()
	if answer, err := SocketClient(path).Get("http://localhost/"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a socket: got %v, %v, want %v", answer, err, os.ErrNotExist)
	}
}
