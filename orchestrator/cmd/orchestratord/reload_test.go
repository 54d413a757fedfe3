package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/integration/testkit"
)

const (
	firstToken  = "canary-first-0123456789abcdefghijklmnop"
	secondToken = "canary-second-0123456789abcdefghijklmno"
	gatewayOwn  = "canary-gateway-0123456789abcdefghijklmn"
	reloadLimit = 10 * time.Second
)

// daemon is orchestratord in this process, with its own token in a file.
type daemon struct {
	base, config, token string
	lines               lineWriter
}

func startDaemon(t *testing.T) *daemon {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	d := &daemon{lines: make(lineWriter, 1000), token: write(t, firstToken+"\n"), config: write(t, "addr: 127.0.0.1:0\nstate_dir: "+t.TempDir()+"\n")}
	if err := os.Chmod(d.token, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	env := environment("LLORCH_API_TOKEN_FILE", d.token, "LLORCH_UPSTREAM_TOKEN", gatewayOwn)
	go func() { ended <- run(ctx, []string{"--config", d.config}, env, io.Discard, d.lines) }()
	t.Cleanup(func() {
		stop()
		if err := testkit.Receive(t, ended, "the end"); err != nil {
			t.Error(err)
		}
	})
	d.base = "http://" + d.logged(t, "serving")["address"].(string)
	return d
}

// logged waits for a message of the log.
func (d *daemon) logged(t *testing.T, message string) map[string]any {
	t.Helper()
	limit := time.After(reloadLimit)
	for {
		select {
		case line := <-d.lines:
			if strings.Contains(line, "canary") {
				t.Errorf("the log holds a token: %s", line)
			}
			record := map[string]any{}
			if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == message {
				return record
			}
		case <-limit:
			t.Fatalf("the log has no %q", message)
		}
	}
}

func (d *daemon) ask(t *testing.T, token, method, path, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, d.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (d *daemon) status(t *testing.T, token string) int {
	t.Helper()
	answer := d.ask(t, token, "GET", "/v2/nodes", "")
	answer.Body.Close()
	return answer.StatusCode
}

// stream opens the events of a task that waits; ended is closed with it.
func (d *daemon) stream(t *testing.T, token string) (ended chan struct{}) {
	t.Helper()
	const node = `{"node_id":"n","address":"http://127.0.0.1:1","dispatch_token":"canary-node","pools":[{"pool_id":"p","engine":"demo","model_ref":"demo","models":["demo"],"ready":true,"slots_free":0,"slots_total":1,"draining":false,"vram_free_bytes":0}],"machine_id":"m","version":"v","capabilities":{"gpus":[],"cpu_cores":1,"ram_total_bytes":1}}`
	registered := d.ask(t, token, "POST", "/v2/nodes/register", node)
	if text, _ := io.ReadAll(registered.Body); registered.StatusCode != 200 {
		t.Fatalf("registering: got %d %s", registered.StatusCode, text)
	}
	registered.Body.Close()
	answer := d.ask(t, token, "POST", "/v2/tasks", `{"workload":"completion","model_ref":"demo","prompt":"x","max_tokens":1}`)
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	var task struct {
		ID string `json:"task_id"`
	}
	if err := json.Unmarshal(text, &task); err != nil || task.ID == "" {
		t.Fatalf("got %d %s, want a task", answer.StatusCode, text)
	}
	events := d.ask(t, token, "GET", "/v2/tasks/"+task.ID+"/events", "")
	if events.StatusCode != 200 {
		t.Fatalf("got %d, want events", events.StatusCode)
	}
	ended = make(chan struct{})
	go func() { defer close(ended); _, _ = io.Copy(io.Discard, events.Body); events.Body.Close() }()
	return ended
}

func open(stream chan struct{}) bool {
	select {
	case <-stream:
		return false
	default:
		return true
	}
}

func TestHUPReloadsAndDisturbsNoStream(t *testing.T) {
	d := startDaemon(t)
	own, gateway := d.stream(t, firstToken), d.stream(t, firstToken)
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.logged(t, "reloaded")
	replaced := strings.ReplaceAll(string(mustRead(t, d.config)), "addr: 127.0.0.1:0", "addr: 127.0.0.1:1\nlog_level: error")
	if err := os.WriteFile(d.config, []byte(replaced), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	// At the new level a reload that went well is not logged: one that fails is.
	deadline := time.After(reloadLimit)
	for quiet := false; !quiet; {
		select {
		case <-deadline:
			t.Fatal("the level is not in use")
		default:
		}
		if err := os.WriteFile(d.config, []byte("no_such_key: 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		record := d.logged(t, "reloaded")
		failed, _ := record["failed"].([]any)
		quiet = record["level"] == "ERROR" && len(failed) == 1
	}
	if !open(own) || !open(gateway) || d.status(t, firstToken) != 200 {
		t.Error("a reload ended a stream, or the daemon")
	}
}

func TestATokenInAFileIsFollowedAndItsStreamsEndWithIt(t *testing.T) {
	d := startDaemon(t)
	stream := d.stream(t, firstToken)
	if err := os.WriteFile(d.token, []byte(gatewayOwn), 0o600); err != nil { // equal to the gateway's
		t.Fatal(err)
	}
	d.logged(t, "token not loaded; the last good one stays in use")
	if got := d.status(t, firstToken); got != 200 || !open(stream) {
		t.Errorf("after a token that must not be: got %d, want 200 and the stream", got)
	}
	next := filepath.Join(filepath.Dir(d.token), "next")
	if err := os.WriteFile(next, []byte(secondToken), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, d.token); err != nil {
		t.Fatal(err)
	}
	d.logged(t, "token loaded")
	if old, fresh := d.status(t, firstToken), d.status(t, secondToken); old != 401 || fresh != 200 {
		t.Errorf("the old token: got %d, want 401; the new one: got %d, want 200", old, fresh)
	}
	select {
	case <-stream:
	case <-time.After(reloadLimit):
		t.Error("the stream of the old token is still open")
	}
	answer := d.ask(t, secondToken, "GET", "/metrics", "")
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if want := `llorch_token_source_errors_total{source="LLORCH_API_TOKEN"} 1`; !strings.Contains(string(text), want) {
		t.Errorf("the metrics have no %s", want)
	}
}

func TestChangedKeysAreNamed(t *testing.T) {
	read := func(text string) backend.Daemon {
		d, err := program.Read(write(t, "state_dir: /a\n"+text), environment())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	was, is := read(""), read("addr: 127.0.0.1:1\nlog_level: debug\nnode_networks: [10.0.0.0/8]\nadmission_capacity: 1000\n")
	if got, want := is.Settings().Changed(was.Settings()), []string{"addr", "node_networks"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
