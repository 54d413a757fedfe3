package caddymodule

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/authmin"
)

// maxPorts bounds the port range of one listener address.
const maxPorts = 1024

// listener is one address at which a guard can be reached.
type listener struct {
	address  string
	port     uint // 0 for a Unix socket
	loopback bool
	tls      bool
}

// listenerSet are the addresses of a guard's server.
type listenerSet struct {
	all     []listener
	wrapped bool // a listener wrapper runs before TLS and may replace the peer's address
}

// listenersOf reads a server's addresses. Caddy has resolved placeholders in them
// before it provisions handlers.
func listenersOf(server *caddyhttp.Server, httpPort int) (listenerSet, error) {
	if httpPort == 0 {
		httpPort = caddyhttp.DefaultHTTPPort
	}
	set := listenerSet{wrapped: hasWrappers(server)}
	for _, address := range server.Listen {
		parsed, err := caddy.ParseNetworkAddress(address)
		if err != nil {
			return set, fmt.Errorf("listener %s: %w", address, err)
		}
		if parsed.PortRangeSize() > maxPorts {
			return set, fmt.Errorf("listener %s: more than %d ports", address, maxPorts)
		}
		for offset := range parsed.PortRangeSize() {
			l := listener{
				address: parsed.At(offset).String(),
				port:    parsed.StartPort + offset, loopback: IsLoopback(parsed),
			}
			l.tls = len(server.TLSConnPolicies) > 0 && int(l.port) != httpPort
			set.all = append(set.all, l)
		}
	}
	return set, nil
}

// IsLoopback reports whether an address can be reached from this machine only: TCP on a
// loopback host, and Unix sockets. Every other network, fd/… included, counts as
// exposed, since its address is not known.
func IsLoopback(address caddy.NetworkAddress) bool {
	switch address.Network {
	case "unix":
		return true
	case "tcp", "tcp4", "tcp6":
		return authmin.IsLoopbackHost(address.Host)
	}
	return false
}

// hasWrappers reports whether a server has listener or packet wrappers, which
// can replace the peer's address. Caddy clears the public fields when it loads
// them and keeps them in private ones; if those are not there any more, assume
// that there are some.
func hasWrappers(server *caddyhttp.Server) bool {
	if len(server.ListenerWrappersRaw)+len(server.PacketConnWrappersRaw) > 0 {
		return true
	}
	for _, name := range []string{"listenerWrappers", "packetConnWrappers"} {
		loaded := reflect.ValueOf(server).Elem().FieldByName(name)
		if !loaded.IsValid() || loaded.Kind() != reflect.Slice || loaded.Len() > 0 {
			return true
		}
	}
	return false
}

// errWrappedProxies: a trusted proxy is recognised by the address of the socket's peer. A
// listener wrapper such as proxy_protocol replaces it by an address that the client sent.
var errWrappedProxies = errors.New("trust_proxy needs the address of the socket's peer, which listener_wrappers may replace: remove one of the two")

// check applies the bind policy. It returns the first address that it refuses, and an
// error that names the fix.
func (s listenerSet) check(haveToken, plaintext, shadow bool) (string, error) {
	for _, l := range s.all {
		if l.loopback {
			continue
		}
		if shadow {
			return l.address, fmt.Errorf("%w: %s can be reached from other machines and a shadow guard refuses nothing; remove `shadow`, or bind 127.0.0.1",
				authmin.ErrNonLoopbackWithoutToken, l.address)
		}
		if !haveToken {
			return l.address, fmt.Errorf("%w: %s can be reached from other machines and no token is configured; set LLORCH_API_TOKEN, or configure a token or token_file in the global authmin block, or bind 127.0.0.1",
				authmin.ErrNonLoopbackWithoutToken, l.address)
		}
		if !l.tls && !plaintext {
			return l.address, fmt.Errorf("%s can be reached from other machines by plain HTTP, where tokens travel in clear; use an https address, or bind 127.0.0.1, or write `plaintext` into the authmin block if a TLS terminator is in front",
				l.address)
		}
	}
	return "", nil
}

// of returns the kind of listener that accepted a request. If any of the server's
// listeners on that port is exposed, the request counts as exposed.
func (s listenerSet) of(r *http.Request) authmin.Listener {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	exposed := authmin.Listener{TLS: r.TLS != nil}
	if local == nil || s.wrapped {
		return exposed
	}
	if r.TLS != nil && !r.TLS.HandshakeComplete {
		return exposed // 0-RTT: the peer's address is not proven, and the request can be a replay
	}
	var port uint
	if local.Network() != "unix" {
		_, text, err := net.SplitHostPort(local.String())
		number, convErr := strconv.ParseUint(text, 10, 16)
		if err != nil || convErr != nil {
			return exposed
		}
		port = uint(number)
	}
	found := false
	for _, l := range s.all {
		if l.port != port {
			continue
		}
		if !l.loopback {
			return exposed
		}
		found = true
	}
	if !found {
		return exposed
	}
	known := authmin.Listener{Loopback: true, TLS: r.TLS != nil}
	if port != 0 {
		known.Port = strconv.FormatUint(uint64(port), 10)
	}
	return known
}
