package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	// floodAddresses are the clients of a flood, and floodRequests what each sends: more
	// than the ten failures of the default lockout.
	floodAddresses = 48
	floodRequests  = 15
	// floodPause spreads a flood over some seconds.
	floodPause = 5 * time.Millisecond
	// slowClients is how many slow clients there are at a time, and slowFor how long one
	// sends a byte now and then, unless the gateway hangs up.
	slowClients = 6
	slowFor     = 90 * time.Second
	slowPause   = time.Second
)

// stranger sends what must not be answered: without a token, with one that never was valid,
// with one of another scope. The status is counted.
func (s *soakRun) stranger(ctx context.Context) {
	client := s.client
	switch rand.IntN(4) {
	case 0:
		s.refused(ctx, client, authmin.Secret{}, http.MethodPost, "/v1/chat/completions", "no token", http.StatusUnauthorized)
	case 1:
		s.refused(ctx, client, s.keys.secret("scraper"), http.MethodPost, "/v1/chat/completions", "another scope", http.StatusForbidden)
	case 2:
		s.refused(ctx, client, s.keys.secret("ci"), http.MethodGet, "/v2/nodes", "another scope", http.StatusForbidden)
	default:
		from := clientFrom(strangerAddress())
		defer from.CloseIdleConnections()
		s.refused(ctx, from, authmin.RandomSecret(), http.MethodPost, "/v1/chat/completions", "an unknown token", http.StatusUnauthorized)
	}
}

// refused makes one request that must be refused.
func (s *soakRun) refused(ctx context.Context, client *http.Client, secret authmin.Secret, method, path, why string, want int) {
	other := *s
	other.client = client
	a := other.ask(ctx, rand.IntN(len(s.hosts)), secret, method, path, `{"model":"demo","max_tokens":1,"messages":[{"role":"user","content":"x"}]}`)
	s.judgeRefusal(a, why, want)
}

// judgeRefusal: a success is a broken rule at any time; another refusal than the expected
// one, or none, only without a fault.
func (s *soakRun) judgeRefusal(a attempt, why string, want int) {
	_, fault := s.faults.covers(a.begin, a.done)
	switch {
	case a.status >= 200 && a.status < 300:
		s.breaks(ruleUnauthorised, "%s: %v", why, a)
	case a.status == want || a.status == http.StatusTooManyRequests && want == http.StatusUnauthorized:
		s.add(fmt.Sprintf("refused %d: %s", a.status, why))
	case s.reloaded(a):
	case fault:
		s.add("refusals that failed in a fault: " + why)
	default:
		s.breaks(ruleValid, "refusing %s: want %d: %v", why, want, a)
	}
}

// strangerAddress is one of 16,000 loopback addresses; a locked-out one recovers.
func strangerAddress() net.IP { return net.IPv4(127, 9, byte(rand.IntN(64)), byte(1+rand.IntN(250))) }

// clientFrom makes connections from an address of its own.
func clientFrom(ip net.IP) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: ip}}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 1}}
}

// flood sends unknown tokens from many addresses, one after the other, until each of them
// is locked out.
func (s *soakRun) flood(ctx context.Context) {
	s.add("floods of unknown tokens")
	net := rand.IntN(64)
	for i := range floodAddresses {
		client := clientFrom([]byte{127, 10, byte(net), byte(1 + i)})
		for range floodRequests {
			if ctx.Err() != nil {
				return
			}
			s.refused(ctx, client, authmin.RandomSecret(), http.MethodGet, "/v1/models", "a flood", http.StatusUnauthorized)
			if !pause(ctx, floodPause) {
				return
			}
		}
		client.CloseIdleConnections()
	}
}

// slowClient sends a header, or a body, one byte at a time.
func (s *soakRun) slowClient(ctx context.Context) {
	conn, err := net.DialTimeout("tcp", s.hosts[rand.IntN(len(s.hosts))].edge, 5*time.Second)
	if err != nil {
		s.add("slow clients: no connection")
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	head, kind := "POST /v1/chat/completions HTTP/1.1\r\nHost: soak\r\nX-Slow: ", "header"
	if rand.IntN(2) == 0 {
		kind = "body"
		head = "POST /v1/chat/completions HTTP/1.1\r\nHost: soak\r\nContent-Length: 100000\r\nAuthorization: Bearer " + s.keys.secret("ci").Reveal() + "\r\n\r\n"
	}
	if _, err := conn.Write([]byte(head)); err != nil {
		return
	}
	begin := time.Now()
	for time.Since(begin) < slowFor {
		if !pause(ctx, slowPause) {
			return
		}
		if _, err := conn.Write([]byte("a")); err != nil {
			s.add("slow clients: disconnected by the gateway (" + kind + ")")
			s.took("slow clients: until disconnected ("+kind+")", time.Since(begin))
			return
		}
	}
	s.add("slow clients: gone by themselves (" + kind + ")")
}

// slowReader reads a streamed answer through a small window, a little at a time.
func (s *soakRun) slowReader(ctx context.Context) {
	const tokens = 60
	client := newClient()
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		}
		return conn, err
	}
	defer client.CloseIdleConnections()
	s.call(ctx, kindSlow, func(host int) (attempt, bool) {
		a := s.readStream(ctx, host, s.keys.secret("other"), client, tokens, func() { pause(ctx, 500*time.Millisecond) })
		return a, a.succeeded()
	})
}
