package authmin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// ErrNonLoopbackWithoutToken is a refused start: the service could be reached
// from other machines and would have nothing to check.
var ErrNonLoopbackWithoutToken = errors.New("NON_LOOPBACK_WITHOUT_TOKEN (40301)")

// resolveTimeout bounds the look-up of `localhost` when a bind address is checked at
// start.
const resolveTimeout = 2 * time.Second

// IsLoopbackAddr reports whether an address is in 127.0.0.0/8, is ::1, or is the
// IPv4-mapped form of one of the first. A zoned address is not.
func IsLoopbackAddr(addr netip.Addr) bool {
	return addr.Zone() == "" && addr.Unmap().IsLoopback()
}

// PeerAddr parses the socket peer of a request (`address:port`). The zero Addr,
// for anything else, is neither loopback nor in any network.
func PeerAddr(remote string) netip.Addr {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

// IsLoopbackHost reports whether a host, without a port, can be reached from
// this machine only: a literal loopback address, or `localhost` where it resolves
// to loopback addresses and nothing else. Other spellings of 127.0.0.1 (`127.1`,
// `2130706433`, `0x7f.1`) are not accepted: programs read them differently.
func IsLoopbackHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return IsLoopbackAddr(addr)
	}
	if !strings.EqualFold(host, "localhost") {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", "localhost")
	if err != nil || len(addrs) == 0 {
		return false
	}
	for _, addr := range addrs {
		if !IsLoopbackAddr(addr) {
			return false
		}
	}
	return true
}

// CheckListen refuses an address that is neither `host:port` with a port number (0
// takes a free port) nor `unix//path`. It resolves no name.
func CheckListen(address string) error {
	if path, ok := strings.CutPrefix(address, "unix/"); ok {
		if len(path) < 2 || path[0] != '/' {
			return fmt.Errorf("invalid value %q: want unix/ and an absolute path, such as unix//run/llorch/x.sock", CleanField(address, maxNameLength))
		}
		return nil
	}
	if _, port, err := net.SplitHostPort(address); err != nil || !isPort(port) {
		return fmt.Errorf("invalid value %q: want host:port, such as 127.0.0.1:8081, or unix//path", CleanField(address, maxNameLength))
	}
	return nil
}

// IsLoopbackListen reports whether other machines cannot reach a listener on this
// address: `host:port` with a loopback host, or a Unix socket (`unix//path`). Every
// other address, and every unknown kind (`fd/3`), counts as exposed.
func IsLoopbackListen(address string) bool {
	if path, ok := strings.CutPrefix(address, "unix/"); ok {
		return strings.HasPrefix(path, "/")
	}
	host, port, err := net.SplitHostPort(address)
	if strings.HasPrefix(address, "[") && !strings.Contains(host, ":") {
		return false // brackets are for IPv6 only; programs read others differently
	}
	return err == nil && isPort(port) && IsLoopbackHost(host)
}
