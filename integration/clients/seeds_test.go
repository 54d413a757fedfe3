package clients_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// seeds is how many are compared.
const seeds = 64

// engineAlone starts a demo engine of its own, to be asked with nothing in between.
func engineAlone(t *testing.T) gatewaytest.Client {
	t.Helper()
	key := authmin.RandomSecret()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	engine := exec.CommandContext(t.Context(), os.Args[0], "demo-engine", "--api-key-file", file, "--token-delay", "0s")
	told, err := engine.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Process.Kill(); _ = engine.Wait() })
	line, err := bufio.NewReader(told).ReadString('\n')
	base := regexp.MustCompile(`http://\S+`).FindString(line)
	if err != nil || base == "" {
		t.Fatalf("the engine says %q, %v", line, err)
	}
	c := gatewaytest.Client{Base: base, Token: key.Reveal()}
	testkit.Eventually(t, "the engine is ready", func() bool {
		res, err := c.Do("GET", "/health", "")
		return err == nil && res.Status == 200
	})
	return c
}

// said is the body of an answer of 200.
func said(t *testing.T, c gatewaytest.Client, path, body string) []byte {
	t.Helper()
	res, err := c.Do("POST", path, body, "Content-Type: application/json")
	if err != nil || res.Status != 200 {
		t.Fatalf("got %d %s, %v", res.Status, res.Body, err)
	}
	return res.Body
}

// everySeed compares, for each seed, what comes through gateway, orchestrator and pool
// manager with what the engine says when it is asked directly: a chat's stream byte for
// byte, and the tokens of a strict task.
func everySeed(t *testing.T, s site) {
	engine, user, pool := engineAlone(t), s.admin.As(s.user), demoPool(t, s)
	different := map[string]bool{}
	for seed := range seeds {
		chat := fmt.Sprintf(`{"model":"demo","seed":%d,"stream":true,"max_tokens":6,"messages":[{"role":"user","content":"One more time."}]}`, seed)
		through, direct := said(t, user, "/v1/chat/completions", chat), said(t, engine, "/v1/chat/completions", chat)
		if !bytes.Equal(through, direct) {
			t.Fatalf("seed %d: the stream is\n%s\nwant what the engine sends\n%s", seed, through, direct)
		}
		different[string(through)] = true
		want := spoken(t, said(t, engine, "/completion", fmt.Sprintf(`{"prompt":"One more time.","seed":%d,"n_predict":6,"stream":true}`, seed)))
		if got := strictTask(t, user, pool, seed); got != want || want == "" {
			t.Fatalf("seed %d: the task says %q, the engine %q", seed, got, want)
		}
	}
	if len(different) < seeds/2 {
		t.Errorf("%d seeds give %d streams: the comparison would not see a lost seed", seeds, len(different))
	}
}

// demoPool is the name of the pool that up has.
func demoPool(t *testing.T, s site) string {
	t.Helper()
	var list struct {
		Nodes []struct {
			NodeID string `json:"node_id"`
			Pools  []struct {
				PoolID string `json:"pool_id"`
			} `json:"pools"`
		} `json:"nodes"`
	}
	res, err := s.admin.Do("GET", "/v2/nodes", "")
	if err == nil {
		err = res.JSON(&list)
	}
	if err != nil || len(list.Nodes) != 1 || len(list.Nodes[0].Pools) != 1 {
		t.Fatalf("the nodes are %s, %v", res.Body, err)
	}
	return list.Nodes[0].NodeID + "/" + list.Nodes[0].Pools[0].PoolID
}

// strictTask runs a strict task and gives the text of its tokens.
func strictTask(t *testing.T, c gatewaytest.Client, pool string, seed int) (text string) {
	t.Helper()
	res, err := c.Do("POST", "/v2/tasks", fmt.Sprintf(`{"model_ref":"demo","prompt":"One more time.","max_tokens":6,"determinism":"strict",
		"seed":%d,"placement":{"mode":"pin","pin_pool_id":%q}}`, seed, pool), "Content-Type: application/json")
	if err != nil || res.Status != 202 {
		t.Fatalf("seed %d: got %d %s, %v", seed, res.Status, res.Body, err)
	}
	var admitted struct {
		TaskID string `json:"task_id"`
	}
	if err := res.JSON(&admitted); err != nil {
		t.Fatal(err)
	}
	stream, err := c.Stream("/v2/tasks/" + admitted.TaskID + "/events")
	if err != nil {
		t.Fatal(err)
	}
	events, err := stream.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range events {
		var token struct {
			Text string `json:"t"`
		}
		if ev.Type == "token" {
			if err := json.Unmarshal([]byte(ev.Data), &token); err != nil {
				t.Fatal(err)
			}
			text += token.Text
		}
	}
	return text
}

// spoken is the text of llama.cpp's stream.
func spoken(t *testing.T, stream []byte) (text string) {
	t.Helper()
	for line := range bytes.Lines(stream) {
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		var piece struct {
			Content string `json:"content"`
		}
		if err := json.Unmarshal(data, &piece); err != nil {
			t.Fatalf("the engine says %s: %v", data, err)
		}
		text += piece.Content
	}
	return text
}
