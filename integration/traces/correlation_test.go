package traces_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// TestOneCorrelationIDFollowsATaskThroughEveryLog looks for the id in the
// gateway's decision, in what the orchestrator says of the task, which waits in
// a queue in between, and in what the pool manager says of its dispatch.
func TestOneCorrelationIDFollowsATaskThroughEveryLog(t *testing.T) {
	up := gatewaytest.StartUp(t, nil)
	const id = "one-id-for-everything"
	res, err := up.Do("POST", "/v2/tasks", `{"model_ref":"demo","prompt":"x","max_tokens":2}`, "X-Correlation-Id: "+id)
	if err != nil || res.Status != 202 || res.Header.Get("X-Correlation-Id") != id {
		t.Fatalf("got %d %s, %v", res.Status, res.Body, err)
	}
	want := []string{ // logger: message
		"http.handlers.authmin.audit|authmin.audit: auth_success",
		"orchestrator: placed", "poolmanager: request ended", "orchestrator: task ended",
	}
	testkit.Within(t, within, "a line of each part", func() error {
		got, err := linesOf(filepath.Join(up.Dir, "llorch.log"), id)
		if err != nil {
			return err
		}
		for _, w := range want {
			loggers, message, _ := strings.Cut(w, ": ")
			found := false
			for _, line := range got {
				for logger := range strings.SplitSeq(loggers, "|") {
					found = found || line == logger+": "+message
				}
			}
			if !found {
				return fmt.Errorf("no line %q among %q", w, got)
			}
		}
		return nil
	})
}

// linesOf gives logger and message of every line with that correlation id.
func linesOf(path, id string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		var l struct {
			Logger  string `json:"logger"`
			Message string `json:"msg"`
			Event   string `json:"event"`
			ID      string `json:"correlation_id"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return nil, fmt.Errorf("%q is not JSON: %w", line, err)
		}
		if l.ID == id {
			if l.Event != "" {
				l.Message = l.Event
			}
			lines = append(lines, l.Logger+": "+l.Message)
		}
	}
	return lines, nil
}
