package orchestrator

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/llorch/gateway/authmin"
)

// sourceDialer reaches the sources of models. A name must not lead to this
// machine, to its link or to its cloud's metadata; an address that the operator
// wrote himself may. What is dialed is what was looked at.
type sourceDialer struct{ names Resolver }

func (d sourceDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	dialer, failed := net.Dialer{Timeout: connectTimeout}, fmt.Errorf("%s has no address", host)
	for _, a := range addresses {
		conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port))
		if err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, failed
}

func (d sourceDialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{literal}, nil
	}
	found, err := d.names.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("resolving a model's source: %w", err)
	}
	for i, a := range found {
		found[i] = a.Unmap()
		if local := strings.EqualFold(host, "localhost") && found[i].IsLoopback(); !local && !authmin.MayFetchFrom(found[i]) {
			return nil, errSource{fmt.Sprintf("%s resolves to %s, which is this machine, its link or its cloud's metadata", host, found[i])}
		}
	}
	return found, nil
}
