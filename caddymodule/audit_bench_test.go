package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
)

// BenchmarkAuditRecord is the cost of one record to the request that it is about,
// with ordinary field values, and the time of the sinks' own goroutine beside it.
// A queue that runs full drops, so dropped/op says how far a sink falls behind.
func BenchmarkAuditRecord(b *testing.B) {
	file := func(chain, required bool) func(b *testing.B) AuditSink {
		return func(b *testing.B) AuditSink {
			s := AuditSink{Sink: sinkFile, Path: filepath.Join(b.TempDir(), "audit"), Required: required}
			if chain {
				s.Chain = filepath.Join(b.TempDir(), "key")
				if err := os.WriteFile(s.Chain, []byte(chainKey.Reveal()), 0o600); err != nil {
					b.Fatal(err)
				}
			}
			return s
		}
	}
	for _, c := range []struct {
		name string
		sink func(b *testing.B) AuditSink
	}{
		{"file", file(false, false)},
		{"file,chain", file(true, false)},
		{"file,required", file(false, true)},
		{"file,chain,required", file(true, true)},
	} {
		b.Run(c.name, func(b *testing.B) { benchmarkSink(b, c.sink(b)) })
	}
}

func benchmarkSink(b *testing.B, sink AuditSink) {
	m := shared
	log, err := newAuditLog([]AuditSink{sink}, zap.NewNop(), m)
	if err != nil {
		b.Fatal(err)
	}
	if err := log.open(); err != nil {
		b.Fatal(err)
	}
	defer log.close()
	policy, err := authmin.NewPolicy(authmin.PolicyOptions{Rules: []authmin.Rule{{
		Action: authmin.ActionRequire, Scopes: []authmin.Scope{authmin.ScopeInfer}, Paths: []string{"/v1/*"},
	}}})
	if err != nil {
		b.Fatal(err)
	}
	token := authmin.NewToken("ci", authmin.NewSecret(tokenInfer), authmin.ScopeInfer)
	d := &authmin.Decision{Allow: true, Identity: "token:" + token.Fingerprint(), Name: "ci", Token: &token, Fingerprint: token.Fingerprint()}
	g := &Guard{Name: "edge", policy: policy}
	r := httptest.NewRequest(http.MethodPost, "/v1/chat/completions", nil)
	r.RemoteAddr = "10.1.2.3:45678"
	r.Header.Set("User-Agent", "openai-go/1.12.0")
	p := &requestState{response: response{id: "0123456789ABCDEF"}, target: "/v1/chat/completions", peer: authmin.PeerAddr(r.RemoteAddr)}
	dropped := m.sink(sink.Sink).Dropped
	before := valueOf(b, dropped)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if !log.decision(r, g, d, p) {
				b.Error("not recorded")
			}
		}
	})
	b.ReportMetric(float64(valueOf(b, dropped)-before)/float64(b.N), "dropped/op")
}
