package caddymodule

import (
	"errors"
	"fmt"
	"net/netip"
)

// parseNetworks parses the networks of trusted proxies. A host in one of them can claim
// any identity, so networks that are too wide are refused.
func parseNetworks(cidrs []string) ([]netip.Prefix, error) {
	if len(cidrs) == 0 {
		return nil, errors.New("no network given; write the addresses of your proxies, such as 10.0.0.7/32")
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
		return nil, fmt.Errorf("%s cover far more than your own proxies; write the addresses of your proxies", wide)
	}
	return networks, nil
}

func checkNetwork(network netip.Prefix) error {
	switch {
	case network.Bits() == 0:
		return fmt.Errorf("%s contains every address; write the addresses of your proxies", network)
	case network.Addr().Is4In6():
		return fmt.Errorf("%s is an IPv4 network in IPv6 form, which matches no peer; write it as 10.0.0.7/32", network)
	case network != network.Masked():
		return fmt.Errorf("%s has host bits set: the network is %s; write that, or a single address such as %s",
			network, network.Masked(), netip.PrefixFrom(network.Addr(), network.Addr().BitLen()))
	case isWide(network):
		return fmt.Errorf("%s covers far more than your own proxies, and each address in it could claim any identity; write the addresses of your proxies", network)
	}
	return nil
}
