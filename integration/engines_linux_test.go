package integration_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// llamaServer stands in for llama-server on the PATH: it takes its arguments and
// is the demo engine, which speaks the same interface and checks the same key.
const llamaServer = `#!/bin/sh
while [ $# -gt 0 ]; do
	case $1 in
	--port) port=$2 ;;
	--api-key-file) key=$2 ;;
	--parallel) slots=$2 ;;
	--alias) model=$2 ;;
	esac
	shift
done
exec "$LLORCH" demo-engine --port "$port" --api-key-file "$key" --parallel "$slots" --model "$model"
`

// TestUpStartsTheEngineThatItIsTold: a program on the PATH with a file of the
// user's, whose lines to paste then work.
func TestUpStartsTheEngineThatItIsTold(t *testing.T) {
	dir := t.TempDir()
	script := strings.ReplaceAll(llamaServer, "$LLORCH", gatewaytest.Binary(t))
	for name, text := range map[string]string{"llama-server": script, "tiny.gguf": "GGUF"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	env := append([]string{"PATH=" + dir + ":" + os.Getenv("PATH")}, ownerEnv...)
	u := gatewaytest.StartUp(t, env, "--engine", "llamacpp", "--model", filepath.Join(dir, "tiny.gguf"))
	if strings.Contains(u.Output(), "DEMO") {
		t.Errorf("it says that it is the demo:\n%s", u.Output())
	}
	pasteLinesWork(t, u)
}

// TestUpUsesAServerThatRuns: nothing is started, and the server's own model is
// the one that the lines to paste ask for.
func TestUpUsesAServerThatRuns(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"object":"list","data":[{"id":"some-model","object":"model"}]}`)
	})
	events := func(choice string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"choices\":[%s]}\n\ndata: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", choice)
		}
	}
	mux.HandleFunc("POST /v1/completions", events(`{"index":0,"text":"hello"}`))
	mux.HandleFunc("POST /v1/chat/completions", events(`{"index":0,"delta":{"content":"hello"}}`))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	u := gatewaytest.StartUp(t, ownerEnv, "--engine", server.URL)
	if !strings.Contains(u.Output(), `"model_ref":"some-model"`) {
		t.Errorf("the lines to paste ask for another model:\n%s", u.Output())
	}
	pasteLinesWork(t, u)
}

// TestUpSaysWhatAnEngineNeeds: the mistakes are one line each.
func TestUpSaysWhatAnEngineNeeds(t *testing.T) {
	for args, want := range map[string]string{
		"--engine nonsense": "demo, llamacpp, ollama or http://HOST:PORT", "--engine llamacpp": "--model FILE.gguf",
		"--listen 0.0.0.0:8080": "this machine only", "--config /does/not/exist": "/does/not/exist",
	} {
		command := append([]string{"up", "--data-dir", t.TempDir()}, strings.Fields(args)...)
		if !strings.Contains(args, "--listen") {
			command = append(command, "--listen", gatewaytest.FreeAddress(t, "127.0.0.1"))
		}
		out, err := gatewaytest.Command(t, ownerEnv, command...).CombinedOutput()
		if err == nil || strings.Count(strings.TrimSpace(string(out)), "\n") > 0 || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, want one line with %q, got:\n%s", args, err, want, out)
		}
	}
}
