package poolmanager

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/demoengine"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// runAsChild plays another part if that was asked for; there is one on Linux.
var runAsChild = func() bool { return false }

// TestMain lets the test binary be the demo engine, as the programs are.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "demo-engine" {
		if err := demoengine.Run(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if runAsChild() {
		return
	}
	os.Exit(m.Run())
}

var quick = timings{readyEvery: 10 * time.Millisecond, liveEvery: 20 * time.Millisecond, liveMisses: 3, restartFirst: 20 * time.Millisecond, probeLimit: 100 * time.Millisecond, bodyLimit: time.Second, minStay: 50 * time.Millisecond, memoryWait: 300 * time.Millisecond}

// rig is a service over real TCP with real engine processes.
type rig struct {
	*Service
	client *nodeapi.Client
	token  authmin.Secret
	log    *testkit.Buffer
}

func demoOptions(t testing.TB) Options {
	t.Helper()
	demo, err := DemoTemplate([]string{os.Args[0], "demo-engine"})
	if err != nil {
		t.Fatal(err)
	}
	demo.Command = append(demo.Command, "--token-delay", "1ms")
	return Options{
		Listen: "127.0.0.1:0", RuntimeDir: t.TempDir(), NodeID: "test-node", Token: authmin.RandomSecret(),
		UpstreamToken: authmin.RandomSecret(), Templates: []Template{demo}, times: quick,
	}
}

func startRig(t testing.TB, change func(*Options)) *rig {
	t.Helper()
	o := demoOptions(t)
	log := &testkit.Buffer{}
	o.Log = slog.New(slog.NewTextHandler(log, nil))
	if change != nil {
		change(&o)
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", log)
		}
	})
	c := nodeapi.New("http://"+s.Addr(), o.Token.Reveal, nil)
	return &rig{Service: s, client: c, token: o.Token, log: log}
}

// ready preloads a pool and waits for it.
func (r *rig) ready(t testing.TB, id, template, ref string) {
	t.Helper()
	got, err := r.client.Preload(t.Context(), id, nodeapi.PreloadRequest{Template: template, ModelRef: ref, WaitMS: 10_000})
	if err != nil || got.State != "ready" {
		status, _ := r.client.Status(t.Context(), id)
		t.Fatalf("preload: %+v, %v; status %+v", got, err, status)
	}
}

// run dispatches one task and collects its events.
func (r *rig) run(t *testing.T, id string, task nodeapi.DispatchRequest) ([]nodeapi.Event, error) {
	t.Helper()
	stream, err := r.client.Dispatch(t.Context(), id, task)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	var events []nodeapi.Event
	for {
		event, err := stream.Next()
		if err == io.EOF {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, event)
	}
}

func (r *rig) status(t *testing.T, id string) nodeapi.Status {
	t.Helper()
	s, err := r.client.Status(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// engine is what runs in a pool now.
func (r *rig) engine(t testing.TB, id string) *instance {
	t.Helper()
	p, err := r.pools.find(id)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inst == nil {
		t.Fatalf("no engine runs in %s", id)
	}
	return p.inst
}

// call sends one request with the given headers and gives status, header, body.
func (r *rig) call(t *testing.T, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Addr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}
