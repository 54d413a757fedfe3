package caddymodule

import (
	"net/netip"
	"strings"
)

func init() {
	examinations = append(examinations, forgedClients)
}

// Bounds of what counts as the networks of proxies. The widest private networks are
// 10.0.0.0/8 and fc00::/7; the widest of a content delivery network is a /12 or a /29.
const (
	widestIPv4    = 8
	widestIPv6    = 16
	widestULA     = 7
	mostAddresses = 1 << 29 // IPv4, in all of a list: an eighth of them
)

// forgedClients finds servers at which a client can invent the address that the
// lockout counts and the audit trail shows.
func forgedClients(in *inspection) (faults []Fault) {
	severity, effect := refused, "lockouts and the audit trail"
	if in.App.Lockout != nil && in.App.Lockout.Off {
		severity, effect = suspect, "the audit trail"
	}
	for _, name := range in.Servers() {
		server := in.HTTP.Servers[name]
		if !in.guarded[name] || len(server.TrustedProxiesRaw) == 0 {
			continue
		}
		if server.TrustedProxiesStrict == 0 {
			faults = append(faults, faultf(severity, name,
				"trusted_proxies without trusted_proxies_strict believes the first address of X-Forwarded-For, which the client writes: %s could be forged; add trusted_proxies_strict beside it", effect))
		}
		if wide := wideRange(textsOf(at(decoded(server.TrustedProxiesRaw), "ranges"))); wide != "" {
			faults = append(faults, faultf(severity, name,
				"trusted_proxies %s is far more than your own proxies: strangers in it could forge %s; name the proxies' own addresses", wide, effect))
		}
	}
	for _, h := range in.handlers {
		if wide := wideRange(textsOf(h.doc["trusted_proxies"])); wide != "" && h.name == "reverse_proxy" && in.guarded[h.server] {
			faults = append(faults, faultf(suspect, h.server,
				"reverse_proxy with trusted_proxies %s passes on what strangers write into X-Forwarded-For; name the proxies' own addresses", wide))
		}
	}
	return faults
}

// wideRange returns the first of some networks that is wider than any that one
// operator's proxies are in, or what says that all of them together are.
func wideRange(ranges []string) string {
	var addresses uint64
	for _, text := range ranges {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			continue // one address, or what Caddy refuses
		}
		prefix = unmapped(prefix)
		if isWide(prefix) {
			return text
		}
		if prefix.Addr().Is4() && !prefix.Addr().IsPrivate() && !prefix.Addr().IsLoopback() {
			addresses += 1 << (32 - prefix.Bits())
		}
	}
	if addresses > mostAddresses {
		return strings.Join(ranges[:1], "") + " and the others"
	}
	return ""
}

func isWide(prefix netip.Prefix) bool {
	switch {
	case prefix.Addr().Is4():
		return prefix.Bits() < widestIPv4
	case prefix.Addr().IsPrivate(): // fc00::/7
		return prefix.Bits() < widestULA
	}
	return prefix.Bits() < widestIPv6
}

// unmapped is the IPv4 network that an IPv4-mapped one is.
func unmapped(prefix netip.Prefix) netip.Prefix {
	const mapped = 96
	if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
	}
	return prefix
}
