package staging

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/llorch/gateway/poolmanager/modelref"
)

const (
	sourceDialLimit   = 5 * time.Second  // api.md's connect time-out
	sourceHeaderLimit = 30 * time.Second // a hub that fetches from cold storage answers within it
	// maxSourceHeaderBytes bounds the headers of an answer.
	maxSourceHeaderBytes = 64 << 10
)

// sourceClient reads one model. It resolves each host once and keeps to what it
// found, so that a name cannot point elsewhere later; follows a redirect only to
// where the operator allows; and sends no credential, no cookie and no referrer.
func (s *Stager) sourceClient() *http.Client {
	dialer := &modelref.Dialer{Lookup: s.lookup, Timeout: sourceDialLimit}
	return &http.Client{
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxSourceRedirects || !s.Hosts.Allow(r.URL) {
				return fmt.Errorf("%w: it redirects to a host that POOL_MANAGERD_MODEL_HOSTS does not list", errSource)
			}
			r.Header.Del("Referer")
			return nil
		},
		Transport: &http.Transport{
			DialContext: refused(dialer.DialContext), TLSClientConfig: &tls.Config{RootCAs: s.cas, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: sourceDialLimit, ResponseHeaderTimeout: sourceHeaderLimit,
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxSourceHeaderBytes,
		},
	}
}

// refused gives a dialer's refusal for good: to ask again would not help.
func refused(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dial(ctx, network, address)
		if errors.Is(err, modelref.ErrAddress) {
			err = fmt.Errorf("%w: %w", errSource, err)
		}
		return connection, err
	}
}

func lookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
