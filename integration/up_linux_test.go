package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// TestUp talks to one "llorch up". The order matters little: each part makes
// what it needs.
func TestUp(t *testing.T) {
	u := gatewaytest.StartUp(t, ownerEnv)
	t.Run("without a token every route is 401", func(t *testing.T) { everyRouteIsGuarded(t, u) })
	t.Run("a task streams", func(t *testing.T) { aTaskStreams(t, u.Client) })
	t.Run("the metrics count failures", func(t *testing.T) { metricsCountFailures(t, u) })
	t.Run("a foreign host is refused", func(t *testing.T) { foreignHostsAreRefused(t, u) })
	t.Run("health tells nothing", func(t *testing.T) { healthTellsNothing(t, u) })
	t.Run("the lines to paste work", func(t *testing.T) { pasteLinesWork(t, u) })
	t.Run("the direct ports refuse", func(t *testing.T) { directPortsRefuse(t, u) })
	t.Run("no secret leaves", func(t *testing.T) { noSecretLeaves(t, u) })
	t.Run("a killed engine comes back", func(t *testing.T) { killedEngineComesBack(t, u) })
}

func everyRouteIsGuarded(t *testing.T, u *gatewaytest.Up) {
	places := contract(t)
	for _, more := range []string{"GET /metrics", "POST /", "GET /no/such/route", "POST /health", "GET /health/"} {
		method, path, _ := strings.Cut(more, " ")
		places = append(places, newPlace(method, path, nil, false))
	}
	places = append(places, newPlace("GET", "/", nil, true)) // as Ollama answers
	for _, p := range places {
		want := []int{http.StatusUnauthorized}
		if p.public {
			want = []int{http.StatusOK}
		}
		for _, token := range []string{"", "wrong-wrong-wrong-wrong-wrong-wrong-wrong"} {
			if token != "" && !p.public { // after ten of them: the lockout
				want = append(want, http.StatusTooManyRequests)
			}
			res, err := u.As(token).Do(p.method, p.path, "")
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(want, res.Status) {
				t.Errorf("%s %s with token %q: %d, want %v", p.method, p.path, token, res.Status, want)
			}
		}
	}
}

// aTaskStreams sends a task and reads its events to the end.
func aTaskStreams(t *testing.T, c gatewaytest.Client) {
	t.Helper()
	events, err := runTask(c)
	if err != nil {
		t.Fatal(err)
	}
	types := make([]string, len(events))
	for i, e := range events {
		types[i] = e.Type
	}
	types = slices.Compact(types)
	if want := []string{"started", "token", "end"}; !slices.Equal(types, want) {
		t.Errorf("events %v, want %v", types, want)
	}
}

// submit sends a task for the demo model and returns its id.
func submit(c gatewaytest.Client, maxTokens int, headers ...string) (string, error) {
	task := fmt.Sprintf(`{"model_ref":"demo","prompt":"Say something.","max_tokens":%d,"seed":7}`, maxTokens)
	res, err := c.Do("POST", "/v2/tasks", task, headers...)
	if err != nil {
		return "", err
	}
	var admission struct {
		TaskID string `json:"task_id"`
	}
	if res.Status != http.StatusAccepted {
		return "", fmt.Errorf("POST /v2/tasks: %d %s", res.Status, res.Body)
	}
	if err := res.JSON(&admission); err != nil {
		return "", err
	}
	if admission.TaskID == "" {
		return "", fmt.Errorf("the admission names no task: %s", res.Body)
	}
	return admission.TaskID, nil
}

// runTask is submit and the events to the end.
func runTask(c gatewaytest.Client) ([]gatewaytest.Event, error) {
	id, err := submit(c, 16)
	if err != nil {
		return nil, err
	}
	stream, err := c.Stream("/v2/tasks/" + id + "/events")
	if err != nil {
		return nil, err
	}
	return stream.All()
}

var failuresTotal = regexp.MustCompile(`(?m)^caddy_authmin_failures_total\{[^}]*reason="(?:unknown|locked)"[^}]*\} (\d+)`)

func metricsCountFailures(t *testing.T, u *gatewaytest.Up) {
	count := func() int {
		res, err := u.Do("GET", "/metrics", "")
		if err != nil || res.Status != http.StatusOK {
			t.Fatalf("GET /metrics: %d %v", res.Status, err)
		}
		if !strings.Contains(string(res.Body), "caddy_authmin_decisions_total{") {
			t.Error("no caddy_authmin_decisions_total")
		}
		sum := 0
		for _, m := range failuresTotal.FindAllStringSubmatch(string(res.Body), -1) {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
		return sum
	}
	before := count()
	const tries = 3
	for range tries {
		if _, err := u.As(strings.Repeat("guess-", 7)).Do("GET", "/v2/tasks", ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := count() - before; got != tries {
		t.Errorf("%d failures counted, want %d", got, tries)
	}
}

// A page that has bound its own name to 127.0.0.1 gets nothing, and a person
// who writes localhost gets everything.
func foreignHostsAreRefused(t *testing.T, u *gatewaytest.Up) {
	_, port, _ := strings.Cut(u.Address, ":")
	for host, want := range map[string]int{"localhost:" + port: 200, "evil.example": 401} {
		token := ""
		if want == http.StatusOK {
			token = ownerToken
		}
		res, err := u.As(token).Do("GET", "/v2/meta/version", "", "Host: "+host)
		if err != nil {
			t.Fatal(err)
		}
		if res.Status != want || len(res.Body) == 0 {
			t.Errorf("Host %s: %d %q, want %d", host, res.Status, res.Body, want)
		}
	}
}

func healthTellsNothing(t *testing.T, u *gatewaytest.Up) {
	res, err := u.As("").Do("GET", "/health", "")
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]json.RawMessage
	if err := res.JSON(&body); err != nil {
		t.Fatal(err)
	}
	if len(body) != 1 || body["status"] == nil {
		t.Errorf("GET /health without a token: %s, want the status alone", res.Body)
	}
	for path, want := range map[string]int{"/health": 0, "/metrics": 1} { // the second needs a token
		check := gatewaytest.Command(t, ownerEnv, "health", "--url", u.Base+path)
		output, err := check.CombinedOutput()
		if check.ProcessState == nil {
			t.Fatal(err)
		}
		if code := check.ProcessState.ExitCode(); code != want || strings.Count(string(output), "\n") != 1 {
			t.Errorf("llorch health for %s: exit status %d, want %d, and one line:\n%s", path, code, want, output)
		}
	}
}

// pasteLinesWork runs what up tells people to paste.
func pasteLinesWork(t *testing.T, u *gatewaytest.Up) {
	wants := []string{"401", "task_id", "event: end", "caddy_authmin_failures_total", `"choices":`}
	lines := u.PasteLines()
	if len(lines) != len(wants) {
		t.Fatalf("%d lines, want %d: %q", len(lines), len(wants), lines)
	}
	outputs, err := gatewaytest.Script(t, ownerEnv, lines...)
	if err != nil {
		t.Error(err)
	}
	for i, out := range outputs {
		if !strings.Contains(out, wants[i]) {
			t.Errorf("%s\ngave %.400q, want %q in it", lines[i], out, wants[i])
		}
	}
}

// directPortsRefuse goes round the gateway: every other port of the process
// and of its engine wants a credential of its own, on every route. The page, which knows
// the clients' token, has none of these routes.
func directPortsRefuse(t *testing.T, u *gatewaytest.Up) {
	gateway, page := netip.MustParseAddrPort(u.Address), netip.MustParseAddrPort(u.Page)
	seen := 0
	for _, pid := range append(descendants(t, u.PID()), u.PID()) {
		for _, address := range listeners(t, pid) {
			if !address.Addr().IsLoopback() {
				t.Errorf("%s is open to other machines", address)
			}
			if address == gateway {
				continue
			}
			seen++
			directly := gatewaytest.Client{Base: "http://" + address.String()}
			places := append(contract(t), newPlace("POST", "/completion", nil, false), newPlace("GET", "/slots", nil, false))
			for _, p := range places {
				if p.public {
					continue
				}
				for _, token := range []string{"", ownerToken} {
					want := http.StatusUnauthorized
					if address == page && token != "" {
						want = http.StatusForbidden
					}
					res, err := directly.As(token).Do(p.method, p.path, "", "X-Auth-Identity: owner", "X-Auth-Scopes: admin")
					if err != nil {
						t.Errorf("%s: %v", address, err)
					} else if res.Status != want {
						t.Errorf("%s %s at %s with token %q: %d, want %d", p.method, p.path, address, token, res.Status, want)
					}
				}
			}
		}
	}
	if seen < 4 {
		t.Errorf("%d ports beside the gateway's, want orchestrator, pool manager, engine and page", seen)
	}
}

// killedEngineComesBack ends the engine and sends tasks until one works again.
func killedEngineComesBack(t *testing.T, u *gatewaytest.Up) {
	engines := descendants(t, u.PID())
	if len(engines) == 0 {
		t.Fatal("no engine process")
	}
	for _, pid := range engines {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	// A second until the restart, the start itself, and the next heartbeat.
	testkit.Within(t, 45*time.Second, "a task after the engine's restart", func() error {
		events, err := runTask(u.Client)
		if err != nil {
			return err
		}
		if n := len(events); n == 0 || events[n-1].Type != "end" {
			return fmt.Errorf("events %v", events)
		}
		return nil
	})
	for _, pid := range descendants(t, u.PID()) {
		if slices.Contains(engines, pid) {
			t.Errorf("process %d was not killed", pid)
		}
	}
}
