package attacks_test

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// A site is a Caddyfile of one guarded site, from which each case changes
// what it is about.
type site struct {
	global  string // lines of the global block beside authmin
	authmin string // lines of the global authmin block
	host    string // of the site address; empty: any Host
	bind    string // a bind directive, or nothing
	guard   string // lines of the guard, before the policy
	after   string // directives between the guard and the proxy
}

// onLoopback is the site that nothing is wrong with.
var onLoopback = site{authmin: "optional true", bind: "bind 127.0.0.1"}

// write makes a Caddyfile on a free port and returns its path and the port.
func (s site) write(t testing.TB, upstream string) (config, port string) {
	t.Helper()
	_, port, _ = net.SplitHostPort(testkit.FreeAddress(t))
	return s.writeOn(t, upstream, port), port
}

func (s site) writeOn(t testing.TB, upstream, port string) string {
	t.Helper()
	if !strings.Contains(s.global, "admin ") {
		s.global = "admin off\n" + s.global
	}
	text := fmt.Sprintf("{\n%s\nauthmin {\n%s\n}\n}\nhttp://%s:%s {\n%s\nauthmin site {\n%s%s\n}\n%s\nreverse_proxy %s\n}\n",
		s.global, s.authmin, s.host, port, s.bind, s.guard, fixturePolicy, s.after, upstream)
	return writeFile(t, "Caddyfile", strings.ReplaceAll(text, "{dir}", t.TempDir()))
}

// start runs the site before the upstream and returns its address.
func (s site) start(t testing.TB, upstream string, env ...string) (address string, p *gatewaytest.Process) {
	t.Helper()
	config, port := s.write(t, upstream)
	p = gatewaytest.Start(t, env, "run", "--adapter", "caddyfile", "--config", config)
	address = net.JoinHostPort("127.0.0.1", port)
	p.Listening(t, address)
	return address, p
}

// validate runs "llorch validate" on a site.
func (s site) validate(t testing.TB, env ...string) (output string, ok bool) {
	t.Helper()
	config, _ := s.write(t, "127.0.0.1:1")
	return runToEnd(t, gatewaytest.Command(t, env, "validate", "--adapter", "caddyfile", "--config", config))
}

// waitForStart is how long a program may take until it answers.
const waitForStart = 30 * time.Second

// waitForEnd is how long a command may take that refuses something. It only tells a
// refusal from a hang: a busy machine takes its time.
const waitForEnd = time.Minute

// runToEnd is for commands that must not hang.
func runToEnd(t testing.TB, cmd *exec.Cmd) (output string, ok bool) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return out.String(), err == nil
	case <-time.After(waitForEnd):
		_ = cmd.Process.Kill()
		<-ended
		t.Fatalf("%v hangs\n%s", cmd.Args, out.String())
		return "", false
	}
}

// mustRefuse fails unless validate refuses the site and says each word.
func mustRefuse(t testing.TB, s site, words []string, env ...string) {
	t.Helper()
	out, ok := s.validate(t, env...)
	if ok {
		t.Errorf("accepted, want a refusal:\n%s", out)
	}
	for _, word := range words {
		if !strings.Contains(out, word) {
			t.Errorf("the refusal does not say %q:\n%s", word, out)
		}
	}
}

func mustAccept(t testing.TB, s site, env ...string) {
	t.Helper()
	if out, ok := s.validate(t, env...); !ok {
		t.Errorf("refused, want it accepted:\n%s", out)
	}
}

// ask sends one request on a connection of its own and returns the answer.
func ask(t testing.TB, address, method, uri string, headers ...string) response {
	t.Helper()
	r, err := tryAsk(address, method, uri, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryAsk(address, method, uri string, headers ...string) (response, error) {
	lines := append([]string{method + " " + uri + " HTTP/1.1", "Connection: close"}, headers...)
	if !strings.Contains(strings.ToLower(strings.Join(lines, "\n")), "\nhost:") {
		lines = append(lines, "Host: "+address)
	}
	wire := []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
	raw, err := exchange(address, wire, 1)
	if err != nil {
		return response{}, err
	}
	all := parse(raw, isHead(wire))
	if len(all) == 0 {
		return response{}, fmt.Errorf("%s %s: no response, got %q", method, uri, raw)
	}
	return all[len(all)-1], nil
}

// askAcrossReload tries again when a connection gets no answer at all: while
// the old listener closes, the kernel may still queue a connection there
// (SO_REUSEPORT), and drops it.
func askAcrossReload(t testing.TB, address, method, uri string, headers ...string) (r response) {
	t.Helper()
	testkit.Within(t, waitForStart, "an answer", func() (err error) {
		r, err = tryAsk(address, method, uri, headers...)
		return err
	})
	return r
}

// mustAnswer fails unless the status is the wanted one.
func mustAnswer(t testing.TB, want int, address, method, uri string, headers ...string) response {
	t.Helper()
	r := ask(t, address, method, uri, headers...)
	if r.status != want {
		t.Errorf("%s %s %q: status %d, want %d: %s", method, uri, headers, r.status, want, r.body)
	}
	return r
}

func bearer(token string) string { return "Authorization: Bearer " + token }
