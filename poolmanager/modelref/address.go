package modelref

import (
	"net/netip"
	"slices"
)

// notSources are addresses to which no name may resolve, besides loopback, link-local
// and multicast addresses.
var notSources = prefixes(
	"0.0.0.0/8",          // this network: some kernels take all of it for this machine
	"192.0.0.0/24",       // protocol assignments (RFC 6890); metadata of Oracle's older cloud
	"255.255.255.255/32", // broadcast
	// Metadata services that are not on the link.
	"100.100.100.200/32",     // Alibaba Cloud
	"168.63.129.16/32",       // Azure's WireServer
	"fd00:ec2::/32",          // AWS: fd00:ec2::254
	"fd20:ce::254/128",       // Google Cloud
	"fd00:c1::a9fe:a9fe/128", // Oracle Cloud
	// IPv6 that stands for IPv4, in ways that are out of use, or that cannot be
	// decoded without knowing how this network divides the bits.
	"::/96",           // IPv4-compatible (RFC 4291, 2.5.5.1)
	"::ffff:0:0:0/96", // IPv4-translated (RFC 2765)
	"64:ff9b:1::/48",  // NAT64 of local use (RFC 8215)
	"2001::/32",       // Teredo (RFC 4380)
	"2002::/16",       // 6to4 (RFC 3056)
)

// nat64 is how a host with IPv6 alone reaches IPv4 (RFC 6052): sources may be there,
// so the address within is what counts.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(list ...string) []netip.Prefix {
	var parsed []netip.Prefix
	for _, text := range list {
		parsed = append(parsed, netip.MustParsePrefix(text))
	}
	return parsed
}

// AddressAllowed reports whether a host name may lead to the address, where a name
// says what is fetched: not to this machine, its link, a group, or a cloud's
// metadata, also where IPv6 stands for such an address. Private networks are
// allowed: a mirror may be there.
func AddressAllowed(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsValid() || a.Zone() != "" || a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() {
		return false
	}
	if nat64.Contains(a) {
		b := a.As16()
		return AddressAllowed(netip.AddrFrom4([4]byte(b[12:])))
	}
	return !slices.ContainsFunc(notSources, func(p netip.Prefix) bool { return p.Contains(a) })
}
