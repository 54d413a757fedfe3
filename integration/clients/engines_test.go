package clients_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/tinymodel"
)

// engineSite is a gateway in front of one engine.
type engineSite struct {
	site
	model  string
	real   bool // a real engine with the tiny model: what it says is noise
	speaks []nodeapi.Protocol
	lacks  []string // operations of its protocols that the engine does not have
}

// TestOfficialClientsOfEngines says the same of each real engine that is on the PATH, and
// of the demo engine where none is. The log says which it was.
func TestOfficialClientsOfEngines(t *testing.T) {
	starts := map[string]func(*testing.T, string) engineSite{}
	for program, start := range map[string]func(*testing.T, string) engineSite{"ollama": startOllama, "llama-server": startLlamaServer} {
		if _, err := exec.LookPath(program); err == nil {
			starts[program] = start
		}
	}
	if len(starts) == 0 {
		t.Log("neither ollama nor llama-server is on the PATH: with the demo engine")
		starts["demo"] = startDemo
	}
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			s := start(t, name)
			for name, test := range map[string]func(*testing.T, engineSite){
				"chat": engineChat, "completions": engineCompletions, "responses": engineResponses, "messages": engineMessages,
				"counted tokens": engineCount, "embeddings": engineEmbeddings, "ollama": engineOllama, "structured output": engineStructured,
				"errors": engineErrors, "a client that leaves": engineLeaves, "a stream that is resumed": engineResumed, "usage": engineUsage,
			} {
				t.Run(name, func(t *testing.T) { test(t, s) })
			}
		})
	}
}

// generating are the protocols that every engine here speaks.
var generating = []nodeapi.Protocol{nodeapi.Chat, nodeapi.Completions, nodeapi.Responses, nodeapi.Messages}

func (s engineSite) knows(p nodeapi.Protocol) bool { return slices.Contains(s.speaks, p) }

// startEngine runs "llorch up" in front of an engine.
func startEngine(t *testing.T, env []string, args ...string) site {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	user, admin := authmin.RandomSecret(), authmin.RandomSecret()
	tokens := []authmin.Token{authmin.NewToken("user", user, authmin.ScopeInfer), authmin.NewToken("root", admin, authmin.ScopeAdmin)}
	if err := authmin.WriteKeyringFile(filepath.Join(dir, "tokens"), tokens); err != nil {
		t.Fatal(err)
	}
	u := gatewaytest.StartUpIn(t, dir, env, args...)
	return site{base: u.Base, user: user.Reveal(), admin: u.As(admin.Reveal())}
}

func startDemo(t *testing.T, _ string) engineSite {
	return engineSite{site: startEngine(t, nil, "--engine", "demo"), model: "demo", speaks: nodeapi.Protocols()}
}

// logVersion writes down which engine it is.
func logVersion(t *testing.T, program string, env []string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, "--version")
	command.Env = append(os.Environ(), env...)
	out, err := command.CombinedOutput()
	t.Logf("%s --version: %s %v", program, out, err)
}

func tinyFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := tinymodel.Write(file); err != nil {
		t.Fatal(err)
	}
	return file
}

func startLlamaServer(t *testing.T, program string) engineSite {
	logVersion(t, program, nil)
	return engineSite{
		site: startEngine(t, nil, "--engine", "llamacpp", "--model", tinyFile(t)), model: "file:tiny.gguf", real: true,
		speaks: generating, lacks: []string{"responses-get"},
	}
}

// startOllama makes the tiny model in a store of its own, as a user does, before up
// starts an Ollama that has it.
func startOllama(t *testing.T, program string) engineSite {
	home := t.TempDir()
	env := []string{"HOME=" + home, "OLLAMA_MODELS=" + filepath.Join(home, "models")}
	logVersion(t, program, env)
	host := "OLLAMA_HOST=" + testkit.FreeAddress(t)
	serve := exec.Command(program, "serve")
	serve.Env = append(append(os.Environ(), env...), host)
	p := gatewaytest.StartCommand(t, serve)
	modelfile := filepath.Join(home, "Modelfile")
	if err := os.WriteFile(modelfile, []byte("FROM "+tinyFile(t)+"\nTEMPLATE \"{{ .Prompt }}\"\nPARAMETER num_ctx 512\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, time.Minute, "the model to be made", func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		create := exec.CommandContext(ctx, program, "create", "tiny", "-f", modelfile)
		create.Env = serve.Env
		return create.Run()
	})
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	return engineSite{
		site: startEngine(t, env, "--engine", "ollama", "--model", "tiny"), model: "tiny", real: true,
		speaks: append([]nodeapi.Protocol{nodeapi.Embeddings, nodeapi.Ollama}, generating...), lacks: []string{"messages-count-tokens", "responses-get", "responses-input-tokens"},
	}
}
