package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The ports that FreeAddress gives. They are below those that Linux gives to
// outgoing connections (32768 and up, ip_local_port_range), so that none is taken
// between the test's look and the server's listen, or while a server restarts.
const (
	firstPort = 10_000
	lastPort  = 31_999
)

var givenPorts sync.Map // by port: true

// FreeAddress is a host:port on 127.0.0.1 that has no listener. No two calls in
// one test binary return the same port.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return FreeAddressOn(t, "127.0.0.1")
}

// FreeAddressOn is FreeAddress on another address of this machine, such as ::1.
func FreeAddressOn(t testing.TB, host string) string {
	t.Helper()
	const attempts = 100
	var last error
	for range attempts {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			last = fmt.Errorf("port %d is in use by this test", port)
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		defer l.Close()
		return l.Addr().String()
	}
	t.Fatalf("finding a free port on %s: %d attempts: %v", host, attempts, last)
	return ""
}
