package authmin

import (
	"net/netip"
	"testing"
)

func TestIsLoopbackHost(t *testing.T) {
	cases := map[string]bool{
		"127.0.0.1": true, "127.0.0.2": true, "127.255.255.254": true, "::1": true,
		"::ffff:127.0.0.1": true, "::ffff:7f00:1": true, "0:0:0:0:0:0:0:1": true,
		"": false, "0.0.0.0": false, "::": false, "128.0.0.1": false, "126.255.255.255": false, "10.0.0.1": false,
		"192.168.1.9": false, "169.254.0.1": false, "::2": false, "fe80::1": false, "::ffff:10.0.0.1": false,
		"::127.0.0.1": false, "::1%lo": false, "fe80::1%lo": false, "::ffff:127.0.0.1%lo": false,
		"127.1": false, "127.0.1": false, "2130706433": false, "0x7f.1": false, "0x7f000001": false, "0177.0.0.1": false,
		"127.0.0.01": false, "127.0.0.1.": false, " 127.0.0.1": false, "127.0.0.1 ": false, "127.0.0.1:80": false,
		"127.0.0.1/8": false, "127.0.0.1.nip.io": false, "localhost.evil.example": false, "evil-localhost": false,
		"localhost:evil": false, "localhost.": false, "[::1]": false, "127.0.0.1\x00": false, "１２７.0.0.1": false,
	}
	for host, want := range cases {
		if got := IsLoopbackHost(host); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}

func TestIsLoopbackListen(t *testing.T) {
	cases := map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:0": true, "[::1]:80": true, "[::ffff:127.0.0.1]:80": true, "unix//run/x.sock": true,
		"": false, ":80": false, "80": false, "0.0.0.0:80": false, "[::]:80": false, "10.0.0.1:80": false,
		"127.0.0.1": false, "::1": false, "::1:80": false, "[::1%lo]:80": false, "localhost:evil": false,
		"127.0.0.1:": false, "127.0.0.1:evil": false, "127.0.0.1:80:90": false, "127.1:80": false, "2130706433:80": false,
		"0x7f.1:80": false, "fd/3": false, "fdgram/3": false, "unix/relative.sock": false, "unix/": false, "unix": false,
		"[127.0.0.1]:80": false, "[localhost]:80": false, "unix/@abstract": false, "unixgram//run/x.sock": false, "tcp/0.0.0.0:80": false, "udp/127.0.0.1:80": false, "example.com:80": false,
	}
	for address, want := range cases {
		if got := IsLoopbackListen(address); got != want {
			t.Errorf("%q: got %v, want %v", address, got, want)
		}
	}
}

// Only where `localhost` is loopback alone may it stand for loopback; what this
// machine says is asked twice, so the test holds on every machine.
func TestLocalhostIsWhatItResolvesTo(t *testing.T) {
	if IsLoopbackHost("localhost") != IsLoopbackListen("LOCALHOST:80") {
		t.Error("localhost depends on case or on a port")
	}
}

func TestPeerAddr(t *testing.T) {
	cases := map[string]string{
		"127.0.0.1:1234": "127.0.0.1", "[::1]:1234": "::1", "[::ffff:192.168.1.9]:1": "192.168.1.9", "[::ffff:127.0.0.1]:1": "127.0.0.1",
		"[fe80::1%eth0]:1": "fe80::1%eth0",
		"":                 "", "@": "", "127.0.0.1": "", "localhost:80": "", "pipe": "", "127.1:80": "", "127.0.0.1:port": "",
	}
	for remote, want := range cases {
		var addr netip.Addr
		if want != "" {
			addr = netip.MustParseAddr(want)
		}
		if got := PeerAddr(remote); got != addr {
			t.Errorf("%q: got %v, want %v", remote, got, addr)
		}
	}
	if IsLoopbackAddr(netip.Addr{}) || IsLoopbackAddr(PeerAddr("[fe80::1%eth0]:1")) || IsLoopbackAddr(PeerAddr("[::1%lo]:1")) {
		t.Error("no address, or a zoned one, counts as loopback")
	}
}

func TestAnAddressThatCannotBeBoundIsRefused(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:0": true, "127.0.0.1:65535": true, ":8081": true, "[::1]:80": true, "localhost:1": true, "host.example:1": true, "unix//run/x.sock": true,
		"": false, "foo": false, "127.0.0.1": false, "127.0.0.1:65536": false, "127.0.0.1:-1": false, "127.0.0.1:http": false, "127.0.0.1:": false,
		"fd/3": false, "unix/": false, "unix//": false, "unix/run/x.sock": false,
	} {
		if err := CheckListen(address); (err == nil) != want {
			t.Errorf("%q: got %v, want it taken: %t", address, err, want)
		}
	}
}

func FuzzIsLoopbackListen(f *testing.F) {
	f.Add("127.0.0.1:80")
	f.Add("[::ffff:127.0.0.1]:0")
	f.Fuzz(func(t *testing.T, address string) {
		if len(address) > 0 && (address[0] == 'l' || address[0] == 'L') {
			return // a name: asks the resolver
		}
		if !IsLoopbackListen(address) || address[0] == 'u' {
			return
		}
		peer, err := netip.ParseAddrPort(address)
		if err != nil || !peer.Addr().Unmap().IsLoopback() || peer.Addr().Zone() != "" {
			t.Errorf("%q counts as loopback: %v, %v", address, peer, err)
		}
	})
}
