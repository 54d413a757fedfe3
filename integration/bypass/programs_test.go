package bypass_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// A program is a real proxy, with the arguments and the configuration that make
// it pass on what comes to listen to target. Its double is in honest or silent.
type program struct {
	double  string
	honest  bool
	command string
	arguments,
	config func(dir, listen, target string) string // config: written to dir/config
}

const (
	nginxFrame = `daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/log;
events {}
http {
	access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p;
	fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server { listen %[2]s; location / { proxy_pass http://%[3]s; %[4]s } }
}
`
	haproxyFrame = `defaults
	mode http
	timeout connect 5s
	timeout client 20s
	timeout server 20s
listen gateway
	bind %[2]s
	server s %[3]s
	%[4]s
`
	apacheFrame = `ServerName gw.example
Listen %[2]s
PidFile %[1]s/pid
ErrorLog %[1]s/log
DefaultRuntimeDir %[1]s
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
ProxyPass / http://%[3]s/
`
)

func framed(frame, more string) func(dir, listen, target string) string {
	return func(dir, listen, target string) string { return fmt.Sprintf(frame, dir, listen, target, more) }
}

// programs are tried where they are on the PATH. Caddy is always there.
var programs = []program{
	{double: "nginx with proxy_pass", command: "nginx", arguments: framed("-c %[1]s/config", ""), config: framed(nginxFrame, "")},
	{double: "nginx with X-Forwarded-For", honest: true, command: "nginx", arguments: framed("-c %[1]s/config", ""),
		config: framed(nginxFrame, "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;")},
	{double: "nginx with X-Real-IP", honest: true, command: "nginx", arguments: framed("-c %[1]s/config", ""),
		config: framed(nginxFrame, "proxy_set_header X-Real-IP $remote_addr;")},
	{double: "nginx with Host localhost", command: "nginx", arguments: framed("-c %[1]s/config", ""),
		config: func(dir, listen, target string) string {
			return framed(nginxFrame, "proxy_set_header Host localhost:"+portOf(target)+";")(dir, listen, target)
		}},
	{double: "HAProxy as it comes", command: "haproxy", arguments: framed("-db -f %[1]s/config", ""), config: framed(haproxyFrame, "")},
	{double: "HAProxy with option forwardfor", honest: true, command: "haproxy", arguments: framed("-db -f %[1]s/config", ""),
		config: framed(haproxyFrame, "option forwardfor")},
	{double: "Apache mod_proxy", honest: true, command: "apache2", arguments: framed("-X -f %[1]s/config", ""), config: framed(apacheFrame, "")},
	{double: "socat", command: "socat", arguments: framed("TCP-LISTEN:%[2]s,bind=127.0.0.1,fork,reuseaddr TCP:%[3]s", "")},
}

// The doubles send what the real programs send, byte for byte.
func TestDoublesOfRealPrograms(t *testing.T) {
	g := startGateway(t)
	for _, p := range programs {
		path, err := exec.LookPath(p.command)
		if err != nil {
			t.Logf("no %s here: only its double was tried", p.command)
			continue
		}
		t.Run(p.double, func(t *testing.T) {
			rewrite, want := silent[p.double], http.StatusOK
			if p.honest {
				rewrite, want = honest[p.double], http.StatusUnauthorized
			}
			heads := listenForHeads(t)
			real := p.start(t, path, heads.address)
			double := startRelay(t, "tcp", heads.address, func(h *head) {
				if rewrite != nil {
					rewrite(h, heads.address)
				}
			}).address()
			var got [2]string
			for i, at := range []string{real, double} {
				if _, err := send("tcp", at, request("/v1/models", "gw.example")); err != nil {
					t.Fatal(err)
				}
				got[i] = <-heads.heads
			}
			if diff := cmp.Diff(got[0], got[1]); diff != "" {
				t.Errorf("the double differs (-real +double):\n%s", diff)
			}
			wantStatus(t, p.start(t, path, g.plain), g.plain, want)
		})
	}
}

// Caddy is a proxy that says so; llorch has its command.
func TestCaddyInFrontNeedsAToken(t *testing.T) {
	g := startGateway(t)
	_, port, _ := net.SplitHostPort(testkit.FreeAddress(t))
	for _, args := range [][]string{nil, {"--change-host-header"}} {
		p := gatewaytest.Start(t, nil, append([]string{"reverse-proxy", "--from", "http://:" + port, "--to", g.plain}, args...)...)
		at := net.JoinHostPort("127.0.0.1", port)
		p.Listening(t, at)
		for _, host := range []string{g.plain, "localhost:" + g.port(), "gw.example"} {
			wantStatus(t, at, host, http.StatusUnauthorized)
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// start runs a program until the test ends.
func (p program) start(t *testing.T, path, target string) string {
	t.Helper()
	dir, listen := socketDir(t), testkit.FreeAddress(t)
	if p.config != nil {
		if err := os.WriteFile(filepath.Join(dir, "config"), []byte(p.config(dir, listen, target)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := listen
	if p.config == nil {
		port = portOf(listen)
	}
	var arguments []string
	for _, argument := range bytes.Fields([]byte(p.arguments(dir, port, target))) {
		arguments = append(arguments, string(argument))
	}
	cmd := exec.Command(path, arguments...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s: %s", p.command, &out)
		}
	})
	testkit.Within(t, callLimit, p.command+" listens", func() error {
		conn, err := net.Dial("tcp", listen)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return listen
}

// A headListener takes requests and tells their heads.
type headListener struct {
	address string
	heads   chan string
}

func listenForHeads(t *testing.T) *headListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	listener := &headListener{address: l.Addr().String(), heads: make(chan string, 1)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			listener.answer(conn)
		}
	}()
	return listener
}

func (l *headListener) answer(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(callLimit))
	h, err := readHead(bufio.NewReader(conn))
	if err != nil {
		return // a probe: it connected and sent nothing
	}
	fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	l.heads <- h.String()
}
