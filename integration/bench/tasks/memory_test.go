package tasks_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

const (
	waitingTasks = 10_000
	openStreams  = 5_000
)

// BenchmarkMemory is what 10,000 waiting tasks and then 5,000 open streams of
// events cost the orchestrator, and the streams the gateway before it: the heap
// in use and the resident memory, above an idle start, a piece. The bounds that
// stand beside it are the capacity of the queue (ORCHD_ADMISSION_CAPACITY), the
// streams of one orchestrator (DefaultMaxStreams, 5,000) and the bytes of all
// records (1 GiB).
func BenchmarkMemory(b *testing.B) {
	c := startChain(b, "5ms")
	for b.Loop() { // once is enough: -benchtime 1x
		idle, gateway := c.orchestrator.memory(b), resident(b, c.gateway)
		c.fill(b)
		queued := c.orchestrator.memory(b)
		closeAll := c.openStreams(b)
		open, gatewayOpen := c.orchestrator.memory(b), resident(b, c.gateway)
		closeAll()
		b.ReportMetric(queued.heap/mib, "MiB-heap-10000-tasks")
		b.ReportMetric(queued.resident/mib, "MiB-rss-10000-tasks")
		b.ReportMetric((queued.heap-idle.heap)/waitingTasks, "B-heap/task")
		b.ReportMetric(open.heap/mib, "MiB-heap-5000-streams")
		b.ReportMetric(open.resident/mib, "MiB-rss-5000-streams")
		b.ReportMetric((open.resident-queued.resident)/openStreams/1024, "KiB-rss/stream")
		b.ReportMetric((gatewayOpen-gateway)/openStreams/1024, "KiB-gateway-rss/stream")
		b.ReportMetric(idle.resident/mib, "MiB-rss-idle")
		b.ReportMetric(0, "ns/op")
	}
}

const mib = 1 << 20

type memory struct{ heap, resident float64 }

// memory asks the orchestrator's metrics.
func (o *orchestratord) memory(b *testing.B) memory {
	b.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+o.address+"/metrics", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+o.token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	var m memory
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		switch name {
		case "go_memstats_heap_inuse_bytes":
			m.heap, err = strconv.ParseFloat(value, 64)
		case "process_resident_memory_bytes":
			m.resident, err = strconv.ParseFloat(value, 64)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if m.heap == 0 || m.resident == 0 {
		b.Fatal("the metrics have no memory")
	}
	return m
}

// resident reads a process's memory from /proc.
func resident(b *testing.B, p *gatewaytest.Process) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib * 1024
		}
	}
	b.Fatal("no VmRSS")
	return 0
}

// fill makes tasks that wait: for a pool that will never be there.
func (c *chain) fill(b *testing.B) {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: admissionClients}}
	defer client.CloseIdleConnections()
	atOnce(b, waitingTasks, func(int) error { return c.orchestrator.admit(client, neverPlaced) })
}

// neverPlaced is a task that is pinned to a pool that nobody has.
const neverPlaced = `{"model_ref":"demo","prompt":"Why is the sky blue? Answer in one sentence, please.","max_tokens":64,` +
	`"deadline_ms":86400000,"placement":{"mode":"pin","pin_pool_id":"nobody-has-it"}}`

// openStreams follows tasks that wait, through the gateway, and gives what hangs
// up on all. The gateway's caller made them, so that it may follow them.
func (c *chain) openStreams(b *testing.B) (closeAll func()) {
	b.Helper()
	var ids []string
	for range 50 {
		var admission struct {
			TaskID string `json:"task_id"`
		}
		if err := c.through.json(http.MethodPost, "/v2/tasks", neverPlaced, &admission); err != nil {
			b.Fatal(err)
		}
		ids = append(ids, admission.TaskID)
	}
	bodies := make(chan io.Closer, openStreams)
	client := &http.Client{Transport: &http.Transport{}}
	atOnce(b, openStreams, func(i int) error {
		r, err := http.NewRequest(http.MethodGet, c.through.base+"/v2/tasks/"+ids[i%len(ids)]+"/events", nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+c.through.token)
		response, err := client.Do(r)
		if err != nil {
			return err
		}
		bodies <- response.Body
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("opening stream %d: %s", i, response.Status)
		}
		return nil
	})
	close(bodies)
	return func() {
		for body := range bodies {
			body.Close()
		}
		client.CloseIdleConnections()
	}
}
