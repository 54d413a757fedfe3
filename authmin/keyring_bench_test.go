package authmin

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
)

// numberedTokens are tokens whose digests are hashes of numbers.
func numberedTokens(n int) []Token {
	tokens, scopes := make([]Token, n), []Scope{ScopeInfer}
	var number [8]byte
	for i := range tokens {
		binary.LittleEndian.PutUint64(number[:], uint64(i))
		tokens[i] = Token{Name: fmt.Sprintf("n%d", i), Scopes: scopes, digest: digestOf(string(number[:]))}
	}
	return tokens
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{10, 10_000, 1_000_000} {
		tokens := numberedTokens(n)
		ring, err := NewKeyring(tokens)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("known/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, verdict := ring.Lookup(tokens[i*7919%n].digest, noon); verdict != VerdictValid {
					b.Fatal("not found")
				}
			}
		})
		b.Run(fmt.Sprintf("unknown/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				d := tokens[i*7919%n].digest // as cold in memory as a known one
				d[len(d)-1] ^= 1
				if _, verdict := ring.Lookup(d, noon); verdict != VerdictUnknown {
					b.Fatal("found")
				}
			}
		})
	}
}

// The target is less than a microsecond and at most two allocations.
func BenchmarkDecide(b *testing.B) {
	tokens := append(numberedTokens(9_999), NewToken("ci", secretOf("ci"), ScopeInfer))
	g := guardOf(b, mustKeyring(b, tokens...))
	for name, r := range map[string]*Request{
		"known":   request("POST", "/v1/chat/completions", bearer("ci")),
		"unknown": request("POST", "/v1/chat/completions", bearer("x")),
		"missing": request("POST", "/v1/chat/completions"),
		"public":  request("GET", "/health"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.Decide(r, noon)
			}
		})
	}
}

func TestDecideAllocatesLittle(t *testing.T) {
	g, r := guardOf(t, fourKinds(t)), request("POST", "/v1/chat/completions", bearer("ci"))
	if got := testing.AllocsPerRun(1000, func() { g.Decide(r, noon) }); got > 2 {
		t.Errorf("a decision makes %v allocations, want 2 at most", got)
	}
}

func BenchmarkParseKeyring(b *testing.B) {
	const n = 1_000_000
	var content bytes.Buffer
	for _, token := range numberedTokens(n) {
		fmt.Fprintf(&content, "%s sha256:%s infer created=2026-01-01T00:00:00Z\n", token.Name, token.digest.Hex())
	}
	fmt.Fprintf(&content, "# end %d\n", n)
	b.SetBytes(int64(content.Len()))
	b.ReportAllocs()
	for b.Loop() {
		tokens, err := ParseKeyring(content.Bytes())
		if err != nil || len(tokens) != n {
			b.Fatal(len(tokens), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/token")
}

func BenchmarkNewKeyring(b *testing.B) {
	tokens := numberedTokens(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewKeyring(tokens); err != nil {
			b.Fatal(err)
		}
	}
}
