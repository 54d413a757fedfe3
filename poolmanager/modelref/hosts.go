package modelref

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Hosts are the servers that an operator allows models to be read from: HOST or
// HOST:PORT for https, and http://LOOPBACK or http://LOOPBACK:PORT for plain http on
// this machine. Nothing is allowed that is not listed, loopback included.
//
// Hosts are compared in canonical form: ASCII lower case, IP addresses in their
// shortest spelling, the scheme's default port left out. A host that ends with a
// dot has no canonical form and is not allowed.
type Hosts []string

// Allow reports whether the list names the server of a URL. A redirect's URL may
// have a query; its server counts.
func (h Hosts) Allow(u *url.URL) bool {
	want, ok := canonicalServer(u.Scheme, u.Host)
	if !ok || u.User != nil || u.Opaque != "" {
		return false
	}
	return slices.ContainsFunc(h, func(entry string) bool {
		got, err := parseHost(entry)
		return err == nil && got == want
	})
}

// CheckHost refuses an entry of Hosts that could never match, or matches too much.
func CheckHost(entry string) error {
	_, err := parseHost(entry)
	return err
}

func parseHost(entry string) (string, error) {
	host, plain := strings.CutPrefix(entry, "http://")
	scheme := "https"
	if plain {
		scheme = "http"
	}
	server, ok := canonicalServer(scheme, host)
	if !ok {
		return "", fmt.Errorf("%q: want a host or host:port, each by its full name", entry)
	}
	if name := (&url.URL{Host: host}).Hostname(); plain && !loopbackSpelling(name) {
		return "", fmt.Errorf("%q: plain http only on loopback", entry)
	}
	return server, nil
}

// canonicalServer is a scheme and a server in the one spelling that is compared.
func canonicalServer(scheme, host string) (string, bool) {
	defaultPort, known := map[string]string{"https": "443", "http": "80"}[scheme]
	u, err := url.Parse(scheme + "://" + host)
	if !known || err != nil || u.Host != host || u.User != nil {
		return "", false
	}
	name := strings.ToLower(u.Hostname())
	if a, err := netip.ParseAddr(name); err == nil {
		if a.Zone() != "" {
			return "", false
		}
		if name = a.String(); a.Is6() {
			name = "[" + name + "]"
		}
	} else if !plainName(name) {
		return "", false
	}
	port := u.Port()
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", false
		}
		port = strconv.FormatUint(n, 10)
	}
	if port == "" || port == defaultPort {
		return scheme + "://" + name, true
	}
	return scheme + "://" + name + ":" + port, true
}

// plainName reports whether a host is a DNS name in ASCII, written in full.
func plainName(name string) bool {
	if name == "" || strings.HasSuffix(name, ".") || strings.HasPrefix(name, ".") {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_')
	})
}
