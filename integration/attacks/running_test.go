package attacks_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// withToken is a site on loopback that one token of scope infer may use.
func withToken(t *testing.T, upstream string) (address string, p *gatewaytest.Process) {
	t.Helper()
	s := onLoopback
	s.authmin = "token ci {env.TOKEN} infer"
	return s.start(t, upstream, "TOKEN="+tokenOK)
}

func tokenIsRefused(token string) func(*testing.T) {
	return func(t *testing.T) {
		address, _ := withToken(t, startEcho(t).address())
		mustAnswer(t, 401, address, "GET", "/v1/models", bearer(token))
	}
}

// Without a token, what is there and what is not look the same.
func routesAreNotEnumerable(t *testing.T) {
	address, _ := withToken(t, startEcho(t).address())
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"} {
		for _, path := range []string{"/v1/models", "/admin/pools", "/nothing/here", "/", "/metrics", "/health/x"} {
			mustAnswer(t, 401, address, method, path)
		}
	}
	mustAnswer(t, 401, address, "POST", "/health")
	mustAnswer(t, 401, address, "DELETE", "/health")
}

func unknownHostIsDenied(t *testing.T) {
	address, _ := withToken(t, startEcho(t).address())
	for _, host := range []string{"unknown.example", "localhost", "[::1]", "192.0.2.99:1"} {
		mustAnswer(t, 401, address, "GET", "/v1/models", "Host: "+host)
		mustAnswer(t, 200, address, "GET", "/v1/models", "Host: "+host, bearer(tokenOK))
	}
}

// Caddy looks hosts up differently when a site has more than a hundred.
func manyHostsOnePolicy(t *testing.T) {
	upstream := startEcho(t)
	port := portOf(testkit.FreeAddress(t))
	var hosts []string
	for i := range 150 {
		hosts = append(hosts, fmt.Sprintf("http://host%d.example:%s", i, port))
	}
	config := fmt.Sprintf("{\nadmin off\nauthmin {\ntoken ci {env.TOKEN} infer\n}\n}\n%s {\nbind 127.0.0.1\nauthmin {%s\n}\nreverse_proxy %s\n}\n",
		strings.Join(hosts, ", "), fixturePolicy, upstream.address())
	address := net.JoinHostPort("127.0.0.1", port)
	p := gatewaytest.Start(t, []string{"TOKEN=" + tokenOK}, "run", "--adapter", "caddyfile", "--config", writeFile(t, "Caddyfile", config))
	p.Listening(t, address)
	for _, host := range []string{"host7.example", "HOST7.EXAMPLE", "Host149.Example"} {
		mustAnswer(t, 401, address, "GET", "/v1/models", "Host: "+host+":"+port)
		mustAnswer(t, 200, address, "GET", "/v1/models", "Host: "+host+":"+port, bearer(tokenOK))
	}
}

func portOf(address string) string { _, port, _ := net.SplitHostPort(address); return port }

// What comes in a header stays text, on its way upstream too.
func placeholdersStayText(t *testing.T) {
	s := onLoopback
	s.authmin = "token ci {env.TOKEN} infer"
	s.after = "rewrite * /v1/x?{header.X-Q}"
	address, _ := s.start(t, startEcho(t).address(), "TOKEN="+tokenOK)
	r := mustAnswer(t, 200, address, "GET", "/v1/models", bearer(tokenOK), "X-Q: {env.TOKEN}{file./etc/passwd}")
	text := string(r.body)
	if strings.Contains(text, tokenOK) || strings.Contains(text, "root:") {
		t.Errorf("a placeholder was expanded: %s", text)
	}
	if !strings.Contains(text, "env.TOKEN") {
		t.Errorf("the rewrite did not happen, so nothing is shown: %s", text)
	}
}

func redirectsAreNotFollowed(t *testing.T) {
	other := startEcho(t)
	upstream := httptest.NewServer(http.RedirectHandler("http://"+other.address()+"/stolen", http.StatusFound))
	t.Cleanup(upstream.Close)
	address, _ := withToken(t, strings.TrimPrefix(upstream.URL, "http://"))
	r := mustAnswer(t, 302, address, "GET", "/v1/models", bearer(tokenOK))
	if got, want := r.header["location"], "http://"+other.address()+"/stolen"; len(got) != 1 || got[0] != want {
		t.Errorf("Location %q, want %q", got, want)
	}
	if n := other.requests(); n != 0 {
		t.Errorf("the gateway followed the redirect %d times", n)
	}
}

// The gateway adds nothing of its own to the public answer.
func healthTellsNothing(t *testing.T) {
	upstream := startEcho(t)
	address, _ := withToken(t, upstream.address())
	r := mustAnswer(t, 200, address, "GET", "/health")
	for name, values := range r.header {
		for _, secret := range []string{upstream.address(), "v2.", "go1.", "ci"} {
			if value := strings.Join(values, " "); strings.Contains(value, secret) && name != "x-correlation-id" && name != "content-type" {
				t.Errorf("%s: %s tells %q", name, value, secret)
			}
		}
	}
}

func upstreamDownIsStill401(t *testing.T) {
	upstream := startEcho(t)
	address, _ := withToken(t, upstream.address())
	up := mustAnswer(t, 401, address, "GET", "/v1/models")
	upstream.Close()
	down := mustAnswer(t, 401, address, "GET", "/v1/models")
	if len(up.body) != len(down.body) {
		t.Errorf("the refusal tells that the upstream is down: %q, before %q", down.body, up.body)
	}
	mustAnswer(t, 502, address, "GET", "/v1/models", bearer(tokenOK))
}

func missingTokensLockNobodyOut(t *testing.T) {
	address, _ := withToken(t, startEcho(t).address())
	for range 100 { // ten times what locks out who sends wrong ones
		mustAnswer(t, 401, address, "GET", "/v1/models")
	}
	mustAnswer(t, 200, address, "GET", "/v1/models", bearer(tokenOK))
	mustAnswer(t, 401, address, "GET", "/v1/models", bearer(tokenBad))
}

// keepAliveAfterRevocation asks twice on one connection; between them the
// token is revoked in the file.
func keepAliveAfterRevocation(t *testing.T) {
	tokens := writeFile(t, "tokens", keyring(keyringLine("ci", tokenOK, "infer")))
	s := onLoopback
	s.authmin = "token_file " + tokens
	address, _ := s.start(t, startEcho(t).address())
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	wire := fmt.Sprintf("GET /v1/models HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", address, bearer(tokenOK))
	if status := askOn(t, conn, wire); status != 200 {
		t.Fatalf("before: status %d, want 200", status)
	}
	next := writeFile(t, "tokens", keyring(keyringLine("ci", tokenOK, "infer", "state=revoked")))
	if err := os.Rename(next, tokens); err != nil {
		t.Fatal(err)
	}
	// The file is read again within a second; the rest is for a busy machine. Others
	// ask when: a request on its way in that very moment is cut, not answered.
	err = testkit.Poll(3*time.Second, func() error {
		r, err := tryAsk(address, "GET", "/v1/models", bearer(tokenOK))
		if err == nil && r.status != 401 {
			err = fmt.Errorf("status %d", r.status)
		}
		return err
	})
	if err != nil {
		t.Fatalf("after the revocation, on other connections: %v", err)
	}
	if status := askOn(t, conn, wire); status != 401 {
		t.Errorf("after the revocation: status %d, want 401", status)
	}
}

// askOn writes one request on an open connection and reads one answer.
func askOn(t *testing.T, conn net.Conn, wire string) int {
	t.Helper()
	if _, err := conn.Write([]byte(wire)); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(byteWait))
	var got []byte
	chunk := make([]byte, 64<<10)
	for {
		n, err := conn.Read(chunk)
		got = append(got, chunk[:n]...)
		if all := parse(got, false); len(all) == 1 && isWhole(all[0]) {
			return all[0].status
		}
		if err != nil {
			t.Fatalf("reading the answer: %v, got %q", err, got)
		}
	}
}

// isWhole: both the echo's answers and refusals say their length.
func isWhole(r response) bool {
	length := r.header["content-length"]
	return len(length) == 1 && length[0] == strconv.Itoa(len(r.body))
}
