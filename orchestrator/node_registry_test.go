package orchestrator_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func beat(p *pool, at time.Time) nodeapi.HeartbeatRequest {
	return nodeapi.HeartbeatRequest{Timestamp: at, Pools: p.registration("", 1).Pools}
}

func TestANodeBelongsToItsFirstRegistrant(t *testing.T) {
	dir := t.TempDir()
	s := start(t, app.Options{StateDir: dir})
	p := newPool(t, echo(1))
	s.want(200, "alice", "nodes", "POST", "/v2/nodes/register", p.registration("n1", 1))
	s.want(200, "alice", "nodes", "POST", "/v2/nodes/register", p.registration("n1", 1))
	s.want(403, "mallory", "nodes", "POST", "/v2/nodes/register", p.registration("n1", 1))
	s.want(403, "mallory", "nodes", "POST", "/v2/nodes/n1/heartbeat", beat(p, time.Now()))
	s.want(403, "mallory", "nodes", "DELETE", "/v2/nodes/n1", nil)
	s.want(200, "alice", "nodes", "POST", "/v2/nodes/n1/heartbeat", beat(p, time.Now()))
	s.want(204, "alice", "nodes", "DELETE", "/v2/nodes/n1", nil)
	s.want(403, "mallory", "nodes", "POST", "/v2/nodes/register", p.registration("n1", 1))
	s.Stop(context.Background())

	s = start(t, app.Options{StateDir: dir})
	s.want(403, "mallory", "nodes", "POST", "/v2/nodes/register", p.registration("n1", 1))
	s.want(204, "root", "admin", "DELETE", "/v2/nodes/n1", nil)
	s.want(200, "mallory", "nodes", "POST", "/v2/nodes/register", p.registration("n1", 1))
}

func TestHeartbeatsAreNotReplayed(t *testing.T) {
	s := start(t, app.Options{})
	p := newPool(t, echo(1))
	s.want(404, "a", "nodes", "POST", "/v2/nodes/n1/heartbeat", beat(p, time.Now()))
	s.join("a", p, 1)
	now := time.Now()
	for _, c := range []struct {
		name string
		at   time.Time
		want int
	}{
		{"first", now, 200}, {"the same again", now, 409}, {"an older one", now.Add(-time.Second), 409},
		{"a minute ahead", now.Add(time.Minute), 409}, {"a minute behind", now.Add(-time.Minute), 409},
		{"a later one", now.Add(time.Second), 200},
	} {
		if got, _, answer := s.send(s.request("a", "nodes", "POST", "/v2/nodes/a/heartbeat", beat(p, c.at))); got != c.want {
			t.Errorf("%s: got %d %v, want %d", c.name, got, answer, c.want)
		}
	}
}

func TestASilentNodeIsOfflineUntilItCallsAgain(t *testing.T) {
	s := start(t, app.Options{Settings: orchestrator.Settings{NodeTimeout: 300 * time.Millisecond}})
	p := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) { out.tokens(1); <-out.gone })
	s.join("n1", p, 1)
	events := s.follow(s.submit(""), "").rest()
	if last := events[len(events)-1]; !strings.Contains(last.Data, "WORKER_RESET") {
		t.Errorf("a task on a node that goes silent: got %v", events)
	}
	state := func() any {
		nodes := s.want(200, "root", "admin", "GET", "/v2/nodes", nil)["nodes"].([]any)
		return nodes[0].(map[string]any)["state"]
	}
	if got := state(); got != "offline" {
		t.Errorf("got %v, want offline", got)
	}
	s.want(200, "n1", "nodes", "POST", "/v2/nodes/n1/heartbeat", beat(p, time.Now()))
	if got := state(); got != "online" {
		t.Errorf("after a heartbeat: got %v, want online", got)
	}
}

// resolver answers from a table, so that no test depends on DNS.
type resolver map[string][]netip.Addr

func (r resolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return r[host], nil
}

func TestACredentialOnlyGoesWhereTheOperatorAllows(t *testing.T) {
	ip := netip.MustParseAddr
	s := start(t, app.Options{Settings: orchestrator.Settings{
		NodeNetworks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")},
		Resolver: resolver{
			"gpu.example":    {ip("10.1.2.3")},
			"rebind.example": {ip("10.1.2.3"), ip("169.254.169.254")},
			"mapped.example": {ip("::ffff:169.254.169.254")},
			"public.example": {ip("203.0.113.9")},
		},
	}})
	for address, want := range map[string]int{
		"https://gpu.example":                 200,
		"https://gpu.example:9443":            200,
		"http://127.0.0.1:9200":               200,
		"http://[::1]:9200":                   200,
		"http://[::ffff:127.0.0.1]:9200":      200,
		"http://gpu.example":                  422, // plain http, not loopback
		"https://rebind.example":              422, // one address is outside
		"https://mapped.example":              422,
		"https://public.example":              422,
		"https://unknown.example":             422,
		"https://169.254.169.254":             422,
		"https://0.0.0.0":                     422,
		"https://user:pass@gpu.example":       422,
		"https://gpu.example/path":            422,
		"https://gpu.example?x=1":             422,
		"https://gpu.example#x":               422,
		"https://gpu.example:0":               422,
		"https://gpu.example:99999":           422,
		"file:///etc/passwd":                  422,
		"gpu.example":                         422,
		"http://127.0.0.1:9200@gpu.example":   422,
		"https://[fe80::1%25eth0]":            422,
		"https://[::1%25lo]:9200":             422, // an address of this machine, and not as it is checked
		"https://" + strings.Repeat("a", 400): 422,
		"unix//run/x":                         422,
		"":                                    422,
	} {
		r := newRegistration(address)
		if got, _, answer := s.send(s.request("n", "nodes", "POST", "/v2/nodes/register", r)); got != want {
			t.Errorf("%q: got %d %v, want %d", address, got, answer, want)
		}
	}
}

// TestTheConnectionGoesToTheCheckedAddress gives a name that only the check's
// resolver knows: a second look-up would fail.
func TestTheConnectionGoesToTheCheckedAddress(t *testing.T) {
	p := newPool(t, echo(1))
	s := start(t, app.Options{Settings: orchestrator.Settings{Resolver: resolver{"gpu.test": {netip.MustParseAddr("127.0.0.1")}}}})
	r := p.registration("n1", 1)
	r.Address = strings.Replace(p.URL, "127.0.0.1", "gpu.test", 1)
	s.want(200, "n1", "nodes", "POST", "/v2/nodes/register", r)
	if got := types(s.follow(s.submit(""), "").rest()); got != "started token end" {
		t.Errorf("got %q", got)
	}
}

func newRegistration(address string) nodeapi.RegisterRequest {
	p := &pool{id: "p", Server: &httptest.Server{URL: address}}
	return p.registration("n1", 1)
}

// TestARedirectGetsNoCredential, neither of another server at the checked address, nor of
// another path of the same one. The connection always goes to the checked address: the
// second server is there, too, under its own name, as behind any proxy.
func TestARedirectGetsNoCredential(t *testing.T) {
	for name, location := range map[string]string{"another server": "http://elsewhere.test/take", "another path": "/take"} {
		t.Run(name, func(t *testing.T) {
			followed := make(chan string, 10)
			both := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/take" {
					http.Redirect(w, r, location, http.StatusTemporaryRedirect)
					return
				}
				body, err := io.ReadAll(r.Body)
				followed <- fmt.Sprintf("%s with %q, %d bytes of body (%v)", r.Host, r.Header.Get("Authorization"), len(body), err)
			}))
			t.Cleanup(both.Close)
			s := start(t, app.Options{})
			r := newRegistration(both.URL)
			r.NodeID = "a"
			s.want(200, "a", "nodes", "POST", "/v2/nodes/register", r)
			s.join("b", newPool(t, echo(1)), 1)
			if got := types(s.follow(s.submit(""), "").rest()); got != "started token end" {
				t.Errorf("got %q", got)
			}
			if status, _, answer := s.send(s.request("root", "admin", "POST", "/v2/pools/a%2Fp/drain", `{"deadline_ms":0}`)); status != 503 || answer["code"] != "NODE_REFUSED" {
				t.Errorf("a command: got %d %v, want 503 NODE_REFUSED", status, answer)
			}
			if len(followed) > 0 {
				t.Errorf("the redirect was followed to %s", <-followed)
			}
		})
	}
}

func TestANodesTokenIsNeverShown(t *testing.T) {
	dir := t.TempDir()
	s := start(t, app.Options{StateDir: dir})
	s.join("n1", newPool(t, echo(1)), 1)
	for _, path := range []string{"/v2/nodes", "/metrics", "/v2/meta/capabilities"} {
		res, err := http.DefaultClient.Do(s.request("root", "admin", "GET", path, nil))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := res.Write(&text); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), nodeToken) {
			t.Errorf("%s shows it", path)
		}
	}
	s.Stop(context.Background())
	if found := grep(t, dir, nodeToken); found != "" {
		t.Errorf("it is on disk in %s", found)
	}
}

func TestTheSharedTokenGoesOnlyToNamedAddresses(t *testing.T) {
	var seen string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Get("Authorization")
		w.WriteHeader(http.StatusBadRequest)
	}))
	t.Cleanup(server.Close)
	shared := authmin.RandomSecret()
	r := newRegistration(server.URL)
	r.DispatchToken = ""
	s := start(t, app.Options{PoolManagerToken: shared})
	if got := s.want(422, "n", "nodes", "POST", "/v2/nodes/register", r); got["code"] != "NODE_WITHOUT_TOKEN" {
		t.Errorf("not named: got %v", got)
	}
	s = start(t, app.Options{PoolManagerToken: shared, Settings: orchestrator.Settings{NodeAddresses: []string{server.URL}}})
	s.want(200, "n", "nodes", "POST", "/v2/nodes/register", r)
	s.follow(s.submit(""), "").rest()
	if seen != "Bearer "+shared.Reveal() {
		t.Error("the named address did not get the shared token")
	}
}

func TestABusyPoolDoesNotTripTheBreaker(t *testing.T) {
	refusals := 8 // more than the breaker's five
	p := newPool(t, nil)
	p.dispatch = func(out *sink, _ nodeapi.DispatchRequest) {
		if refusals--; refusals >= 0 {
			out.w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		out.tokens(1)
		out.end(1)
	}
	s := start(t, app.Options{})
	s.join("n1", p, 1)
	// Each heartbeat ends the pause after a 429.
	id := s.submit("")
	beats := time.Now()
	testkit.Eventually(t, "the task is done", func() bool {
		beats = beats.Add(time.Millisecond)
		s.want(200, "n1", "nodes", "POST", "/v2/nodes/n1/heartbeat", beat(p, beats))
		return s.state(id) == "completed"
	})
}

func TestPoolHealth(t *testing.T) {
	s := start(t, app.Options{})
	s.join("n1", newPool(t, echo(1)), 3)
	for _, path := range []string{"/v2/pools/p/health", "/control/pools/p/health"} {
		got, _ := json.Marshal(s.want(200, "root", "admin", "GET", path, nil))
		want := `{"draining":false,"last_error":"","live":true,"pool_id":"p","queue_depth":0,"ready":true,"slots_free":3,"slots_total":3}`
		if string(got) != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	s.want(404, "root", "admin", "GET", "/v2/pools/q/health", nil)
}
