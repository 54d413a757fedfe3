package main

import (
	"net/http"
	"os"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

// The benchmarks measure what the guard costs: the same Caddy in front of the same
// upstream, with authmin and without, in turn in one run. Machines are noisy, so every
// figure is a ratio of neighbouring turns; see compare for what the columns mean. Clients
// and upstream share the processors with the gateway.
//
//	go test -run '^$' -bench . -benchtime 50x ./integration/bench

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }

// BenchmarkGuardedToBare is the guarded throughput as a share of the bare one,
// with the audit trail to a file and the same request both times: what an LLM
// server sends, a stream of events, one a token, and small answers in JSON, which
// are the least that a guard can stand in front of.
func BenchmarkGuardedToBare(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			s := start(b, "audit file {dir}/audit")
			s.shape(shape)
			s.compare(b,
				func() cost { return s.turn(b, s.bare, s.token, 200) },
				func() cost { return s.turn(b, s.guarded, s.token, 200) })
		})
	}
}

// BenchmarkCountedToGuarded is the same for a guard with usage, as a share of one
// without: it reads the model of each request and the figures of each answer, and writes
// a second record.
func BenchmarkCountedToGuarded(b *testing.B) {
	for _, shape := range shapes {
		b.Run(shape.name, func(b *testing.B) {
			s := start(b, "audit file {dir}/audit")
			s.shape(shape)
			s.compare(b,
				func() cost { return s.turn(b, s.guarded, s.token, 200) },
				func() cost { return s.turn(b, s.counted, s.token, 200) })
		})
	}
}

// BenchmarkGuardedToBareWithAuditToTheLog is the same with Caddy's log as the only
// sink.
func BenchmarkGuardedToBareWithAuditToTheLog(b *testing.B) {
	s := start(b, "")
	s.compare(b,
		func() cost { return s.turn(b, s.bare, s.token, 200) },
		func() cost { return s.turn(b, s.guarded, s.token, 200) })
}

// BenchmarkGuardedToBareWithTheSameHeaders leaves out what the three header fields
// cost that a guard adds: the client of the bare site sends as many.
func BenchmarkGuardedToBareWithTheSameHeaders(b *testing.B) {
	s := start(b, "audit file {dir}/audit")
	s.extra = map[string]http.Header{s.bare: {
		"X-Some-Identity": {"ci"}, "X-Some-Scopes": {"infer"}, "X-Some-Id": {"D2UEEUTYXCONDFO27R7IH4PEVD"},
	}}
	s.compare(b,
		func() cost { return s.turn(b, s.bare, s.token, 200) },
		func() cost { return s.turn(b, s.guarded, s.token, 200) })
}

// BenchmarkBareToBare is how far from 1 the noise of this machine leads.
func BenchmarkBareToBare(b *testing.B) {
	s := start(b, "audit file {dir}/audit")
	turn := func() cost { return s.turn(b, s.bare, s.token, 200) }
	s.compare(b, turn, turn)
}

// BenchmarkRefusedToProxied is what a refusal costs in requests that are let
// through to the upstream, over new connections both times: a refusal closes its
// own.
func BenchmarkRefusedToProxied(b *testing.B) {
	s := start(b, "audit file {dir}/audit")
	s.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	s.compare(b,
		func() cost { return s.turn(b, s.guarded, "no-such-token-no-such-token-no-such-token", 401) },
		func() cost { return s.turn(b, s.guarded, s.token, 200) })
}
