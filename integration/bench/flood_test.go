package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// floodAddresses is how many clients guess in a flood.
const floodAddresses = 100_000

// BenchmarkValidUnderAFlood is what it matters to valid requests whether as many
// bad tokens beside them come from a hundred thousand addresses, with the lockout
// on, or from one, with it off: beyond the processor time of a refusal, nothing.
func BenchmarkValidUnderAFlood(b *testing.B) {
	many, one := startFlooded(b, "lockout 10 1m 5m"), startFlooded(b, "lockout off")
	next := 0
	one.compare(b,
		func() cost {
			return one.flooded(b, func(int) string { return "192.0.2.1" })
		},
		func() cost {
			next++
			return many.flooded(b, func(i int) string {
				n := (next*many.batch + i) % floodAddresses
				return fmt.Sprintf("2001:db8:%x:%x::1", n>>16, n&0xffff)
			})
		})
}

// startFlooded is a gateway that believes X-Forwarded-For of this machine, so that
// one machine can be many clients.
func startFlooded(b *testing.B, lockout string) *setup {
	b.Helper()
	s := startWith(b, lockout, "servers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t\ttrusted_proxies_strict\n\t}")
	s.batch /= 2
	return s
}

// flooded sends a batch of valid requests and one of bad tokens at once, and
// returns what the valid ones took.
func (s *setup) flooded(b *testing.B, address func(i int) string) (took cost) {
	guesser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var wg sync.WaitGroup
	for c := range s.clients / 2 {
		wg.Go(func() {
			for i := range s.batch / s.clients {
				r, err := http.NewRequest(http.MethodPost, "http://"+s.guarded+s.path, strings.NewReader("{}"))
				if err != nil {
					b.Error(err)
					return
				}
				r.Header.Set("X-Forwarded-For", address(c*s.batch/s.clients+i))
				r.Header.Set("Authorization", "Bearer guess-guess-guess-guess-guess-guess-guess")
				answer, err := guesser.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				_ = answer.Body.Close()
				if answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusTooManyRequests {
					b.Errorf("a guess: got %d", answer.StatusCode)
				}
			}
		})
	}
	took = s.turn(b, s.guarded, s.token, http.StatusOK)
	wg.Wait()
	return took
}
