package testkit

import (
	"context"
	"net"
	"net/http"
	"time"
)

// socketLimit bounds one request of a SocketClient.
const socketLimit = time.Minute

// SocketClient returns an HTTP client that connects to the Unix socket at path,
// whatever the host of a URL, such as http://localhost/config/ for Caddy's admin
// endpoint. It opens a connection for each request and keeps none, so that a test has
// nothing to close.
func SocketClient(path string) *http.Client {
	return &http.Client{Timeout: socketLimit, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}
