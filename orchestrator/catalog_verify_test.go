package orchestrator_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
)

// TestVerificationsAreBoundedAndSurviveAStop has four models at a source that
// does not answer yet: two are read at a time, a removed one is let go, and what
// a stop interrupts is done after the next start.
func TestVerificationsAreBoundedAndSurviveAStop(t *testing.T) {
	var reading atomic.Int32
	var open atomic.Bool
	source := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open.Load() {
			reading.Add(1)
			defer reading.Add(-1)
			<-r.Context().Done()
			return
		}
		w.Write([]byte(r.URL.Path))
	}))
	t.Cleanup(source.Close)
	cas := x509.NewCertPool()
	cas.AddCert(source.Certificate())
	o := app.Options{
		StateDir: t.TempDir(),
		Settings: orchestrator.Settings{ModelHosts: []string{strings.TrimPrefix(source.URL, "https://")}, ModelCAs: cas},
	}
	s := start(t, o)
	ids := []string{"a", "b", "c", "d"}
	for _, id := range ids {
		s.enter(id, digest("/"+id), source.URL+"/"+id, "")
		for range 2 { // asking twice is asking once
			s.catalog(202, "POST", "/models/"+id+"/verify", nil)
		}
	}
	testkit.Eventually(t, "two are read", func() bool { return reading.Load() == 2 })
	s.catalog(204, "DELETE", "/models/a", nil)
	s.enter("a", digest("/a"), source.URL+"/a", "")
	testkit.Eventually(t, "still two are read", func() bool { return reading.Load() == 2 })
	if got := s.catalog(200, "GET", "/models/a", nil)["verification"].(map[string]any)["status"]; got != "unverified" {
		t.Errorf("a new model under an old id: got %v, want unverified", got)
	}
	begin := time.Now()
	s.Stop(context.Background())
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("stopping took %s", took)
	}
	open.Store(true)
	s = start(t, o)
	for _, id := range ids[1:] {
		testkit.Eventually(t, id+" is verified", func() bool {
			return s.catalog(200, "GET", "/models/"+id, nil)["verification"].(map[string]any)["status"] == "verified"
		})
	}
}
