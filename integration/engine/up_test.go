package engine_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/poolmanager/tinymodel"
)

// standIn takes llama-server's place on the PATH where there is none.
const standIn = `#!/bin/sh
for a in "$@"; do
	case $before in
	--port | --api-key-file | --parallel) set -- "$@" "$before" "$a" ;;
	--alias) set -- "$@" --model "$a" ;;
	esac
	before=$a
	shift
done
exec "$PROGRAM" demo-engine "$@"
`

// TestUpServesAModelFile pastes the lines that up prints, and then talks as a
// chat program does: through the gateway, to the engine and back.
func TestUpServesAModelFile(t *testing.T) {
	path := os.Getenv("PATH")
	if found, err := exec.LookPath("llama-server"); err == nil {
		t.Logf("with %s", found)
	} else {
		t.Log("llama-server is not on the PATH: with the demo engine in its place")
		dir := t.TempDir()
		script := strings.ReplaceAll(standIn, "$PROGRAM", gatewaytest.Binary(t))
		if err := os.WriteFile(filepath.Join(dir, "llama-server"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		path = dir + string(os.PathListSeparator) + path
	}
	file := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := tinymodel.Write(file); err != nil {
		t.Fatal(err)
	}
	env := []string{"LLORCH_API_TOKEN=" + authmin.RandomSecret().Reveal()}
	u := gatewaytest.StartUp(t, append(env, "PATH="+path), "--engine", "llamacpp", "--model", file)
	wants := []string{"401", "task_id", "event: end", "caddy_authmin", `"choices":`}
	outputs, err := gatewaytest.Script(t, env, u.PasteLines()...)
	if err != nil || len(outputs) != len(wants) {
		t.Fatalf("%d outputs of %d lines, %v", len(outputs), len(wants), err)
	}
	for i, out := range outputs {
		if !strings.Contains(out, wants[i]) {
			t.Errorf("%s\ngave %.400q, want %q in it", u.PasteLines()[i], out, wants[i])
		}
	}
	body := `{"model":"file:tiny.gguf","messages":[{"role":"user","content":"hello"}],"max_tokens":6,"stream":true,"stream_options":{"include_usage":true}}`
	response, err := u.Do("POST", "/v1/chat/completions", body)
	if err != nil || response.Status != 200 || !strings.Contains(string(response.Body), `"completion_tokens":6`) || !strings.Contains(string(response.Body), "[DONE]") {
		t.Errorf("a chat: %d %.600s, %v", response.Status, response.Body, err)
	}
}
