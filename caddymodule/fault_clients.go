package caddymodule

import (
	"net/netip"
	"strings"
)

func init() {
	faultChecks = append(faultChecks, forgedClients)
}

// Bounds of what counts as the networks of proxies. The widest private networks are
// 10.0.0.0/8 and fc00::/7; the widest of a content delivery network is a /12 or a /29.
const (
	widestIPv4    = 8
	widestIPv6    = 16
	widestULA     = 7
	mostAddresses = 1 << 29 // IPv4, in all of a list: an eighth of them
)

// forgedClients finds servers at which a client can forge the address that the lockout
// counts and the audit trail records.
func forgedClients(in *inspection) (faults []Fault) {
	level, effect := refused, "lockouts and the audit trail"
	if in.App.Lockout != nil && in.App.Lockout.Off {
		level, effect = warning, "the audit trail"
	}
	for _, name := range in.Servers() {
		server := in.HTTP.Servers[name]
		if !in.guarded[name] || len(server.TrustedProxiesRaw) == 0 {
			continue
		}
		if server.TrustedProxiesStrict == 0 {
			faults = append(faults, faultf(level, name,
				"trusted_proxies without trusted_proxies_strict believes the first address of X-Forwarded-For, which the client writes: %s could be forged; add trusted_proxies_strict beside it", effect))
		}
		if wide := wideRange(textsOf(at(decoded(server.TrustedProxiesRaw), "ranges"))); wide != "" {
			faults = append(faults, faultf(level, name,
				"trusted_proxies %s covers far more than your own proxies: other hosts in it could forge %s; list the addresses of your proxies", wide, effect))
		}
	}
	for _, h := range in.handlers {
		if wide := wideRange(textsOf(h.doc["trusted_proxies"])); wide != "" && h.name == "reverse_proxy" && in.guarded[h.server] {
			faults = append(faults, faultf(warning, h.server,
				"reverse_proxy with trusted_proxies %s forwards the X-Forwarded-For of clients that are not your proxies; list the addresses of your proxies", wide))
		}
	}
	return faults
}

// wideRange returns the first network that is too wide for the proxies of one operator,
// or a description of all of them if they are too wide together. It returns "" if
// neither is the case.
func wideRange(ranges []string) string {
	var addresses uint64
	for _, text := range ranges {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			continue // a single address, or invalid: Caddy refuses that
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

// unmapped converts an IPv4-mapped network to IPv4.
func unmapped(prefix netip.Prefix) netip.Prefix {
	const mapped = 96
	if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
	}
	return prefix
}
