//go:build rolling

package rolling_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/llorch/gateway/integration/testkit"
)

// node is a pool manager with the demo engine. Its gateway notes what it is asked for.
type node struct {
	name, pool, address, token string
	config                     string
	gateway, orchestrator      *httptest.Server
	daemon

	mu    sync.Mutex
	asked []asked
}

// asked is a request of the orchestrator that runs something.
type asked struct {
	path string
	of   *release // what the node was then
}

func (f *fleet) newNode(name string, r *release) *node {
	f.t.Helper()
	n := &node{name: name, pool: "pool-" + name, address: testkit.FreeAddress(f.t), token: rand.Text() + rand.Text()}
	target := &url.URL{Scheme: "http", Host: n.address}
	proxy := &httputil.ReverseProxy{FlushInterval: -1, ErrorLog: quiet, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	n.gateway = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/dispatch") || strings.Contains(r.URL.Path, "/call") {
			n.mu.Lock()
			n.asked = append(n.asked, asked{r.URL.Path, n.release.Load()})
			n.mu.Unlock()
		}
		proxy.ServeHTTP(w, r)
	}))
	f.t.Cleanup(n.gateway.Close)
	n.orchestrator = f.edge(name, "nodes")
	n.config = filepath.Join(f.t.TempDir(), "poolmanagerd.yaml")
	f.startNode(n, r)
	return n
}

func (f *fleet) startNode(n *node, r *release) {
	f.t.Helper()
	text := fmt.Sprintf(`runtime_dir: %s/run
templates:
  - name: demo
    base: demo
    slots: 4
    command: [%s, demo-engine, --port, "{port}", --api-key-file, "{key_file}", --parallel, "{slots}", --model, "{model}", --token-delay, 20ms]
preload: [{pool_id: %s, template: demo}]
`, filepath.Dir(n.config), r.poolmanagerd, n.pool)
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	n.run(f.t, r, r.poolmanagerd, []string{
		"POOL_MANAGERD_ADDR=" + n.address, "POOL_MANAGERD_NODE_ID=" + n.name, "POOL_MANAGERD_ADDRESS=" + n.gateway.URL,
		"ORCHESTRATORD_URL=" + n.orchestrator.URL, "ORCHESTRATORD_TOKEN=" + rand.Text() + rand.Text(),
		"POOL_MANAGERD_DISPATCH_TOKEN=" + n.token, "LLORCH_API_TOKEN=" + n.token,
	}, "--config", n.config)
}

// poolHealth is the answer of GET /v2/pools/{id}/health.
type poolHealth struct {
	Ready      bool `json:"ready"`
	Draining   bool `json:"draining"`
	SlotsFree  int  `json:"slots_free"`
	SlotsTotal int  `json:"slots_total"`
}

// offers waits until every replica has heard that the node's pool is ready.
func (f *fleet) offers(n *node) {
	f.t.Helper()
	for _, x := range f.replicas {
		testkit.Within(f.t, startLimit, n.name+" is ready at "+x.name, func() error {
			var h poolHealth
			err := f.at(x).as("admin").get("/v2/pools/"+n.pool+"/health", &h)
			if err == nil && (!h.Ready || h.Draining) {
				err = fmt.Errorf("%+v", h)
			}
			return err
		})
	}
}

// drain lets the node end what it runs, and gives it nothing more.
func (f *fleet) drain(n *node) {
	f.t.Helper()
	admin := f.through().as("admin")
	if err := admin.post("/v2/pools/"+n.pool+"/drain", fmt.Sprintf(`{"deadline_ms":%d}`, drainMS), nil); err != nil {
		f.t.Fatalf("draining %s: %v", n.name, err)
	}
	own := client{base: "http://" + n.address, token: n.token}
	testkit.Within(f.t, stopLimit, n.name+" runs nothing", func() error {
		var status struct {
			Ready  bool `json:"ready"`
			Active int  `json:"active_leases"`
		}
		err := own.get("/pools/"+n.pool+"/status", &status)
		if err == nil && (status.Ready || status.Active > 0) {
			err = fmt.Errorf("%+v", status)
		}
		return err
	})
}

// judge checks that the node, while it was of a release without native calls, was asked
// for prompt tasks alone.
func (n *node) judge() (tasks, calls int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.asked {
		switch {
		case strings.HasSuffix(a.path, "/dispatch"):
			tasks++
		case a.of.native:
			calls++
		default:
			err = errors.Join(err, fmt.Errorf("%s was asked for %s while it was %s", n.name, a.path, a.of.name))
		}
	}
	return tasks, calls, err
}
