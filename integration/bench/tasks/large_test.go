package tasks_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	largeCalls = 20
	largeBytes = 16 << 20
	sampling   = 20 * time.Millisecond
)

// BenchmarkLargeCalls is how much memory twenty requests of 16 MiB at once cost the
// orchestrator and the pool manager, at most while they are received, queued, sent to the
// engine and answered, above an idle start: resident, in MiB of one call.
func BenchmarkLargeCalls(b *testing.B) {
	c := startChain(b, "5ms")
	var orchestrator, poolManager float64
	for b.Loop() {
		idle := [2]float64{resident(b, c.orchestrator.Process), resident(b, c.poolManager)}
		peak := c.sendLarge(b)
		orchestrator, poolManager = max(orchestrator, peak[0]-idle[0]), max(poolManager, peak[1]-idle[1])
	}
	b.ReportMetric(orchestrator/mib/largeCalls, "MiB-orchestrator")
	b.ReportMetric(poolManager/mib/largeCalls, "MiB-poolmanager")
	b.ReportMetric(0, "ns/op")
}

// sendLarge sends the requests, and gives the most that both programs had meanwhile.
func (c *chain) sendLarge(b *testing.B) (peak [2]float64) {
	b.Helper()
	body := `{"model":"demo","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},` +
		`{"type":"image_url","image_url":{"url":"data:image/png;base64,` + strings.Repeat("iVBORw0KGgo/AAAA", largeBytes/16) + `"}}]}]}`
	var all sync.WaitGroup
	for range largeCalls {
		all.Go(func() {
			if err := c.through.send(body); err != nil {
				b.Error(err)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	again := time.NewTicker(sampling)
	defer again.Stop()
	for {
		peak[0], peak[1] = max(peak[0], resident(b, c.orchestrator.Process)), max(peak[1], resident(b, c.poolManager))
		select {
		case <-done:
			return peak
		case <-again.C:
		}
	}
}

// send sends one chat that is not streamed.
func (e endpoint) send(body string) error {
	r, err := http.NewRequest(http.MethodPost, e.base+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+e.token)
	response, err := e.client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.200s (%v)", response.Status, text, err)
	}
	return nil
}
