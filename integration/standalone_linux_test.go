package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// The instructions of `up --print-config` are complete: the test runs their shell
// lines, and the three commands serve a task.
func TestPrintConfigInstructionsRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's here")
	gateway, orchestrator, pools := testkit.FreeAddress(t), testkit.FreeAddress(t), testkit.FreeAddress(t)
	out, err := gatewaytest.Command(t, nil, "up", "--print-config", "--listen", gateway, "--page", testkit.FreeAddress(t), "--data-dir", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("127.0.0.1:8081", orchestrator, "127.0.0.1:9200", pools).Replace(string(out))
	work := t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "Caddyfile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "#\t"); ok {
			lines = append(lines, strings.TrimSuffix(command, "\n"))
		}
	}
	const commands = 3
	if len(lines) <= commands {
		t.Fatalf("got %d lines for a shell, want more than %d in\n%s", len(lines), commands, text)
	}
	prepare, run := lines[:len(lines)-commands], lines[len(lines)-commands:]
	var folders []string
	for _, program := range []string{"llorch", "orchestratord", "poolmanagerd"} {
		folders = append(folders, filepath.Dir(gatewaytest.Program(t, program)))
	}
	env := []string{"PATH=" + strings.Join(folders, ":") + ":" + os.Getenv("PATH"), "HOME=" + work, "XDG_DATA_HOME=" + work, "XDG_CONFIG_HOME=" + work}
	shell := func(script string) *exec.Cmd {
		cmd := exec.Command("sh", "-e", "-c", script)
		cmd.Dir, cmd.Env = work, env
		return cmd
	}
	token, err := shell(strings.Join(prepare, "\n")).Output()
	if err != nil {
		t.Fatalf("%v in\n%s", err, strings.Join(prepare, "\n"))
	}
	for _, command := range run {
		if strings.Contains(command, "=") && !strings.HasPrefix(command, "env ") {
			command = "env " + command
		}
		gatewaytest.StartCommand(t, shell(strings.Join(prepare, "\n")+"\nexec "+command))
	}
	client := gatewaytest.Client{Base: "http://" + gateway}.As(strings.TrimSpace(string(token)))
	testkit.Within(t, 30*time.Second, "an answer of the engine", func() error {
		answer, err := client.Do("POST", "/v1/chat/completions", `{"model":"demo","max_tokens":4,"messages":[{"role":"user","content":"hello"}]}`, "Content-Type: application/json")
		if err == nil && answer.Status != 200 {
			err = fmt.Errorf("got %d %s", answer.Status, answer.Body)
		}
		return err
	})
}
