package modelref

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"
)

func TestAddressesThatANameMayResolveTo(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.215.14": true, "10.0.0.1": true, "192.168.1.1": true, "2606:2800:21f:cb07::1": true, "fd12:3456::1": true,
		"::ffff:93.184.215.14": true, "64:ff9b::93.184.215.14": true, "64:ff9b::10.0.0.1": true, "100.100.100.201": true,

		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "0.0.0.0": false, "0.1.2.3": false, "::": false,
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "93.184.215.14%": false,
		"224.0.0.1": false, "ff02::1": false, "255.255.255.255": false,
		// Metadata.
		"fd00:ec2::254": false, "fd00:ec2::1": false, "fd20:ce::254": false, "fd00:c1::a9fe:a9fe": false,
		"100.100.100.200": false, "168.63.129.16": false, "192.0.0.192": false,
		// The same in other clothes.
		"::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:168.63.129.16": false,
		"64:ff9b::127.0.0.1": false, "64:ff9b::169.254.169.254": false, "64:ff9b::0.0.0.0": false, "64:ff9b::100.100.100.200": false, "64:ff9b::224.0.0.1": false,
		"64:ff9b:1::169.254.169.254": false, "64:ff9b:1:a9fe:a9:fe00::": false,
		"::127.0.0.1": false, "::169.254.169.254": false, "::ffff:0:127.0.0.1": false,
		"2002:7f00:1::": false, "2002:a9fe:a9fe::1": false,
		"2001:0:a9fe:a9fe::": false, "2001::5601:5601": false,
	} {
		a, err := netip.ParseAddr(address)
		if err != nil {
			if want {
				t.Fatal(err)
			}
			continue
		}
		if got := AddressAllowed(a); got != want {
			t.Errorf("%s: got %v", address, got)
		}
		p := Dialer{Timeout: time.Second, Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("93.184.215.14"), a}, nil
		}}
		if got, err := p.resolve(t.Context(), "hub.example"); (err == nil) != want || err != nil && !errors.Is(err, ErrAddress) {
			t.Errorf("%s: resolved to %v, %v", address, got, err)
		}
	}
}

// TestOnlyLocalhostLeadsToThisMachine, and it leads nowhere else that is refused.
func TestOnlyLocalhostLeadsToThisMachine(t *testing.T) {
	for address, want := range map[string]bool{"127.0.0.1": true, "::1": true, "93.184.215.14": false, "169.254.169.254": false, "fd00:ec2::254": false} {
		p := Dialer{Timeout: time.Second, Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr(address)}, nil
		}}
		if _, err := p.resolve(t.Context(), "localhost"); (err == nil) != want {
			t.Errorf("localhost at %s: got %v", address, err)
		}
	}
}

func TestANameIsResolvedOnce(t *testing.T) {
	asked := 0
	p := Dialer{Timeout: time.Second, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		asked++
		return []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(asked)})}, nil
	}}
	for range 3 {
		if got, err := p.resolve(t.Context(), "hub.example"); err != nil || got[0].String() != "10.0.0.1" {
			t.Errorf("got %v, %v: the first answer counts", got, err)
		}
	}
	empty := Dialer{Timeout: time.Second, Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, nil }}
	if _, err := empty.resolve(t.Context(), "hub.example"); err == nil {
		t.Error("no address is an address")
	}
}
