package modelref

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// ErrAddress is the error of a Dialer for an address that [AddressAllowed] refuses.
var ErrAddress = errors.New("address not allowed")

// Dialer connects to the hosts of one fetch. It asks for each name once and
// keeps to what it found, so that a name cannot point elsewhere later. What a name
// leads to must satisfy AddressAllowed, but for localhost, which may lead to loopback;
// an address that was written as one may be any. It keeps one entry for each host,
// so a caller that follows redirects must bound their number.
type Dialer struct {
	Lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
	Timeout time.Duration // of each look-up and each connect

	mu    sync.Mutex
	found map[string][]netip.Addr
}

// DialContext is for http.Transport.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := d.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: d.Timeout}
	for _, a := range addresses {
		var connection net.Conn
		if connection, err = dialer.DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return connection, nil
		}
	}
	return nil, err
}

// resolve gives at least one address, all of which are allowed.
func (d *Dialer) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{literal}, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if known, ok := d.found[host]; ok {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	answer, err := d.Lookup(ctx, host)
	if err == nil && len(answer) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return nil, fmt.Errorf("resolving %s: %w", host, err)
	}
	var addresses []netip.Addr
	for _, a := range answer {
		a = a.Unmap()
		allowed := AddressAllowed(a)
		if strings.EqualFold(host, "localhost") {
			allowed = a.IsLoopback() // plain http may be spoken to it (RFC 6761, 6.3)
		}
		if !allowed {
			return nil, fmt.Errorf("%s resolves to %s, which is this machine, its link or its cloud's metadata: %w", host, a, ErrAddress)
		}
		addresses = append(addresses, a)
	}
	if d.found == nil {
		d.found = make(map[string][]netip.Addr)
	}
	d.found[host] = addresses
	return addresses, nil
}
