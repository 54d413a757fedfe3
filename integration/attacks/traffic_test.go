package attacks_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// slowBodyIsRefusedAtOnce: a refusal does not wait for what the client still
// means to send.
func slowBodyIsRefusedAtOnce(t *testing.T) {
	address, _ := withToken(t, startEcho(t).address())
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/models HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000\r\n\r\na", address)
	begun := time.Now()
	_ = conn.SetReadDeadline(begun.Add(5 * time.Second))
	var got []byte
	chunk := make([]byte, 4<<10)
	for {
		n, err := conn.Read(chunk)
		got = append(got, chunk[:n]...)
		if err != nil {
			break // closed, or nothing for 5 s
		}
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("closed after %v, want at once", took)
	}
	if all := parse(got, false); len(all) != 1 || all[0].status != 401 {
		t.Errorf("got %q, want one 401", got)
	}
}

func tenThousandHeaders(t *testing.T) {
	upstream := startEcho(t)
	address, _ := withToken(t, upstream.address())
	var headers []string
	for i := range 10_000 {
		headers = append(headers, fmt.Sprintf("X-%d: 1", i))
	}
	mustAnswer(t, 431, address, "GET", "/v1/models", append(headers, bearer(tokenOK))...)
	if n := upstream.requests(); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
}

func bodiesAreNotDecompressed(t *testing.T) {
	address, _ := withToken(t, startEcho(t).address())
	body := "\x1f\x8b\x08 not really gzip"
	wire := fmt.Sprintf("POST /v1/models HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		address, bearer(tokenOK), len(body), body)
	raw, err := exchange(address, []byte(wire), 1)
	if err != nil {
		t.Fatal(err)
	}
	length := int64(len(body))
	for _, wrong := range judge(expect{Status: []int{200}, BodyLen: &length}, newOutcome([]byte(wire), raw, 1)) {
		t.Error(wrong)
	}
}

// streamsAreNotBuffered: the first events arrive while the upstream, which
// never ends by itself, is still sending.
func streamsAreNotBuffered(t *testing.T) {
	address, _ := withToken(t, startEcho(t).address())
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(conn, "GET /v1/sse HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", address, bearer(tokenOK))
	events := 0
	lines := bufio.NewScanner(conn)
	for events < 3 && lines.Scan() {
		if strings.HasPrefix(lines.Text(), "data: ") {
			events++
		}
	}
	if events < 3 {
		t.Errorf("%d events in 5 s, want 3: %v", events, lines.Err())
	}
}

// withMetrics is a guarded site that shows Caddy's metrics to scope infer.
func withMetrics(t *testing.T) (address, config, socket string) {
	t.Helper()
	upstream := startEcho(t)
	socket = filepath.Join(t.TempDir(), "admin.sock")
	s := onLoopback
	s.global, s.authmin = "admin unix/"+socket, "token ci {env.TOKEN} infer\nlockout off"
	s.after = "metrics /v1/metrics"
	config, port := s.write(t, upstream.address())
	p := gatewaytest.Start(t, []string{"TOKEN=" + tokenOK}, "run", "--adapter", "caddyfile", "--config", config)
	address = net.JoinHostPort("127.0.0.1", port)
	p.Listening(t, address)
	return address, config, socket
}

var series = regexp.MustCompile(`(?m)^caddy_authmin_\S+`)

func scrape(t *testing.T, address string) []string {
	t.Helper()
	r := mustAnswer(t, 200, address, "GET", "/v1/metrics", bearer(tokenOK))
	holdsNoToken(t, "/metrics", string(r.body))
	return series.FindAllString(string(r.body), -1)
}

// Labels come from closed sets: what a client sends makes no new series.
func metricsDoNotGrow(t *testing.T) {
	address, _, _ := withMetrics(t)
	noise := func(from, to int) {
		for i := from; i < to; i++ {
			mustAnswer(t, 401, address, fmt.Sprintf("M%d", i), fmt.Sprintf("/v1/%d", i),
				fmt.Sprintf("Host: h%d.example", i), bearer(fmt.Sprintf("%s%d", tokenBad, i)))
			ask(t, address, "GET", fmt.Sprintf("/none/%d", i))
		}
	}
	noise(0, 5)
	scrape(t, address) // the scrape itself is counted from now on
	before := scrape(t, address)
	noise(5, 200)
	after := scrape(t, address)
	if len(before) == 0 || len(before) != len(after) {
		t.Errorf("%d series before, %d after, want as many:\n%s", len(before), len(after), strings.Join(after, "\n"))
	}
}

var failures = regexp.MustCompile(`(?m)^caddy_authmin_failures_total\{[^}]*reason="unknown"[^}]*\} (\d+)`)

// Counters go on over reloads, and nothing is registered twice.
func metricsSurviveReloads(t *testing.T) {
	address, config, socket := withMetrics(t)
	for want := 1; want <= 5; want++ {
		if r := askAcrossReload(t, address, "GET", "/v1/models", bearer(tokenBad)); r.status != 401 {
			t.Errorf("a wrong token: status %d, want 401", r.status)
		}
		reload := gatewaytest.Command(t, nil, "reload", "--force", "--adapter", "caddyfile", "--config", config, "--address", "unix/"+socket)
		if out, ok := runToEnd(t, reload); !ok {
			t.Fatalf("reload: %s", out)
		}
		r := askAcrossReload(t, address, "GET", "/v1/metrics", bearer(tokenOK))
		got := failures.FindSubmatch(r.body)
		if got == nil || string(got[1]) != fmt.Sprint(want) {
			t.Errorf("after %d reloads the counter is %q, want %d", want, got, want)
		}
	}
}
