package caddymodule

import (
	"cmp"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/quic-go/quic-go/http3"
)

// upstream is a server behind the gateway that remembers what it was sent.
type upstream struct {
	*httptest.Server
	seen chan *http.Request // with its body read, so that Trailer is complete
}

func newUpstream(t *testing.T, answer http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{seen: make(chan *http.Request, 64)}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		u.seen <- r
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) address() string { return u.Listener.Addr().String() }

// last is the request that the upstream got, nil when it got none.
func (u *upstream) last() *http.Request {
	select {
	case r := <-u.seen:
		return r
	default:
		return nil
	}
}

// gateway is a running Caddy. There is one a process, so these tests do not run
// in parallel.
type gateway struct {
	address string // 127.0.0.1:port
	base    string
	site    string // the address line: any Host, where there is no certificate to choose
	log     string // file of Caddy's log, audit records included
	format  string // of the log; "" for json
	admin   string // the admin endpoint; "" for none
}

// serve runs Caddy with one site of this body. TLS brings HTTP/2 and HTTP/3.
func serve(t *testing.T, secure bool, globals, body string) *gateway {
	t.Helper()
	g := &gateway{}
	g.start(t, secure, globals, body)
	return g
}

// start is serve for a gateway with settings of its own.
func (g *gateway) start(t *testing.T, secure bool, globals, body string) {
	t.Helper()
	g.address, g.log = testkit.FreeAddress(t), filepath.Join(t.TempDir(), "log")
	_, port, _ := net.SplitHostPort(g.address)
	g.base, g.site = "http://"+g.address, "http://:"+port
	if secure {
		g.base = "https://localhost:" + port
		g.site = g.base
	}
	g.load(t, globals, body)
	if secure {
		testkit.Eventually(t, "a certificate", func() bool {
			conn, err := tls.Dial("tcp", g.address, &tls.Config{ServerName: "localhost", InsecureSkipVerify: true})
			if err == nil {
				conn.Close()
			}
			return err == nil
		})
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// load replaces the running configuration.
func (g *gateway) load(t *testing.T, globals, body string) {
	t.Helper()
	if err := g.tryLoad(t, globals, body); err != nil {
		t.Fatal(err)
	}
}

func (g *gateway) tryLoad(t *testing.T, globals, body string) error {
	t.Helper()
	log := "\tgrace_period 1s\n\tlog {\n\t\toutput file " + g.log + "\n\t\tformat " + cmp.Or(g.format, "json") + "\n\t}\n"
	all := options(log, globals)
	if g.admin != "" {
		all = strings.Replace(all, "admin off", "admin "+g.admin, 1)
	}
	config := mustAdapt(t, all+g.site+" {\n\tbind 127.0.0.1\n"+body+"\n}\n")
	return caddy.Load(config, true)
}

// clients are one client for each version of HTTP.
func clients(t *testing.T) map[string]*http.Client {
	t.Helper()
	insecure := &tls.Config{InsecureSkipVerify: true} // Caddy's internal authority, made for this test
	h1 := &http.Transport{TLSClientConfig: insecure.Clone(), TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	h2 := &http.Transport{TLSClientConfig: insecure.Clone(), ForceAttemptHTTP2: true}
	h3 := &http3.Transport{TLSClientConfig: insecure.Clone()}
	t.Cleanup(func() {
		h1.CloseIdleConnections()
		h2.CloseIdleConnections()
		h3.Close()
	})
	return map[string]*http.Client{"HTTP/1.1": {Transport: h1}, "HTTP/2.0": {Transport: h2}, "HTTP/3.0": {Transport: h3}}
}

// ask sends a request with header fields given as "Name: value".
func (g *gateway) ask(t *testing.T, c *http.Client, method, path string, fields ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, g.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header[name] = append(r.Header[name], value)
	}
	return send(t, c, r)
}

func send(t *testing.T, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := c.Do(r)
	for try := 0; err != nil && r.Body == nil && try < 3; try++ {
		answer, err = c.Do(r) // a reload drops what waits in the old socket's queue
	}
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

// plainClient keeps no connection, so that no test inherits one.
func plainClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

const (
	asUser = "Authorization: Bearer " + tokenInfer
	asBoss = "Authorization: Bearer " + tokenAdmin
)

// recordsOf waits for this many audit records of decisions and returns all; the
// bytes of each line are in "line".
func (g *gateway) recordsOf(t *testing.T, atLeast int) (records []map[string]any) {
	t.Helper()
	testkit.Eventually(t, "audit records", func() bool {
		records = slices.DeleteFunc(g.records(t), func(r map[string]any) bool { return r["decision"] == nil })
		return len(records) >= atLeast
	})
	return records
}

// records are all audit records so far.
func (g *gateway) records(t *testing.T) (records []map[string]any) {
	t.Helper()
	for line := range strings.Lines(readFile(t, g.log)) {
		record := map[string]any{}
		if !strings.HasSuffix(line, "\n") {
			break // still being written
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("a line of the log is no JSON: %q", line)
		}
		if record["logger"] == "authmin.audit" {
			record["line"] = line[:len(line)-1]
			records = append(records, record)
		}
	}
	return records
}
