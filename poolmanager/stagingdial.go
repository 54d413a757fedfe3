package poolmanager

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	sourceDialLimit   = 5 * time.Second  // api.md's connect time-out
	sourceHeaderLimit = 30 * time.Second // a hub that fetches from cold storage answers within it
)

// sourceClient reads one model. It resolves each host once and keeps to what it
// found, so that a name cannot point elsewhere later; follows a redirect only to
// where the operator allows; and sends no credential, no cookie and no referrer.
func (s *stager) sourceClient() *http.Client {
	pins := &pins{lookup: s.lookup, addresses: map[string][]netip.Addr{}}
	return &http.Client{
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxSourceRedirects || !s.reaches(r.URL) {
				return fmt.Errorf("%w: it redirects to where POOL_MANAGERD_MODEL_HOSTS does not allow", errSource)
			}
			r.Header.Del("Referer")
			return nil
		},
		Transport: &http.Transport{
			DialContext: pins.dial, TLSClientConfig: &tls.Config{RootCAs: s.cas, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: sourceDialLimit, ResponseHeaderTimeout: sourceHeaderLimit,
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeaderBytes,
		},
	}
}

// pins are the addresses of the hosts of one download.
type pins struct {
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)

	mu        sync.Mutex
	addresses map[string][]netip.Addr
}

func (p *pins) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := p.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: sourceDialLimit}
	failed := fmt.Errorf("%s has no address", host)
	for _, a := range addresses {
		connection, err := dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return connection, nil
		}
		failed = err
	}
	return nil, failed
}

// resolve asks once. A name must not lead to this machine, to its link or to its
// cloud's metadata; an address that the operator wrote himself may.
func (p *pins) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.addresses[host]; ok {
		return known, nil
	}
	if literal, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{literal}, nil
	}
	found, err := p.lookup(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("resolving the model's source: %w", err)
	}
	for i, a := range found {
		found[i] = a.Unmap()
		if local := strings.EqualFold(host, "localhost") && found[i].IsLoopback(); !local && !authmin.MayFetchFrom(found[i]) {
			return nil, fmt.Errorf("%w: %s resolves to %s, which is this machine, its link or its cloud's metadata", errSource, host, found[i])
		}
	}
	if len(found) == 0 {
		return nil, errors.New("resolving the model's source: no address")
	}
	p.addresses[host] = found
	return found, nil
}

func lookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
