package bypass_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// request is what a stranger sends into a tunnel. They choose the Host: here the
// one that the bypass wants to see.
func request(path, host string) string {
	return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n", path, host)
}

// appends is a program that adds fields after the others.
func appends(lines ...string) func(*head, string) {
	return func(h *head, _ string) {
		for _, line := range lines {
			name, value, _ := strings.Cut(line, ": ")
			h.add(name, value)
		}
	}
}

// lower writes names in lower case, as HAProxy does.
func lower(h *head) {
	for i := range h.fields {
		h.fields[i][0] = strings.ToLower(h.fields[i][0])
	}
}

// nginx is what nginx before 1.29.7 makes of a request: the fields that it sets
// stand first, and it asks by HTTP/1.0.
func nginx(h *head, host string, more ...[2]string) {
	h.start = strings.Replace(h.start, "HTTP/1.1", "HTTP/1.0", 1)
	h.remove("Host").first(append(more, [2]string{"Host", host}, [2]string{"Connection", "close"})...)
}

// honest are programs that mark the requests they forward, by default or when set up
// as their documents say.
var honest = map[string]func(h *head, target string){
	"cloudflared": appends("Cdn-Loop: cloudflare; loops=1", "Cf-Connecting-Ip: 203.0.113.9", "Cf-Ipcountry: XX", "Cf-Ray: 8c1f0d2e3b4a5c6d-FRA",
		`Cf-Visitor: {"scheme":"https"}`, "Cf-Warp-Tag-Id: 0c0ffee0-0000-4000-8000-000000000000", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https"),
	"cloudflared with httpHostHeader": func(h *head, target string) {
		h.host(target).add("Cdn-Loop", "cloudflare; loops=1").add("Cf-Connecting-Ip", "203.0.113.9").add("Cf-Ray", "8c1f0d2e3b4a5c6d-FRA")
	},
	"tailscale serve":  appends("Tailscale-Headers-Info: https://tailscale.com/s/serve-headers", "Tailscale-User-Login: a@example.com", "Tailscale-User-Name: A", "X-Forwarded-For: 100.64.0.9", "X-Forwarded-Host: box.tail1234.ts.net", "X-Forwarded-Proto: https"),
	"tailscale funnel": appends("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: box.tail1234.ts.net", "X-Forwarded-Proto: https"),
	"ngrok":            appends("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: x.ngrok.app", "X-Forwarded-Proto: https"),
	"ngrok with --host-header=rewrite": func(h *head, target string) {
		h.host(target).add("X-Forwarded-For", "203.0.113.9").add("X-Forwarded-Host", "x.ngrok.app").add("X-Forwarded-Proto", "https")
	},
	"frp, a proxy of type http": appends("X-Forwarded-For: 203.0.113.9", "X-Real-Ip: 203.0.113.9"),
	"frp with hostHeaderRewrite": func(h *head, target string) {
		h.host(target).add("X-Forwarded-For", "203.0.113.9")
	},
	"Caddy": appends("X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: gw.example", "X-Forwarded-Proto: http", "Via: 1.1 Caddy"),
	"nginx with X-Forwarded-For": func(h *head, target string) {
		nginx(h, target, [2]string{"X-Forwarded-For", "127.0.0.1"})
	},
	"nginx with X-Real-IP": func(h *head, target string) { nginx(h, target, [2]string{"X-Real-IP", "127.0.0.1"}) },
	"HAProxy with option forwardfor": func(h *head, _ string) {
		lower(h)
		h.add("x-forwarded-for", "127.0.0.1")
	},
	"Apache mod_proxy": func(h *head, target string) {
		was := h.fields[0][1]
		h.host(target).add("X-Forwarded-For", "127.0.0.1").add("X-Forwarded-Host", was).add("X-Forwarded-Server", "gw.example").add("Connection", "Keep-Alive")
	},
	"Traefik": appends("X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: gw.example", "X-Forwarded-Port: 443", "X-Forwarded-Proto: https", "X-Forwarded-Server: box", "X-Real-Ip: 203.0.113.9", "Accept-Encoding: gzip"),
	"Envoy": func(h *head, _ string) {
		lower(h)
		h.add("x-forwarded-proto", "http").add("x-request-id", "0b1f").add("x-envoy-expected-rq-timeout-ms", "15000")
	},
	"Squid":                           appends("Via: 1.1 box (squid/6.6)", "X-Forwarded-For: 203.0.113.9", "Cache-Control: max-age=259200", "Connection: keep-alive"),
	"Varnish":                         appends("X-Forwarded-For: 203.0.113.9", "Via: 1.1 box (Varnish/7.5)", "X-Varnish: 3"),
	"Visual Studio tunnels":           appends("X-Forwarded-Host: x-8080.euw.devtunnels.ms", "X-Forwarded-Scheme: https", "X-Original-Proto: http"),
	"IIS with ARR":                    appends("Max-Forwards: 10", "X-Original-URL: /v1/models", "X-ARR-LOG-ID: 0b1f"),
	"TLS early data":                  appends("Early-Data: 1"),
	"a client certificate of a proxy": appends("Client-Cert: :MIIB:"),
	"the nginx of the forums":         appends("X-NginX-Proxy: true"),
	"a misspelled X-Forwarded-For":    appends("X-Forward-For: 203.0.113.9"),
}

// silent are programs that a stranger's request passes without a trace. It asks
// with a Host of this machine, or the program writes one.
var silent = map[string]func(h *head, target string){
	"ssh -R":                        nil,
	"socat":                         nil,
	"a TCP tunnel of ngrok or frp":  nil,
	"HAProxy as it comes":           func(h *head, _ string) { lower(h) },
	"nginx with proxy_pass":         func(h *head, target string) { nginx(h, target) },
	"nginx with Host localhost":     func(h *head, target string) { nginx(h, "localhost:"+portOf(target)) },
	"nginx 1.29.7, with keep-alive": func(h *head, target string) { h.remove("Host").first([2]string{"Host", target}) },
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// through starts the program's double in front of the gateway.
func through(t *testing.T, g *gateway, rewrite func(*head, string)) string {
	t.Helper()
	if rewrite == nil {
		return startRelay(t, "tcp", g.plain, nil).address()
	}
	return startRelay(t, "tcp", g.plain, func(h *head) { rewrite(h, g.plain) }).address()
}

// A request through a program that says so is none of this machine's, whatever
// Host the stranger has chosen.
func TestProxiesThatSayWhatTheyAreNeedAToken(t *testing.T) {
	g := startGateway(t)
	for name, rewrite := range honest {
		t.Run(name, func(t *testing.T) {
			at := through(t, g, rewrite)
			for _, host := range []string{g.plain, "localhost:" + g.port(), "gw.example"} {
				wantStatus(t, at, host, http.StatusUnauthorized)
			}
		})
	}
	if n := g.upstream.total(); n != 0 {
		t.Errorf("the upstream got %d requests, want none", n)
	}
}

// The limit of the bypass, which the README, doctor and the line at the start
// tell: nothing in these requests differs from a local client's.
func TestLimitATunnelThatSaysNothingCountsAsThisMachine(t *testing.T) {
	g := startGateway(t)
	for name, rewrite := range silent {
		t.Run(name, func(t *testing.T) {
			at := through(t, g, rewrite)
			wantStatus(t, at, g.plain, http.StatusOK)
		})
	}
	t.Run("nginx with proxy_pass to a Unix socket", func(t *testing.T) {
		at := startRelay(t, "unix", g.socket, func(h *head) { nginx(h, "localhost") }).address()
		wantStatus(t, at, "gw.example", http.StatusOK)
	})
}

// A remote client that sends another Host is refused all the same, unless the program
// replaces Host.
func TestATunnelThatSaysNothingButKeepsAForeignHost(t *testing.T) {
	g := startGateway(t)
	for _, name := range []string{"ssh -R", "socat", "HAProxy as it comes"} {
		t.Run(name, func(t *testing.T) {
			at := through(t, g, silent[name])
			for _, host := range []string{"gw.example", at, "localhost:" + portOf(at), "localhost"} {
				wantStatus(t, at, host, http.StatusForbidden)
			}
		})
	}
	if n := g.upstream.total(); n != 0 {
		t.Errorf("the upstream got %d requests, want none", n)
	}
}

func wantStatus(t *testing.T, at, host string, want int) {
	t.Helper()
	res, err := send("tcp", at, request("/v1/models", host))
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != want {
		t.Errorf("Host %s: got %d, want %d", host, res.StatusCode, want)
	}
}
