package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/tinymodel"
)

// patience is for a busy machine.
const patience = 30 * time.Second

// node is an orchestrator, and a pool manager that is registered there.
type node struct {
	orchestrator string
	token        authmin.Secret // the orchestrator's
	manager      string
	own          authmin.Secret // the pool manager's
	root         string
	pools        *nodeapi.Client
}

func startNode(t *testing.T) node {
	t.Helper()
	n := node{token: authmin.RandomSecret(), own: authmin.RandomSecret(), root: t.TempDir()}
	o, err := app.Start(t.Context(), app.Options{Listen: "127.0.0.1:0", StateDir: t.TempDir(), Token: n.token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, o.Stop) })
	n.orchestrator = "http://" + o.Addr()
	p, err := poolmanager.Start(t.Context(), poolmanager.Options{
		Listen: "127.0.0.1:0", RuntimeDir: t.TempDir(), NodeID: "node-1", ModelRoot: n.root, OrchestratorURL: n.orchestrator,
		OrchestratorToken: func() authmin.Secret { return n.token }, Token: n.own, DispatchToken: n.own,
		Templates: []poolmanager.Template{llama(t)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p.Stop) })
	n.manager = "http://" + p.Addr()
	n.pools = nodeapi.New(n.manager, n.own.Reveal, nil)
	return n
}

func stop(t *testing.T, stop func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := stop(ctx); err != nil {
		t.Error(err)
	}
}

// llama is the shipped template, or one with the demo engine in its place.
func llama(t *testing.T) poolmanager.Template {
	t.Helper()
	template := poolmanager.LlamaCPPTemplate()
	template.Slots, template.Ctx = 2, 2*tinymodel.Context
	if path, err := exec.LookPath(template.Command[0]); err == nil {
		t.Logf("with %s", path)
		return template
	}
	t.Log("llama-server is not on the PATH: with the demo engine in its place")
	template.Command = []string{os.Args[0], "demo-engine", "--port", "{port}", "--api-key-file", "{key_file}", "--parallel", "{slots}", "--model", "{model}"}
	template.Env = map[string]string{"MODEL_PATH": "{model_path}"}
	return template
}

// call asks the orchestrator.
func (n node) call(t *testing.T, method, path string, body any) (int, string) {
	t.Helper()
	return ask(t, n.token, method, n.orchestrator+path, body)
}

// ask gives the status and the body.
func ask(t *testing.T, token authmin.Secret, method, address string, body any) (int, string) {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token.Reveal())
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func (n node) enter(t *testing.T, id, digest, source string) {
	t.Helper()
	if status, text := n.call(t, "POST", "/v2/catalog/models", map[string]any{"id": id, "digest": "sha256:" + digest, "source_url": source}); status != 201 {
		t.Fatalf("entering %s: %d %s", id, status, text)
	}
}

// TestAModelGoesFromTheCatalogToAnAnswer: staged, checked, loaded, reported, and
// asked for by its name in the catalog.
func TestAModelGoesFromTheCatalogToAnAnswer(t *testing.T) {
	n := startNode(t)
	model := tinymodel.Bytes()
	sum := sha256.Sum256(model)
	digest := hex.EncodeToString(sum[:])
	if err := os.WriteFile(filepath.Join(n.root, "upload.gguf"), model, 0o644); err != nil {
		t.Fatal(err)
	}
	n.enter(t, "tiny", digest, "file:upload.gguf")
	if _, err := n.pools.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "llamacpp", ModelRef: "catalog:tiny"}); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, patience, "the pool", func() error { return n.state(t, "p", "ready") })
	staged := filepath.Join(n.root, "sha256-"+digest)
	if got, err := os.ReadFile(staged); err != nil || !bytes.Equal(got, model) {
		t.Errorf("the staged file has %d bytes, %v", len(got), err)
	}
	var said string
	testkit.Within(t, patience, "an answer", func() error {
		status, text := n.call(t, "POST", "/v1/chat/completions", map[string]any{
			"model": "catalog:tiny", "messages": []map[string]string{{"role": "user", "content": "hello"}}, "max_tokens": 5,
		})
		if said = text; status != 200 {
			return errorText(text) // not registered yet
		}
		return nil
	})
	if !strings.Contains(said, `"completion_tokens":5`) {
		t.Errorf("it said %s", said)
	}
	// A retired model is not loaded anew, though its bytes are here.
	if status, text := n.call(t, "POST", "/v2/catalog/models/tiny/state", map[string]any{"state": "Retired", "deadline_ms": 0}); status != 202 {
		t.Fatalf("retiring: %d %s", status, text)
	}
	n.mustFail(t, "retired", "catalog:tiny", "retired")
}

// TestWrongBytesNeverReachAnEngine: not under their name, not in a process.
func TestWrongBytesNeverReachAnEngine(t *testing.T) {
	n := startNode(t)
	if err := tinymodel.Write(filepath.Join(n.root, "upload.gguf")); err != nil {
		t.Fatal(err)
	}
	digest := strings.Repeat("ab", 32)
	n.enter(t, "wrong", digest, "file:upload.gguf")
	n.mustFail(t, "wrong", "catalog:wrong", "digest")
	n.mustFail(t, "unknown", "catalog:unknown", "no model of this id")
	if _, err := os.Lstat(filepath.Join(n.root, "sha256-"+digest)); !os.IsNotExist(err) {
		t.Errorf("the final name is there: %v", err)
	}
}

// mustFail preloads a pool whose engine is never started.
func (n node) mustFail(t *testing.T, pool, ref, why string) {
	t.Helper()
	if _, err := n.pools.Preload(t.Context(), pool, nodeapi.PreloadRequest{Template: "llamacpp", ModelRef: ref}); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, patience, "the failure of "+pool, func() error {
		s, err := n.pools.Status(t.Context(), pool)
		if err == nil && !strings.Contains(s.LastError, why) {
			return errorText(s.LastError)
		}
		return err
	})
	status, text := ask(t, n.own, "GET", n.manager+"/pools/"+pool+"/logs?lines=100", nil)
	if status != 200 || !strings.Contains(text, `"lines":[]`) {
		t.Errorf("an engine ran: %d %s", status, text)
	}
}

func (n node) state(t *testing.T, pool, want string) error {
	s, err := n.pools.Status(t.Context(), pool)
	if err == nil && s.State != want {
		return errorText(s.State + ": " + s.LastError)
	}
	return err
}

type errorText string

func (e errorText) Error() string { return string(e) }
