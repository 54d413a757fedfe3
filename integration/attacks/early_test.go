package attacks_test

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// earlyDataIsRefused: the first packets of a resumed HTTP/3 connection can be
// recorded and replayed, with the token in them. A request that arrives before the
// handshake has ended is answered 425 and not forwarded (RFC 8470 §5.2).
func earlyDataIsRefused(t *testing.T) {
	to := startSecureGateway(t)
	certified(t, to)
	cache := &tickets{ClientSessionCache: tls.NewLRUClientSessionCache(1), got: make(chan struct{}, 8)}
	config := clientTLS("h3")
	config.ClientSessionCache = cache
	m := asked(set(":authority", to.pub), set(":method", "POST"))

	first := dialEarly(t, to.pub, config)
	mustSay(t, first, m, 200)
	select {
	case <-cache.got:
	case <-time.After(waitForStart):
		t.Fatal("no session ticket")
	}
	first.CloseWithError(0, "")

	// What the server reads after the handshake is no early data any more, and who
	// is faster differs: one request that it reads before has to come by.
	refused := false
	for range earlyTries {
		if refused = triedEarly(t, to, config, m); refused {
			break
		}
	}
	if !refused {
		t.Errorf("%d requests were sent before the end of the handshake, and none was refused", earlyTries)
	}

	late := dialEarly(t, to.pub, config)
	<-late.HandshakeComplete()
	mustSay(t, late, m, 200)
	late.CloseWithError(0, "")
}

// earlyTries is how often a request is sent as early data, at most.
const earlyTries = 20

// triedEarly sends a request as early data and reports whether it was refused. One
// that was must not have gone upstream.
func triedEarly(t *testing.T, to target, config *tls.Config, m message) bool {
	t.Helper()
	before := to.upstream.requests()
	conn := dialEarly(t, to.pub, config)
	defer conn.CloseWithError(0, "")
	responses, err := askHTTP3(conn, m)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(responses, func(r response) bool { return r.status == 425 }) || !conn.ConnectionState().Used0RTT {
		return false
	}
	if n := to.upstream.requests() - before; n != 0 {
		t.Errorf("%d requests went upstream before the handshake", n)
	}
	return true
}

// tickets tells when a session can be resumed.
type tickets struct {
	tls.ClientSessionCache
	got chan struct{}
}

func (c *tickets) Put(key string, state *tls.ClientSessionState) {
	c.ClientSessionCache.Put(key, state)
	if state != nil {
		select {
		case c.got <- struct{}{}:
		default:
		}
	}
}

func dialEarly(t *testing.T, address string, config *tls.Config) *quic.Conn {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: to.IP})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), dialWait)
	t.Cleanup(cancel)
	conn, err := quic.DialEarly(ctx, socket, to, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func mustSay(t *testing.T, conn *quic.Conn, m message, want int) {
	t.Helper()
	responses, err := askHTTP3(conn, m)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(responses, func(r response) bool { return r.status == want }) {
		t.Errorf("answered %s, want %d", flat(responses), want)
	}
}
