package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// late are trailers as an attacker sends them: one that is declared, and more.
var late = map[string]string{"X-Sum": "1", "X-Auth-Identity": "boss", "Authorization": "Bearer stolen", "X-Late": "2", "X-Api-Key": tokenInfer}

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
			if name != "Authorization" { // Go's own HTTP/2 server takes that for an error
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

func TestTrailersStayHere(t *testing.T) {
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

// Where trailers are allowed, they may still not name anybody, nor hold a token.
func TestAllowedTrailersNameNobody(t *testing.T) {
	up := newUpstream(t, nil)
	eachTrailerVersion(t, up, func(t *testing.T, g *gateway, c *http.Client, version string) {
		for _, declared := range [][]string{{"X-Sum"}, {"X-Auth-Identity", "X-Sum"}, {"X-Sum", "X-Auth-Identity", "Authorization", "X-Api-Key"}} {
			sendTrailers(t, g, c, "/up/x", declared...)
			got := up.last()
			// Over HTTP/3 none arrive: Caddy's server keeps their values to itself.
			if version != "HTTP/3.0" && got.Trailer.Get("X-Sum") != "1" {
				t.Errorf("%v declared: the upstream got no X-Sum: %v", declared, got.Trailer)
			}
			for _, name := range []string{"X-Auth-Identity", "Authorization", "X-Api-Key"} {
				if value := got.Trailer.Get(name); value != "" {
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
