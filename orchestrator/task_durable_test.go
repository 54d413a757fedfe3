package orchestrator_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// child is an orchestrator in another process, which can be killed.
type child struct {
	*service
	cmd *exec.Cmd
}

const childVariable = "ORCHESTRATOR_TEST_CHILD"

// spawn runs this test binary as an orchestrator.
func spawn(t *testing.T, dir string) *child {
	t.Helper()
	s := &service{t: t, direct: authmin.RandomSecret(), gate: authmin.RandomSecret()}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childVariable+"="+dir, "CHILD_DIRECT="+s.direct.Reveal(), "CHILD_GATE="+s.gate.Reveal())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s.addr = strings.TrimSpace(line)
	return &child{s, cmd}
}

func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		s, err := app.Start(context.Background(), app.Options{
			Listen: "127.0.0.1:0", StateDir: dir, Token: authmin.NewSecret(os.Getenv("CHILD_DIRECT")),
			UpstreamToken: authmin.NewSecret(os.Getenv("CHILD_GATE")), Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.Addr())
		select {}
	}
	os.Exit(m.Run())
}

// TestAnAcknowledgedTaskSurvivesKill kills the orchestrator while it admits
// tasks, and while one has streamed, one runs without a token and others wait.
func TestAnAcknowledgedTaskSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	hold := newPool(t, func(out *sink, r nodeapi.DispatchRequest) {
		if r.Prompt == "stream" {
			out.tokens(3)
		}
		<-out.gone
	})
	c := spawn(t, dir)
	c.join("n1", hold, 2)
	streamed := c.want(202, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"stream"}`)["task_id"].(string)
	seen := c.follow(streamed, "")
	for range 4 {
		seen.next()
	}
	silent := c.submit("")
	testkit.Eventually(t, "the silent one has run for a while, so that it is on disk that it shows nothing yet", func() bool {
		task := c.want(200, "ci", "infer", "GET", "/v2/tasks/"+silent, nil)
		started, err := time.Parse(time.RFC3339, fmt.Sprint(task["started_at"]))
		return err == nil && time.Since(started) > time.Second
	})

	var mu sync.Mutex
	acknowledged := []string{silent}
	var admitting sync.WaitGroup
	for range 4 {
		admitting.Go(func() {
			for {
				res, err := http.DefaultClient.Do(c.request("ci", "infer", "POST", "/v2/tasks", task("")))
				if err != nil {
					return // killed
				}
				path := ""
				if scan := bufio.NewScanner(res.Body); res.StatusCode == 202 && scan.Scan() {
					path = scan.Text()
				}
				res.Body.Close()
				if _, rest, ok := strings.Cut(path, `"task_id":"`); ok {
					mu.Lock()
					acknowledged = append(acknowledged, rest[:36])
					mu.Unlock()
				}
			}
		})
	}
	testkit.Eventually(t, "some are acknowledged", func() bool { mu.Lock(); defer mu.Unlock(); return len(acknowledged) > 50 })
	c.kill()
	admitting.Wait()

	c = spawn(t, dir)
	lost := c.follow(streamed, "4").rest()
	if len(lost) != 1 || lost[0].Type != "error" || len(lost[0].ID) < 2 || !strings.Contains(lost[0].Data, "WORKER_RESET") {
		t.Errorf("the task that had streamed: got %v, want error WORKER_RESET under an id that no lost event can have had", lost)
	}
	c.join("n1", newPool(t, echo(1)), 64)
	for _, id := range acknowledged {
		if got := types(c.follow(id, "").rest()); got != "started token end" {
			t.Errorf("acknowledged task %s: got %q", id, got)
		}
	}
	t.Logf("%d acknowledged tasks, none lost", len(acknowledged))
}

func TestStopEndsOpenStreamsInTime(t *testing.T) {
	dir := t.TempDir()
	s := start(t, app.Options{StateDir: dir})
	s.join("n1", newPool(t, func(out *sink, r nodeapi.DispatchRequest) {
		if r.Prompt == "stream" {
			out.tokens(1)
		}
		<-out.gone
	}), 2)
	streaming := s.want(202, "ci", "infer", "POST", "/v2/tasks", `{"model_ref":"demo","prompt":"stream"}`)["task_id"].(string)
	st := s.follow(streaming, "")
	st.next()
	st.next()
	silent, waiting := s.submit(""), s.submit("")
	testkit.Eventually(t, "the silent one runs", func() bool { return s.state(silent) == "running" })
	open := s.follow(waiting, "")
	begin := time.Now()
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("stopping took %s, want about 2 s at most", took)
	}
	if got := types(st.rest()); got != "error" {
		t.Errorf("the stream of a task with tokens: got %q, want error", got)
	}
	open.rest() // ends at all

	s = start(t, app.Options{StateDir: dir})
	for _, id := range []string{silent, waiting} {
		if got := s.state(id); got != "queued" {
			t.Errorf("after the restart: got %s, want queued", got)
		}
	}
}
