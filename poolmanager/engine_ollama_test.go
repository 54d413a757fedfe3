package poolmanager

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/tinymodel"
)

// ollamaRig runs the template ollama with an empty store of models, or the demo
// engine in its place.
func ollamaRig(t *testing.T) (r *rig, real bool) {
	t.Helper()
	template := OllamaTemplate()
	path, err := exec.LookPath(template.Command[0])
	if real = err == nil; real {
		t.Logf("with %s", path)
		t.Setenv("OLLAMA_MODELS", t.TempDir())
		t.Setenv("HOME", t.TempDir()) // it makes itself a key there
	} else {
		t.Log("ollama is not on the PATH: with the demo engine in its place")
		template.Command = []string{os.Args[0], "demo-engine", "--port", "{port}", "--api-key-file", "{key_file}", "--parallel", "{slots}", "--model", "tiny:latest", "--token-delay", "1ms"}
		template.Env, template.Key, template.HealthPath = nil, KeyFile, "/health"
	}
	return startRig(t, func(o *Options) {
		o.Templates = append(o.Templates, template)
		o.times.probeLimit, o.times.readyEvery = 2*time.Second, 50*time.Millisecond
	}), real
}

// TestAllThatATaskNeedsOfOllama makes the tiny model in Ollama's own store, as a
// user does, and asks for it by Ollama's name.
func TestAllThatATaskNeedsOfOllama(t *testing.T) {
	r, real := ollamaRig(t)
	r.ready(t, "p", "ollama", "")
	if real {
		ollamaCreate(t, r.engine(t, "p").base)
		// What an engine has is asked when it becomes ready.
		if _, err := r.client.Stop(t.Context(), "p"); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "the pool to stop", func() bool { return r.status(t, "p").State == "stopped" })
		r.ready(t, "p", "ollama", "")
	}
	p, err := r.pools.find("p")
	if err != nil {
		t.Fatal(err)
	}
	if models := p.report().Models; len(models) != 1 || models[0] != "tiny:latest" {
		t.Fatalf("it reports %q", models)
	}
	text(t, r, nodeapi.DispatchRequest{ModelRef: "tiny:latest", Prompt: "the gate is", MaxTokens: 6}, "length", 6)
	text(t, r, nodeapi.DispatchRequest{ModelRef: "tiny:latest", Messages: []nodeapi.Message{{Role: "user", Content: "hello"}}, MaxTokens: 5}, "length", 5)
	if _, err := r.run(t, "p", nodeapi.DispatchRequest{ModelRef: "absent", Prompt: "x"}); err == nil {
		t.Error("a model that it has not was taken")
	}
	stream, err := r.client.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{ModelRef: "tiny:latest", Prompt: "the", MaxTokens: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	stream.Close()
	testkit.Eventually(t, "the slot", func() bool { s := r.status(t, "p"); return s.SlotsFree == s.SlotsTotal })
	inst := r.engine(t, "p")
	if _, err := r.client.Stop(t.Context(), "p"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the pool to stop", func() bool { return r.status(t, "p").State == "stopped" })
	if inst.process.Identity().Alive() {
		t.Error("the engine outlived its pool")
	}
	if left := marked(t, r.dir.id); len(left) > 0 {
		t.Errorf("what it started is left: %q", left)
	}
}

func ollamaCreate(t *testing.T, base string) {
	t.Helper()
	dir := t.TempDir()
	if err := tinymodel.Write(filepath.Join(dir, "tiny.gguf")); err != nil {
		t.Fatal(err)
	}
	file := "FROM " + filepath.Join(dir, "tiny.gguf") + "\nTEMPLATE \"{{ .Prompt }}\"\n"
	if err := os.WriteFile(filepath.Join(dir, "Modelfile"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "ollama", "create", "tiny", "-f", filepath.Join(dir, "Modelfile"))
	command.Env = append(os.Environ(), "OLLAMA_HOST="+base)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("ollama create: %v\n%s", err, out)
	}
}

// marked gives the command lines of the processes that carry a directory's mark.
func marked(t *testing.T, id string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "LLORCH_ENGINE_MARKER="+id) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline")) // it may have ended
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
