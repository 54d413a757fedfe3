package authmin

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ParseOptional reads the value of AUTH_OPTIONAL: whether requests from this
// machine need no token. Only the spellings that Go and shells agree on are
// accepted; any other value is an error, so that a typing mistake opens nothing.
func ParseOptional(value string) (bool, error) {
	switch value {
	case "true", "1", "TRUE", "True":
		return true, nil
	case "", "false", "0", "FALSE", "False":
		return false, nil
	}
	return false, fmt.Errorf("reading AUTH_OPTIONAL: %q is neither true nor false; write true, 1, false or 0", CleanField(value, maxNameLength))
}

// Listener describes the listener that accepted a request.
type Listener struct {
	Loopback bool   // bound to loopback or a Unix socket, and not wrapped
	Port     string // the port it is bound to; "" for a Unix socket
	TLS      bool
}

// bypass decides whether a request without a credential comes from a client on
// this machine. Every condition has to hold; the security section of the README
// lists them. ReasonNone means that all hold.
//
// It cannot detect a tunnel that adds no header and sends a local Host.
func bypass(r *Request) Reason {
	l := r.Listener
	if !l.Loopback || !fromThisMachine(l, r.Peer) {
		return ReasonMissing
	}
	if HasForwardingHeader(r.Header) {
		return ReasonMissing
	}
	if !isLocalHost(l, r.Host) {
		return ReasonHost
	}
	if !isOwnOrigin(l, r) {
		return ReasonOrigin
	}
	return ReasonNone
}

// fromThisMachine is true for a loopback peer, and on a Unix socket, whose peers
// have no address.
func fromThisMachine(l Listener, peer netip.Addr) bool {
	if l.Port == "" {
		return !peer.IsValid()
	}
	return IsLoopbackAddr(peer)
}

// isLocalHost accepts exactly the names that a local client uses, with the
// listener's own port. A page that attacks by DNS rebinding sends its own name.
func isLocalHost(l Listener, authority string) bool {
	host, port, err := net.SplitHostPort(authority)
	if err != nil {
		host, port = authority, defaultPort(l.TLS)
	}
	if l.Port != "" && port != l.Port {
		return false
	}
	switch strings.ToLower(host) {
	case "localhost", "127.0.0.1":
		return !strings.HasPrefix(authority, "[")
	case "::1", "[::1]":
		return strings.HasPrefix(authority, "[")
	}
	return false
}

// isOwnOrigin refuses requests that a browser makes for another site's page.
// Clients other than browsers send none of these headers.
func isOwnOrigin(l Listener, r *Request) bool {
	for _, site := range r.Header["Sec-Fetch-Site"] {
		if site != "none" && site != "same-origin" {
			return false
		}
	}
	own := "http://"
	if l.TLS {
		own = "https://"
	}
	own += strings.ToLower(r.Host)
	if origins, ok := r.Header["Origin"]; ok {
		return len(origins) == 1 && strings.ToLower(origins[0]) == own
	}
	if pages, ok := r.Header["Referer"]; ok {
		return len(pages) == 1 && originOf(pages[0]) == own
	}
	return true
}

func originOf(page string) string {
	u, err := url.Parse(page)
	if err != nil || u.User != nil {
		return ""
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

func defaultPort(tls bool) string {
	if tls {
		return "443"
	}
	return "80"
}

// IsHost reports whether a Host field names something (RFC 9110 §7.2):
// `uri-host [":" port]`, without user information, and not only a port.
func IsHost(authority string) bool {
	const longest = 253 + len(":65535")
	if authority == "" || len(authority) > longest {
		return false
	}
	for i := range len(authority) {
		if !hostBytes[authority[i]] {
			return false
		}
	}
	host := authority
	if strings.Contains(authority, ":") && !strings.HasSuffix(authority, "]") {
		h, port, err := net.SplitHostPort(authority)
		if err != nil || !isPort(port) {
			return false
		}
		host = h
	}
	if strings.ContainsAny(authority, "[]") {
		literal := strings.TrimSuffix(strings.TrimPrefix(host, "["), "]") // SplitHostPort took them, if there is a port
		addr, err := netip.ParseAddr(literal)
		return err == nil && addr.Is6() && addr.Zone() == "" && strings.HasPrefix(authority, "["+literal+"]")
	}
	return host != ""
}

// hostBytes are the visible characters of ASCII without those that delimit
// something else than host and port.
var hostBytes = func() (set [256]bool) {
	for c := byte('!'); c <= '~'; c++ {
		set[c] = !strings.ContainsRune("@/\\?#\"'<>{}|^`%,", rune(c))
	}
	return set
}()

func isPort(text string) bool {
	const digits = 5
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil && len(text) <= digits
}

// wantsH2C reports an upgrade to HTTP itself, in cleartext as h2c and its drafts
// or in any other version, or to TLS: a tunnel behind which no request would be
// judged.
func wantsH2C(h http.Header) bool {
	for _, line := range h["Upgrade"] {
		for protocol := range strings.SplitSeq(line, ",") {
			protocol = strings.ToLower(strings.Trim(protocol, " \t\""))
			for _, refused := range []string{"h2", "h2c", "h3", "http", "tls"} {
				rest, ok := strings.CutPrefix(protocol, refused)
				if ok && (rest == "" || rest[0] < 'a' || rest[0] > 'z') {
					return true
				}
			}
		}
	}
	return false
}
