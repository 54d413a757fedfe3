package integration_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
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
		return func(w http.ResponseWriter, r *http.Request) {
			if body, err := io.ReadAll(r.Body); err == nil && !strings.Contains(string(body), `"stream":true`) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}`)
				return
			}
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"choices\":[%s]}\n\ndata: {\"choices\":[{\"index\":0,\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n", choice)
		}
	}
	mux.HandleFunc("POST /v1/completions", events(`{"index":0,"text":"hello"}`))
	mux.HandleFunc("POST /v1/chat/completions", events(`{"index":0,"delta":{"content":"hello"}}`))
	mux.HandleFunc("POST /v1/embeddings", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"object":"list","model":"some-model","data":[{"object":"embedding","index":0,"embedding":[0.5]}]}`)
	})
	mux.HandleFunc("POST /v1/rerank", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":{"message":"this model does not rerank"}}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	u := gatewaytest.StartUp(t, ownerEnv, "--engine", server.URL)
	if !strings.Contains(u.Output(), `"model_ref":"some-model"`) {
		t.Errorf("the lines to paste ask for another model:\n%s", u.Output())
	}
	pasteLinesWork(t, u)
	for path, c := range map[string]struct {
		body, want string
		status     int
	}{
		"/v1/embeddings": {`"input":"x"`, `"embedding":[0.5]`, 200},
		"/v1/rerank":     {`"query":"x","documents":["y"]`, "this model does not rerank", 400}, // the engine's own words
		"/v1/messages":   {`"max_tokens":1,"messages":[]`, "404", 404},
	} {
		res, err := u.Do("POST", path, `{"model":"some-model",`+c.body+`}`)
		if err != nil || res.Status != c.status || !strings.Contains(string(res.Body), c.want) {
			t.Errorf("%s: got %d %s, %v, want %d with %q", path, res.Status, res.Body, err, c.status, c.want)
		}
	}
}

// TestUpSaysWhatAnEngineNeeds: the mistakes are one line each, at once.
func TestUpSaysWhatAnEngineNeeds(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"tiny.gguf": "GGUF", "llama-server": "#!/does/not/exist\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	model := " --model " + filepath.Join(dir, "tiny.gguf")
	// What a machine has installed is nothing to the test.
	nothing := append([]string{"PATH=" + t.TempDir()}, ownerEnv...)
	broken := append([]string{"PATH=" + dir}, ownerEnv...)
	gone := testkit.FreeAddress(t)
	for _, c := range []struct {
		env        []string
		args, want string
	}{
		{nothing, "--engine ollama", "--engine http://127.0.0.1:11434"},
		{nothing, "--engine ollama --model x", "ollama is not on the PATH; install Ollama"},
		{nothing, "--engine llamacpp" + model, "llama-server is not on the PATH; install llama.cpp"},
		{broken, "--engine llamacpp --model " + dir + "/missing.gguf", dir + "/missing.gguf: there is no such file"},
		{broken, "--engine llamacpp --model " + dir, dir + ": it is not a regular file"},
		{broken, "--engine llamacpp" + model, "the engine cannot be started: start: "},
		{nothing, "--engine http://" + gone, gone + ": no server answers there"},
		{nothing, "--engine http://" + gone + "/v1/models", "want the server's address alone: http://" + gone},
		{nothing, "--engine http://10.0.0.1:1", "only on loopback"},
		{nothing, "--engine http://user:hunter2hunter2@" + gone, "holds a credential"},
		{nothing, "--config " + dir, dir + ": it is not a regular file"},
		{nothing, "--print-config --config /does/not/exist", "--config /does/not/exist: there is no such file"},
	} {
		saysInOneLine(t, c.env, c.args, c.want)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	saysInOneLine(t, nothing, "--listen "+taken.Addr().String()+" --config /does/not/exist", "--config /does/not/exist: there is no such file")
	for args, want := range map[string]string{
		"--engine nonsense": "demo, llamacpp, ollama or http://HOST:PORT", "--engine llamacpp": "--model FILE.gguf",
		"--listen 0.0.0.0:8080": "this machine only", "--config /does/not/exist": "/does/not/exist",
	} {
		saysInOneLine(t, ownerEnv, args, want)
	}
}

// saysInOneLine runs an up that cannot work.
func saysInOneLine(t *testing.T, env []string, args, want string) {
	t.Helper()
	command := append([]string{"up", "--data-dir", t.TempDir()}, strings.Fields(args)...)
	if !strings.Contains(args, "--listen") {
		command = append(command, "--listen", testkit.FreeAddress(t))
	}
	out, err := gatewaytest.Command(t, env, command...).CombinedOutput()
	if err == nil || strings.Count(strings.TrimSpace(string(out)), "\n") > 0 || !strings.Contains(string(out), want) || strings.Contains(string(out), "hunter2") {
		t.Errorf("%s: %v, want one line with %q, got:\n%s", args, err, want, out)
	}
}

// TestUpSaysWhatKeepsItFromBeingReady: while up waits, it reports an engine that has
// ended, with the engine's own message, and a server that does not answer as one.
func TestUpSaysWhatKeepsItFromBeingReady(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"llama-server": "#!/bin/sh\necho 'gguf: wrong magic' >&2\nexit 3\n", "tiny.gguf": "GGUF"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	none := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(none.Close)
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data":[]}`) }))
	t.Cleanup(empty.Close)
	env := append([]string{"PATH=" + dir + ":" + os.Getenv("PATH")}, ownerEnv...)
	for args, want := range map[string]string{
		"--engine llamacpp --model " + filepath.Join(dir, "tiny.gguf"): "exit code 3; it said: gguf: wrong magic; it is started again at",
		"--engine " + none.URL:  none.URL + "/v1/models: it answered 404",
		"--engine " + empty.URL: "the engine has no model yet",
	} {
		command := append([]string{"up", "--data-dir", t.TempDir(), "--listen", testkit.FreeAddress(t)}, strings.Fields(args)...)
		p := gatewaytest.Start(t, env, command...)
		testkit.Within(t, 30*time.Second, "the reason", func() error {
			if !strings.Contains(p.Output(), want) {
				return fmt.Errorf("want %q in:\n%s", want, p.Output())
			}
			return nil
		})
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// TestUpTellsWhatABadEngineSaid: an answer that is none is an error with the engine's
// words, sent to the engine once.
func TestUpTellsWhatABadEngineSaid(t *testing.T) {
	const piece = `data: {"choices":[{"index":0,"text":"hello"}]}` + "\n\n"
	const end = `data: {"choices":[{"index":0,"text":"","finish_reason":"stop"}]}` + "\n\ndata: [DONE]\n\n"
	bad := map[string]struct{ kind, body, want string }{
		"abort":    {"text/event-stream", piece + `data: {"choices":[{"index":0,"text":"","finish_reason":"abort"}]}` + "\n\ndata: [DONE]\n\n", "abort"},
		"whole":    {"application/json", `{"choices":[{"index":0,"text":"hello","finish_reason":"stop"}]}`, "application/json"},
		"object":   {"application/json", `{"error":{"message":"out of blocks"}}`, "out of blocks"},
		"page":     {"text/html", "<html><body>Bad Gateway</body></html>", "Bad Gateway"},
		"middle":   {"text/event-stream", piece + "<html><body>Bad Gateway</body></html>\n" + piece + end, "Bad Gateway"},
		"event":    {"text/event-stream", piece + `data: {"error":{"message":"out of blocks"}}` + "\n\n" + end, "out of blocks"},
		"unending": {"text/event-stream", piece + strings.TrimSuffix(end, "data: [DONE]\n\n"), "[DONE]"},
	}
	var mu sync.Mutex
	asked := map[string]int{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"data":[{"id":"m"}]}`) })
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Prompt string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		mu.Lock()
		asked[body.Prompt]++
		mu.Unlock()
		w.Header().Set("Content-Type", bad[body.Prompt].kind)
		fmt.Fprint(w, bad[body.Prompt].body)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	u := gatewaytest.StartUp(t, ownerEnv, "--engine", server.URL+"/v1")
	for prompt, c := range bad {
		task, err := uuid.NewV7()
		if err != nil {
			t.Fatal(err)
		}
		res, err := u.Do("POST", "/v2/tasks", fmt.Sprintf(`{"task_id":%q,"model_ref":"m","prompt":%q}`, task, prompt))
		if err != nil || res.Status != http.StatusAccepted {
			t.Fatalf("%s: %+v, %v", prompt, res, err)
		}
		stream, err := u.Stream("/v2/tasks/" + task.String() + "/events")
		if err != nil {
			t.Fatal(err)
		}
		var last gatewaytest.Event
		for {
			e, err := stream.Next()
			if err != nil {
				break
			}
			last = e
		}
		stream.Close()
		if last.Type != "error" || !strings.Contains(string(last.Data), c.want) {
			t.Errorf("%s: the stream ends with %s %s, want an error with %q", prompt, last.Type, last.Data, c.want)
		}
		mu.Lock()
		if n := asked[prompt]; n != 1 {
			t.Errorf("%s: the engine was asked %d times, want once", prompt, n)
		}
		mu.Unlock()
	}
}
