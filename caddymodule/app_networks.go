package caddymodule

import (
	"errors"
	"fmt"
	"net/netip"
)

// parseNetworks reads the networks of trusted proxies. Who is in one of them names
// any identity, so what looks like one proxy and is half of the Internet is refused.
func parseNetworks(cidrs []string) ([]netip.Prefix, error) {
	if len(cidrs) == 0 {
		return nil, errors.New("it names no network; write the proxies' addresses, such as 10.0.0.7/32")
	}
	networks := make([]netip.Prefix, 0, len(cidrs))
	for _, cidr := range cidrs {
		network, err := netip.ParsePrefix(cidr)
		if addr, addrErr := netip.ParseAddr(cidr); err != nil && addrErr == nil {
			return nil, fmt.Errorf("%s is an address, not a network; write %s/%d", cidr, cidr, addr.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 10.0.0.7/32", cidr)
		}
		if err := checkNetwork(network); err != nil {
			return nil, err
		}
		networks = append(networks, network)
	}
	if wide := wideRange(cidrs); wide != "" {
		return nil, fmt.Errorf("%s are far more than your own proxies; name the proxies' own addresses", wide)
	}
	return networks, nil
}

func checkNetwork(network netip.Prefix) error {
	switch {
	case network.Bits() == 0:
		return fmt.Errorf("%s is every address; name the proxies' own", network)
	case network.Addr().Is4In6():
		return fmt.Errorf("%s is an IPv4 network in IPv6 form, which no peer is in; write it as 10.0.0.7/32", network)
	case network != network.Masked():
		return fmt.Errorf("%s has bits set beyond its length: it is the network %s; write that, or one address such as %s",
			network, network.Masked(), netip.PrefixFrom(network.Addr(), network.Addr().BitLen()))
	case isWide(network):
		return fmt.Errorf("%s is far more than your own proxies, and each address in it could name any identity; name the proxies' own addresses", network)
	}
	return nil
}
