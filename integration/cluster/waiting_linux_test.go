package cluster_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestALoneReplicaReportsThatItIsAlone: it lives and is not ready, answers 503 on every
// other route, logs what it waits for, and ends on SIGTERM.
func TestALoneReplicaReportsThatItIsAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	r := c.replicas[0]
	r.start()
	for path, want := range map[string]string{"/health": `200 {"status":"ok"}`, "/ready": `503 {"status":"not_ready","reason":"starting"}`} {
		testkit.Eventually(t, path+" while it waits", func() bool { return answerOf(t, r, path) == want })
	}
	if _, err := c.submit(r, ""); err == nil || !strings.Contains(err.Error(), "status 503 STARTING") {
		t.Errorf("got %v, want 503 STARTING", err)
	}
	testkit.Within(t, testkit.Limit, "it says what it waits for", func() error {
		if !strings.Contains(r.tail(), "waiting for the other replicas") {
			return fmt.Errorf("got %s", r.tail())
		}
		return nil
	})
	begin := time.Now()
	if code := r.signal(syscall.SIGTERM); code != 0 || time.Since(begin) > 5*time.Second {
		t.Errorf("TERM ended it with %d after %s", code, time.Since(begin))
	}
}

// answerOf is status and body of a public route; "" when there is no answer.
func answerOf(t *testing.T, r *replica, path string) string {
	t.Helper()
	res, err := http.Get("http://" + r.http + path)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d %s", res.StatusCode, strings.TrimSpace(string(body)))
}
