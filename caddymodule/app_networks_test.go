package caddymodule

import "testing"

// Networks that a proxy can be in are taken, and what is wider, or reads like another
// network than it is, says what to write.
func TestNetworksOfTrustedProxies(t *testing.T) {
	for cidr, refused := range map[string]bool{
		"10.0.0.7/32": false, "10.0.0.0/8": false, "172.16.0.0/12": false, "192.168.0.0/16": false, "104.16.0.0/13": false,
		"fd00::/8": false, "2606:4700::/32": false, "::1/128": false, "127.0.0.1/32": false,
		"127.0.0.1/1": true, "0.0.0.0/1": true, "128.0.0.0/1": true, "0.0.0.0/0": true, "::/0": true, "::/1": true, "2000::/3": true,
		"10.0.0.7/24": true, "64.0.0.0/7": true, "fd00::1/8": true, "::ffff:10.0.0.7/128": true, "::ffff:0.0.0.0/96": true, "10.0.0.7": true, "": true,
	} {
		if _, err := parseNetworks([]string{cidr}); (err != nil) != refused {
			t.Errorf("%s: got %v, want a refusal: %t", cidr, err, refused)
		}
	}
	var parts []string
	for _, first := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "11", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31", "32", "33", "34"} {
		parts = append(parts, first+".0.0.0/8")
	}
	if _, err := parseNetworks(parts); err == nil {
		t.Errorf("%d networks of /8 are taken, want a refusal of so many together", len(parts))
	}
}
