package cluster_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestALoneReplicaReportsThatItIsAlone: it answers 503 on every
// route, /health included, logs what it waits for, and ends on SIGTERM.
func TestALoneReplicaReportsThatItIsAlone(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	r := c.replicas[0]
	r.start()
	testkit.Within(t, 10*time.Second, "503 while it waits", func() error {
		res, err := http.Get("http://" + r.http + "/health")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			return fmt.Errorf("status %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
		}
		return nil
	})
	if _, err := c.submit(r, ""); err == nil || !strings.Contains(err.Error(), "status 503 STARTING") {
		t.Errorf("got %v, want 503 STARTING", err)
	}
	testkit.Within(t, 10*time.Second, "it says what it waits for", func() error {
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
