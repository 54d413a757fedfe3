package gatewaytest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// pollInterval is how often a condition is looked at: often enough not to
// slow a test, rarely enough not to slow what it waits for.
const pollInterval = 20 * time.Millisecond

// Eventually asks until there is no error, and fails the test with the last
// one when the limit has passed.
func Eventually(t testing.TB, limit time.Duration, what string, ask func() error) {
	t.Helper()
	if err := Poll(limit, ask); err != nil {
		t.Fatalf("%s: not within %v: %v", what, limit, err)
	}
}

// Poll asks until there is no error or the limit has passed.
func Poll(limit time.Duration, ask func() error) error {
	deadline := time.After(limit)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-deadline:
			return err
		case <-tick.C:
		}
	}
}

// Listening waits until the process accepts connections at every address; a
// process that exits first fails the test.
func (p *Process) Listening(t testing.TB, addresses ...string) {
	t.Helper()
	for _, address := range addresses {
		err := Poll(30*time.Second, func() error {
			select {
			case <-p.exited:
				return nil
			default:
			}
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err != nil {
				return err
			}
			return conn.Close()
		})
		select {
		case <-p.exited:
			err = errors.Join(errors.New("the process has ended"), p.err)
		default:
		}
		if err != nil {
			t.Fatalf("waiting for %s: %v\n%s", address, err, p.Output())
		}
	}
}

// FreeAddress finds host:port that nobody listens on. It is given back before
// it is used, as every such finder must: the kernel hands out the ports of
// :0 in an order that makes a collision rare.
func FreeAddress(t testing.TB, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatalf("finding a free port on %s: %v", host, err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Ports that the kernel of Linux does not give to connections (they begin at
// 32768): what stops and starts again finds its port free.
const (
	firstStablePort = 10_000
	lastStablePort  = 31_999
)

var stableAddresses sync.Map // given by StableAddress

// StableAddress is 127.0.0.1:port for a process that is stopped and started again.
// No two calls of one test binary get the same.
func StableAddress(t testing.TB) string {
	t.Helper()
	const tries = 100
	for range tries {
		address := fmt.Sprintf("127.0.0.1:%d", firstStablePort+rand.IntN(lastStablePort-firstStablePort))
		if _, given := stableAddresses.LoadOrStore(address, true); given {
			continue
		}
		if l, err := net.Listen("tcp", address); err == nil {
			defer l.Close()
			return address
		}
	}
	t.Fatal("finding a free port: none")
	return ""
}
