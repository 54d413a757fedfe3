package poolmanager

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/tinymodel"
)

// These tests say the same of a real llama-server, where one is on the PATH, and
// of the demo engine that stands in for it elsewhere. The log says which it was.

// llamaRig runs a llama.cpp template of the given kind with the tiny model.
func llamaRig(t *testing.T, kind Template, change func(*Template)) (r *rig, real bool) {
	t.Helper()
	root := t.TempDir()
	if err := tinymodel.Write(filepath.Join(root, "tiny.gguf")); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath(kind.Command[0])
	if real = err == nil; real {
		t.Logf("with %s", path)
	} else {
		t.Log("llama-server is not on the PATH: with the demo engine in its place")
		kind.Command = []string{os.Args[0], "demo-engine", "--port", "{port}", "--api-key-file", "{key_file}", "--parallel", "{slots}", "--model", "{model}", "--token-delay", "2ms"}
		kind.Env = map[string]string{"MODEL_PATH": "{model_path}"}
	}
	kind.Slots, kind.Ctx = 2, 2*tinymodel.Context
	if change != nil {
		change(&kind)
	}
	return startRig(t, func(o *Options) {
		o.ModelRoot, o.Templates = root, append(o.Templates, kind)
		o.times.probeLimit = 2 * time.Second // a busy machine, and a real engine
		o.times.readyEvery = 50 * time.Millisecond
	}), real
}

// ask calls the engine itself with the given key.
func ask(t *testing.T, inst *instance, key, method, path, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, inst.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
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

// busySlots is how many slots the engine itself says are in use.
func busySlots(t *testing.T, inst *instance) int {
	t.Helper()
	status, text := ask(t, inst, inst.key.Reveal(), "GET", "/slots", "")
	var slots []struct {
		Processing bool `json:"is_processing"`
	}
	if err := json.Unmarshal([]byte(text), &slots); err != nil || status != 200 {
		t.Fatalf("slots: %d %s", status, text)
	}
	busy := 0
	for _, s := range slots {
		if s.Processing {
			busy++
		}
	}
	return busy
}

func TestAllThatATaskNeedsOfLlamaServer(t *testing.T) {
	r, real := llamaRig(t, LlamaCPPTemplate(), nil)
	r.ready(t, "p", "llamacpp", "file:tiny.gguf")
	inst := r.engine(t, "p")

	t.Run("the key is asked for", func(t *testing.T) {
		for name, key := range map[string]string{"no": "", "a wrong": "wrong", "the pool manager's": r.token.Reveal()} {
			for _, path := range []string{"/completion", "/v1/chat/completions", "/v1/completions"} {
				if status, text := ask(t, inst, key, "POST", path, `{"prompt":"x","n_predict":1}`); status != 401 {
					t.Errorf("%s key on %s: %d %.100s", name, path, status, text)
				}
			}
			if status, _ := ask(t, inst, key, "GET", "/slots", ""); status != 401 {
				t.Errorf("%s key on /slots: %d", name, status)
			}
		}
		if left, err := os.ReadDir(filepath.Join(r.dir.path, "keys")); err != nil || len(left) > 0 {
			t.Errorf("key files are left: %v, %v", left, err)
		}
	})
	t.Run("a prompt streams, with counts", func(t *testing.T) {
		seed := int64(1)
		task := nodeapi.DispatchRequest{Prompt: "the gate is", MaxTokens: 12, Seed: &seed}
		first := text(t, r, task, "length", 12)
		if again := text(t, r, task, "length", 12); again != first {
			t.Errorf("the same seed said %q, then %q", first, again)
		}
	})
	t.Run("a chat streams, with counts", func(t *testing.T) {
		text(t, r, nodeapi.DispatchRequest{Messages: []nodeapi.Message{{Role: "user", Content: "hello"}}, MaxTokens: 8}, "length", 8)
	})
	t.Run("hanging up frees the slot in the engine", func(t *testing.T) {
		stream, err := r.client.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{Prompt: "the", MaxTokens: 100_000})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Next(); err != nil {
			t.Fatal(err)
		}
		// The tiny model is quick: its context may be full before we look.
		busy := busySlots(t, inst)
		if !real && busy != 1 {
			t.Errorf("%d slots are in use, want 1", busy)
		}
		stream.Close()
		testkit.Eventually(t, "the engine's slot", func() bool { return busySlots(t, inst) == 0 })
		testkit.Eventually(t, "the pool's slot", func() bool { return r.status(t, "p").SlotsFree == 2 })
	})
	t.Run("what is wrong with a task is told as such", func(t *testing.T) {
		if !real {
			return // the stand-in has no context to fill
		}
		events, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: strings.Repeat("gate ", 4*tinymodel.Context), MaxTokens: 4})
		if err != nil || len(events) != 1 || events[0].Code != "ENGINE_REFUSED" || !strings.Contains(events[0].Message, "context") {
			t.Errorf("a prompt that is too long: %+v, %v", events, err)
		}
		text(t, r, nodeapi.DispatchRequest{Prompt: "the", MaxTokens: 2}, "length", 2)
	})
	t.Run("its output is kept without the key", func(t *testing.T) {
		lines, err := r.client.Status(t.Context(), "p")
		if err != nil || !lines.Ready {
			t.Errorf("%+v, %v", lines, err)
		}
		p, err := r.pools.find("p")
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(p.logs.last(1000), "\n")
		if strings.Contains(all, inst.key.Reveal()) || real && !strings.Contains(all, "listening") {
			t.Errorf("the log is\n%.2000s", all)
		}
	})
}

// text runs a task to its end and checks the counts.
func text(t *testing.T, r *rig, task nodeapi.DispatchRequest, reason string, tokens int) string {
	t.Helper()
	events, err := r.run(t, "p", task)
	if err != nil || len(events) < 2 {
		t.Fatalf("%d events, %v: %+v", len(events), err, events)
	}
	var b strings.Builder
	for i, e := range events[:len(events)-1] {
		if e.Type != nodeapi.EventToken || e.Index != i {
			t.Errorf("event %d is %+v", i, e)
		}
		b.WriteString(e.Text)
	}
	end := events[len(events)-1]
	if end.Type != nodeapi.EventEnd || end.FinishReason != reason || end.TokensOut != tokens || end.TokensIn < 1 {
		t.Errorf("it ended with %+v, want %s after %d tokens", end, reason, tokens)
	}
	return b.String()
}

// TestACrashOfLlamaServerIsNoticedAndTheEngineRestarted kills it from outside while it works.
func TestACrashOfLlamaServerIsNoticedAndTheEngineRestarted(t *testing.T) {
	r, _ := llamaRig(t, LlamaCPPTemplate(), nil)
	r.ready(t, "p", "llamacpp", "file:tiny.gguf")
	first := r.engine(t, "p")
	stream, err := r.client.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{Prompt: "the", MaxTokens: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(first.process.Identity().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for {
		event, err := stream.Next()
		if err != nil {
			t.Fatalf("the stream broke off: %v", err)
		}
		if event.Type == nodeapi.EventToken {
			continue
		}
		// A quick engine may have said all before it was killed.
		if event.Type != nodeapi.EventEnd && event.Code != "WORKER_RESET" {
			t.Errorf("it ended with %+v", event)
		}
		break
	}
	testkit.Eventually(t, "another engine", func() bool {
		s := r.status(t, "p")
		return s.Ready && s.Restarts == 1
	})
	second := r.engine(t, "p")
	if second.key.Equal(first.key) {
		t.Error("the key was used twice")
	}
	text(t, r, nodeapi.DispatchRequest{Prompt: "the", MaxTokens: 3}, "length", 3)
	if _, err := r.client.Stop(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the pool to stop", func() bool { return r.status(t, "p").State == "stopped" })
	if second.process.Identity().Alive() {
		t.Error("the engine outlived its pool")
	}
}

// TestAnInvalidModelFileIsAFailureOfItsOwn: the engine ends, and says why.
func TestAnInvalidModelFileIsAFailureOfItsOwn(t *testing.T) {
	r, real := llamaRig(t, LlamaCPPTemplate(), func(template *Template) {
		if _, err := exec.LookPath(template.Command[0]); err == nil && template.Command[0] != "llama-server" {
			template.Command = []string{"false", "{port}", "{key_file}", "{model_path}"} // the stand-in reads no model
		}
	})
	whole := tinymodel.Bytes()
	for name, bytes := range map[string][]byte{"cut.gguf": whole[:len(whole)/2], "noise.gguf": bytes.Repeat([]byte{0xA5}, 4096), "empty.gguf": nil} {
		if err := os.WriteFile(filepath.Join(r.pools.env.root, name), bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		id := strings.TrimSuffix(name, ".gguf")
		if _, err := r.client.Preload(t.Context(), id, nodeapi.PreloadRequest{Template: "llamacpp", ModelRef: "file:" + name}); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the failure of "+name, func() bool { return r.status(t, id).State == "failed" })
		t.Logf("%s: %s", name, r.status(t, id).LastError)
		if s := r.status(t, id); real && !strings.HasPrefix(s.LastError, "exit") || s.Ready {
			t.Errorf("%s: %+v", name, s)
		}
		if _, err := r.client.Stop(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
}

func TestEmbeddingsOfLlamaServer(t *testing.T) {
	r, _ := llamaRig(t, LlamaCPPEmbeddingTemplate(), func(template *Template) {
		if template.Command[0] == "llama-server" {
			template.Command = append(template.Command, "--pooling", "mean") // the tiny model names none
		}
	})
	r.ready(t, "p", "llamacpp-embedding", "file:tiny.gguf")
	inputs := []string{"the gate is open", "the gate is closed", "the gate is open"}
	events, err := r.run(t, "p", nodeapi.DispatchRequest{Workload: nodeapi.WorkloadEmbedding, Inputs: inputs})
	if err != nil || len(events) != 4 {
		t.Fatalf("%d events, %v: %.500v", len(events), err, events)
	}
	vectors := map[int][]float32{}
	for _, e := range events[:3] {
		if e.Type != nodeapi.EventEmbedding || len(e.Vector) < 2 {
			t.Fatalf("got %.300v", e)
		}
		vectors[e.Index] = e.Vector
	}
	if len(vectors) != 3 || !alike(vectors[0], vectors[2]) || alike(vectors[0], vectors[1]) {
		t.Error("equal texts have other embeddings, or different ones the same")
	}
	if end := events[3]; end.Type != nodeapi.EventEnd || end.TokensIn < 3 {
		t.Errorf("it ended with %+v", end)
	}
	if _, err := r.run(t, "p", nodeapi.DispatchRequest{Prompt: "x"}); err == nil {
		t.Error("an engine for embeddings takes a completion")
	}
}

// alike allows for the rounding of another batch.
func alike(a, b []float32) bool {
	for i := range a {
		if d := a[i] - b[i]; d > 1e-3 || d < -1e-3 {
			return false
		}
	}
	return len(a) == len(b)
}
