package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

// late are trailers as an attacker sends them: one that is declared, and more.
var late = map[string]string{"X-Sum": "1", "X-Auth-Identity": "boss", "Authorization": "Bearer stolen", "X-Late": "2", "X-Api-Key": tokenInfer,
	"Host": "evil", "Content-Length": "50", "Transfer-Encoding": "chunked", "X-Forwarded-For": "127.0.0.1", "X_Forwarded_Host": "evil",
	"X-Correlation-Id": "forged", "Cookie": "a=b", "Set-Cookie2": "x"}

// sendTrailers uploads with these trailers declared; the others come undeclared.
func sendTrailers(t *testing.T, g *gateway, c *http.Client, path string, declared ...string) {
	t.Helper()
	if c == nil {
		sendTrailersRaw(t, g, path, declared)
		return
	}
	r, err := http.NewRequest("POST", g.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	r.Trailer = http.Header{}
	for _, name := range declared {
		if name != "Authorization" {
			r.Trailer[name] = nil
		}
	}
	r.ContentLength = -1
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader("hello"), atEnd(func() {
		for name, value := range late {
			if httpguts.ValidTrailerHeader(name) { // Go's own HTTP/2 server takes the others for an error
				r.Trailer[name] = []string{value}
			}
		}
	})))
	if answer, body := send(t, c, r); answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", answer.StatusCode, body)
	}
}

// atEnd is called where the body ends.
type atEnd func()

func (f atEnd) Read([]byte) (int, error) {
	f()
	return 0, io.EOF
}

// sendTrailersRaw speaks HTTP/1.1 itself: net/http declares what it sends.
func sendTrailersRaw(t *testing.T, g *gateway, path string, declared []string) {
	t.Helper()
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\n%s\r\nTransfer-Encoding: chunked\r\n", path, g.address, asUser)
	if len(declared) > 0 {
		fmt.Fprintf(conn, "Trailer: %s\r\n", strings.Join(declared, ", "))
	}
	fmt.Fprintf(conn, "\r\n5\r\nhello\r\n0\r\n")
	for name, value := range late {
		fmt.Fprintf(conn, "%s: %s\r\n", name, value)
	}
	fmt.Fprintf(conn, "\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
}

const trailerPolicy = `
	authmin {
		require infer /v1/* /up/*
		allow_trailers /up/*
	}
	reverse_proxy `

func TestTrailersAreRemovedByDefault(t *testing.T) {
	up := newUpstream(t, nil)
	eachTrailerVersion(t, up, func(t *testing.T, g *gateway, c *http.Client, _ string) {
		for _, declared := range [][]string{nil, {"X-Sum"}, {"X-Auth-Identity"}, {"X-Sum", "X-Auth-Identity", "Authorization", "X-Late"}} {
			sendTrailers(t, g, c, "/v1/x", declared...)
			if got := up.last(); len(got.Trailer) > 0 || got.Header["Trailer"] != nil {
				t.Errorf("%v declared: the upstream got trailers %v", declared, got.Trailer)
			}
		}
	})
}

// Where trailers are allowed, they may still not state an identity, nor contain a token.
func TestAllowedTrailersCarryNoIdentity(t *testing.T) {
	up := newUpstream(t, nil)
	eachTrailerVersion(t, up, func(t *testing.T, g *gateway, c *http.Client, version string) {
		for _, declared := range [][]string{{"X-Sum"}, {"X-Auth-Identity", "X-Sum"}, {"X-Sum", "X-Auth-Identity", "Authorization", "X-Api-Key"}, {"X-Sum", "X-Forwarded-For", "X_Forwarded_Host", "X-Correlation-Id", "Cookie"}} {
			sendTrailers(t, g, c, "/up/x", declared...)
			got := up.last()
			// Over HTTP/3 none arrive: Caddy's server keeps their values to itself.
			if version != "HTTP/3.0" && got.Trailer.Get("X-Sum") != "1" {
				t.Errorf("%v declared: the upstream got no X-Sum: %v", declared, got.Trailer)
			}
			for name, value := range got.Trailer {
				if name != "X-Sum" && len(value) > 0 { // a name can have been announced before its value is known
					t.Errorf("%v declared: the upstream got the trailer %s: %s", declared, name, value)
				}
			}
		}
	})
}

func eachTrailerVersion(t *testing.T, up *upstream, check func(*testing.T, *gateway, *http.Client, string)) {
	t.Helper()
	t.Run("HTTP/1.1", func(t *testing.T) {
		check(t, serve(t, false, twoTokens, trailerPolicy+up.address()), nil, "HTTP/1.1")
	})
	for _, version := range []string{"HTTP/2.0", "HTTP/3.0"} {
		t.Run(version, func(t *testing.T) {
			check(t, serve(t, true, twoTokens, trailerPolicy+up.address()), clients(t)[version], version)
		})
	}
}
