package orchestrator

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// connectTimeout bounds a connection to a node.
	connectTimeout = 5 * time.Second
	// resolveTimeout bounds the look-up of a node's name.
	resolveTimeout = 3 * time.Second
	// answerTimeout is how long a node may think before the headers of its
	// answer: the engine's queue is not part of it, slots are.
	answerTimeout = 30 * time.Second
	// maxAddressLength is longer than any DNS name with a scheme and a port.
	maxAddressLength = 300
)

// Resolver finds the addresses of a host; net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// addressRule says where a credential may be sent: https, or http on loopback,
// and only into the networks that the operator named (loopback always).
type addressRule struct {
	networks []netip.Prefix
	resolver Resolver
}

// target is a checked address. The connection goes to pin, whatever the name
// resolves to later: a name that changes after the check gets nothing.
type target struct {
	base string
	pin  netip.AddrPort
}

var errAddress = errors.New("node address refused")

// check resolves the address and refuses it unless every one of its IPs is
// allowed.
func (a addressRule) check(ctx context.Context, address string) (target, error) {
	u, err := parseAddress(address)
	if err != nil {
		return target{}, err
	}
	port, err := net.LookupPort("tcp", portOf(u))
	if err != nil || port == 0 {
		return target{}, fmt.Errorf("%w: not a port number", errAddress)
	}
	ips, err := a.lookup(ctx, u.Hostname())
	if err != nil {
		return target{}, err
	}
	for i, ip := range ips {
		ips[i] = ip.Unmap()
		if !a.allowed(ips[i]) {
			return target{}, fmt.Errorf("%w: it resolves outside node_networks", errAddress)
		}
		if u.Scheme == "http" && !ips[i].IsLoopback() {
			return target{}, fmt.Errorf("%w: plain http is for loopback only; use https", errAddress)
		}
	}
	return target{base: u.Scheme + "://" + u.Host, pin: netip.AddrPortFrom(ips[0], uint16(port))}, nil
}

// CheckNodeAddress refuses what can be no node's address, whatever it resolves to.
func CheckNodeAddress(address string) error {
	_, err := parseAddress(address)
	return err
}

func parseAddress(address string) (*url.URL, error) {
	if len(address) > maxAddressLength {
		return nil, fmt.Errorf("%w: longer than %d bytes", errAddress, maxAddressLength)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: not a URL", errAddress)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%w: scheme must be https, or http on loopback", errAddress)
	case u.Hostname() == "" || u.Opaque != "":
		return nil, fmt.Errorf("%w: no host", errAddress)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || (u.Path != "" && u.Path != "/"):
		return nil, fmt.Errorf("%w: only scheme, host and port may be given", errAddress)
	}
	return u, nil
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return u.Scheme
}

func (a addressRule) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return nil, fmt.Errorf("%w: an address with a zone", errAddress)
		}
		return []netip.Addr{ip}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	ips, err := a.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(ips) == 0 {
		return nil, fmt.Errorf("%w: the host does not resolve", errAddress)
	}
	return slices.Clone(ips), nil
}

func (a addressRule) allowed(ip netip.Addr) bool {
	if ip.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(a.networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// admits reports whether a target that another replica has checked may be used
// here as well.
func (a addressRule) admits(t target) bool {
	ip := t.pin.Addr().Unmap()
	return t.pin.IsValid() && a.allowed(ip) && (strings.HasPrefix(t.base, "https://") || ip.IsLoopback())
}

// httpClient reaches this target and nothing else: no proxy, no redirect, no
// other address. TLS still checks the name; authorities are the only ones that it
// trusts, nil the system's.
func (t target) httpClient(authorities *x509.CertPool) *http.Client {
	dialer := &net.Dialer{Timeout: connectTimeout}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp", t.pin.String())
			},
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities},
			TLSHandshakeTimeout:   connectTimeout,
			ResponseHeaderTimeout: answerTimeout,
			MaxIdleConnsPerHost:   256, // the parallel dispatches of a busy node
			IdleConnTimeout:       90 * time.Second,
			DisableCompression:    true,
		},
	}
}

// controlClient reaches the same target for rare commands that take long. It
// keeps no idle connection.
func (t target) controlClient(authorities *x509.CertPool) *http.Client {
	c := t.httpClient(authorities)
	transport := c.Transport.(*http.Transport)
	transport.ResponseHeaderTimeout, transport.DisableKeepAlives = controlTimeout, true
	return c
}
