//go:build linux

package poolmanager

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

// proxiedOrchestrator tells a pool manager of kind proxied where to register.
const proxiedOrchestrator = "POOLMANAGER_TEST_ORCHESTRATOR"

func init() {
	kinds["proxied"] = func(o *Options) {
		o.OrchestratorURL = os.Getenv(proxiedOrchestrator)
		o.OrchestratorToken, o.DispatchToken = func() authmin.Secret { return daemonToken }, daemonToken
		o.times = quick
		o.Preload = []Preload{{PoolID: "a", Template: "demo"}}
	}
}

// door records each connection attempt and answers none.
type door struct {
	port  string
	mu    sync.Mutex
	lines []string // the first of each
}

func newDoor(t *testing.T) *door {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	d := &door{port: port}
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			line, _, _ := bufio.NewReader(io.LimitReader(connection, 256)).ReadLine()
			connection.Close()
			d.mu.Lock()
			d.lines = append(d.lines, string(line))
			d.mu.Unlock()
		}
	})
	t.Cleanup(func() { listener.Close(); ended.Wait() })
	return d
}

func (d *door) knocks() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines
}

// TestNoProxyIsAsked although the environment names one: not for the registration,
// which carries the node's tokens, and not for traces. LOCALHOST is this machine
// to the resolver, but a host like any other to the rules of HTTPS_PROXY.
func TestNoProxyIsAsked(t *testing.T) {
	proxy, orchestrator, collector := newDoor(t), newDoor(t), newDoor(t)
	k := startKillable(t, t.TempDir(), "proxied",
		"HTTPS_PROXY=http://127.0.0.1:"+proxy.port, "HTTP_PROXY=http://127.0.0.1:"+proxy.port, "ALL_PROXY=http://127.0.0.1:"+proxy.port, "NO_PROXY=",
		proxiedOrchestrator+"=https://LOCALHOST:"+orchestrator.port, "OTEL_EXPORTER_OTLP_ENDPOINT=https://LOCALHOST:"+collector.port)
	c := k.client(t)
	testkit.Eventually(t, "the pool", func() bool { s, err := c.Status(t.Context(), "a"); return err == nil && s.Ready })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+k.address+"/pools/a/dispatch", strings.NewReader(`{"prompt": "hello", "max_tokens": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+daemonToken.Reveal())
	request.Header.Set("Traceparent", aTraceparent)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.Status, err)
	}
	testkit.Eventually(t, "the registration", func() bool { return len(orchestrator.knocks())+len(proxy.knocks()) > 0 })
	asked := len(proxy.knocks())
	if err := k.Process.Signal(syscall.SIGTERM); err != nil { // what is left of traces goes out now
		t.Fatal(err)
	}
	testkit.Eventually(t, "the traces", func() bool { return len(collector.knocks())+len(proxy.knocks())-asked > 0 })
	if err := k.Wait(); err != nil {
		t.Error(err)
	}
	if got := proxy.knocks(); len(got) > 0 {
		t.Errorf("the proxy was asked %q", got)
	}
	if len(orchestrator.knocks()) == 0 || len(collector.knocks()) == 0 {
		t.Errorf("%d connections to the orchestrator, %d to the collector", len(orchestrator.knocks()), len(collector.knocks()))
	}
}
