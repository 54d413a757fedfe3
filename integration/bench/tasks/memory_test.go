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

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

const (
	waitingTasks = 10_000
	openStreams  = 4_500 // what one identity alone may have of DefaultMaxStreams
)

// BenchmarkMemory is what 10,000 waiting tasks and then 4,500 open streams of
// events cost the orchestrator, and the streams the gateway before it: the heap
// in use (with what the collector has not yet looked at) and the resident memory,
// above an idle start, a piece. The bounds that stand beside it are the capacity of
// the queue (ORCHD_ADMISSION_CAPACITY), the streams of one orchestrator
// (DefaultMaxStreams, 5,000) and the bytes of all records (1 GiB).
//
// Each round has programs and a state of its own: what an earlier one has left in a
// heap, or in the queue, is not counted again. The figures are medians.
func BenchmarkMemory(b *testing.B) {
	figures := map[string][]float64{}
	for b.Loop() {
		for name, value := range memoryRound(b) {
			figures[name] = append(figures[name], value)
		}
	}
	for name, values := range figures {
		b.ReportMetric(median(values), name)
	}
	b.ReportMetric(0, "ns/op")
}

// memoryRound measures once.
func memoryRound(b *testing.B) map[string]float64 {
	b.Helper()
	c := startMemory(b)
	idle, gateway := c.orchestrator.memory(b), resident(b, c.gateway)
	c.fill(b)
	queued := c.orchestrator.memory(b)
	closeAll := c.openStreams(b)
	open, gatewayOpen := c.orchestrator.memory(b), resident(b, c.gateway)
	closeAll()
	for _, p := range []*gatewaytest.Process{c.gateway, c.orchestrator.Process} {
		if err := p.Stop(); err != nil {
			b.Fatalf("stopping after a round: %v", err)
		}
	}
	return map[string]float64{
		"MiB-heap-10000-tasks":   queued.heap / mib,
		"MiB-rss-10000-tasks":    queued.resident / mib,
		"B-heap/task":            (queued.heap - idle.heap) / waitingTasks,
		"MiB-heap-4500-streams":  open.heap / mib,
		"MiB-rss-4500-streams":   open.resident / mib,
		"KiB-rss/stream":         (open.resident - queued.resident) / openStreams / 1024,
		"KiB-gateway-rss/stream": (gatewayOpen - gateway) / openStreams / 1024,
		"MiB-rss-idle":           idle.resident / mib,
	}
}

// startMemory starts an orchestrator that knows a model, and no pool that is ever
// ready, behind a gateway. The queue has room for all tasks as the share of one
// caller, which is less than its capacity as soon as another one asks.
func startMemory(b *testing.B) *chain {
	b.Helper()
	c := &chain{orchestrator: startOrchestrator(b, "ORCHD_ADMISSION_CAPACITY=20000"), gatewayAddress: testkit.FreeAddress(b)}
	c.orchestrator.register(b, 0)
	client := authmin.RandomSecret().Reveal()
	config := fmt.Sprintf(`{
	admin off
	persist_config off
	grace_period 1s
	log {
		output discard
	}
	authmin {
		token bench {env.BENCH_TOKEN} infer
		lockout off
	}
}
http://%s {
	bind 127.0.0.1
	authmin edge {
		require infer /v2/tasks /v2/tasks/*
		upstream_token {env.UPSTREAM_TOKEN}
	}
	reverse_proxy %s
}
`, c.gatewayAddress, c.orchestrator.address)
	c.gateway = gatewaytest.Start(b, []string{"BENCH_TOKEN=" + client, "UPSTREAM_TOKEN=" + c.orchestrator.upstream},
		"run", "--adapter", "caddyfile", "--config", write(b, b.TempDir(), "Caddyfile", config))
	c.gateway.Listening(b, c.gatewayAddress)
	c.through = newEndpoint("http://"+c.gatewayAddress, client)
	return c
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

// neverPlaced is a task that is pinned to a pool that does not exist.
const neverPlaced = `{"model_ref":"demo","prompt":"Why is the sky blue? Answer in one sentence, please.","max_tokens":64,` +
	`"deadline_ms":86400000,"placement":{"mode":"pin","pin_pool_id":"no-such-pool"}}`

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
