package caddymodule

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// maxHops bounds the addresses of one forwarding header that are read, from the last one
// on. A longer chain is not trusted.
const maxHops = 32

// clientIP is the address of the client for lockout, limits and the audit trail:
// the socket's peer or, when that is one of the server's trusted_proxies, the last
// address of the forwarding header that is no trusted proxy.
//
// Without trusted_proxies_strict Caddy takes the first address. A typical proxy appends
// to the header that its client sent ($proxy_add_x_forwarded_for), so that the client can
// forge the first address.
func clientIP(r *http.Request) string {
	ip, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if trusted && server != nil && server.TrustedProxiesStrict == 0 {
		ip = lastForwarded(r, server)
	}
	return authmin.CleanText(ip, authmin.MaxLoggedHost)
}

// lastForwarded reads the forwarding headers of a trusted proxy from their end.
func lastForwarded(r *http.Request, server *caddyhttp.Server) string {
	for _, name := range server.ClientIPHeaders {
		lines := r.Header.Values(name)
		if len(lines) == 0 {
			continue
		}
		hops := strings.Split(strings.Join(lines, ","), ",")
		for i, hop := range slices.Backward(hops) {
			addr, ok := hopAddr(hop)
			if !ok || len(hops)-i > maxHops {
				break // the addresses before it may be forged
			}
			if !isTrustedProxy(addr, server) {
				return addr.String()
			}
		}
	}
	return peerText(r.RemoteAddr)
}

// peerText is the address of the socket's peer; the peer of a Unix socket has none.
func peerText(remote string) string {
	if peer := authmin.PeerAddr(remote); peer.IsValid() {
		return peer.String()
	}
	return remote
}

// hopAddr parses one address of a forwarding header. Some proxies add a port.
func hopAddr(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if host, _, err := net.SplitHostPort(hop); err == nil {
		hop = host
	}
	addr, err := netip.ParseAddr(strings.Trim(hop, "[]"))
	return addr.Unmap().WithZone(""), err == nil
}

// isTrustedProxy reports whether an address is a trusted proxy of the server. Caddy's list
// is private, so it lets Caddy classify a request from that address.
func isTrustedProxy(addr netip.Addr, server *caddyhttp.Server) bool {
	probe, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://localhost/", nil)
	if err != nil {
		return false
	}
	probe.RemoteAddr = netip.AddrPortFrom(addr, 1).String()
	probe = caddyhttp.PrepareRequest(probe, caddy.NewReplacer(), nil, server)
	trusted, _ := caddyhttp.GetVar(probe.Context(), caddyhttp.TrustedProxyVarKey).(bool)
	return trusted
}

// clientAddr is the client for which a failure counts. All peers of a Unix socket have the
// zero address.
func (s *requestState) clientAddr() netip.Addr {
	if addr, err := netip.ParseAddr(s.clientIP); err == nil {
		return addr
	}
	return s.peer
}
