//go:build rolling

package rolling_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"
)

// quiet is the log of proxies before programs that come and go.
var quiet = log.New(io.Discard, "", 0)

// edge is a gateway before the replicas, for one identity. It asks the next one where
// one cannot be reached, or says that it does not serve, as gateways with several
// upstreams do.
func (f *fleet) edge(identity, scopes string) *httptest.Server {
	return f.edgeTo(identity, scopes, f.replicas...)
}

func (f *fleet) edgeTo(identity, scopes string, replicas ...*replica) *httptest.Server {
	f.t.Helper()
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1, ErrorLog: quiet, Transport: &balancer{replicas: replicas},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "replica"
			f.sign(r.Out, identity, scopes)
		},
	}
	s := httptest.NewServer(proxy)
	f.t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (f *fleet) sign(r *http.Request, identity, scopes string) {
	r.Header.Set("Authorization", "Bearer "+f.upstream)
	r.Header.Set("X-Auth-Identity", identity)
	r.Header.Set("X-Auth-Scopes", scopes)
	r.Header.Set("X-Auth-Models", "*")
}

// balancer sends each request to one replica, in turn.
type balancer struct {
	replicas []*replica
	next     atomic.Uint64
}

const (
	maxTries = 60
	tryPause = 100 * time.Millisecond
)

// RoundTrip implements [http.RoundTripper].
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	for try := 1; ; try++ {
		x := b.replicas[b.next.Add(1)%uint64(len(b.replicas))]
		out := r.Clone(r.Context())
		out.URL.Host, out.Body = x.address, io.NopCloser(bytes.NewReader(body))
		res, err := http.DefaultTransport.RoundTrip(out)
		refused := err != nil && strings.Contains(err.Error(), "connection refused")
		if try == maxTries || !refused && (err != nil || res.StatusCode != http.StatusServiceUnavailable) {
			if res != nil {
				res.Header.Set("X-Test-Replica", x.name+" "+x.release.Load().name)
			}
			return res, err
		}
		if res != nil {
			res.Body.Close()
		}
		select {
		case <-time.After(tryPause):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// client asks one server, in JSON.
type client struct {
	base, token string
	sign        func(*http.Request)
	fleet       *fleet
}

// at is a client of one replica; through is one of whichever serves.
func (f *fleet) at(x *replica) client {
	return client{base: "http://" + x.address, fleet: f}.as("infer")
}
func (f *fleet) through() client { return client{base: "http://replica", fleet: f}.as("infer") }

// as gives the client another scope.
func (c client) as(scope string) client {
	c.sign = func(r *http.Request) { c.fleet.sign(r, "ci", scope) }
	return c
}

// refusal is an answer that is no success.
type refusal struct {
	status int
	code   string
}

func (e *refusal) Error() string { return fmt.Sprintf("status %d %s", e.status, e.code) }

func (c client) get(path string, into any) error { return c.do("GET", path, "", into) }
func (c client) post(path, body string, into any, headers ...string) error {
	return c.do("POST", path, body, into, headers...)
}

// do makes one request; headers are names and values in turn.
func (c client) do(method, path, body string, into any, headers ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	res, err := c.send(ctx, method, path, body, headers...)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		var p struct{ Code string }
		_ = json.Unmarshal(text, &p)
		return &refusal{res.StatusCode, p.Code}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

func (c client) send(ctx context.Context, method, path, body string, headers ...string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if c.sign != nil {
		c.sign(r)
	}
	if c.base == "http://replica" {
		return (&balancer{replicas: c.fleet.replicas}).RoundTrip(r)
	}
	return http.DefaultClient.Do(r)
}
