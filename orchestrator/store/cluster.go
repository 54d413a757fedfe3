package store

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/llorch/gateway/authmin"
)

const (
	// routeTLSTimeout bounds the TLS handshake on the route port, and routeAuthTimeout
	// the authentication after it: within one network both take milliseconds.
	routeTLSTimeout  = 3 * time.Second
	routeAuthTimeout = 2 * time.Second
	// routePing and routePingsLost detect a dead link within about 6 s; elections do
	// not wait for it, but writes of a replica that is cut off do.
	routePing      = 2 * time.Second
	routePingsLost = 2
)

// Cluster makes the embedded servers of several orchestrators one: each of them
// has all the state, and any one may be lost (of five: any two).
//
// The route port is the only port, and for the other replicas only. A connection there
// can read and write everything, so each side needs a certificate of the cluster's CA
// for one of the peers' names (mutual TLS 1.3). Without TLS the port is on loopback
// only, and every local process may join.
type Cluster struct {
	Name    string   // the same everywhere
	Replica string   // this one's: stable and unique
	Listen  string   // host:port of the routes
	Peers   []string // host:port of every replica, this one too: 3 or 5
	// Advertise is which of Peers this one is. "": the one that is Listen, or else
	// the only one that the certificate is for.
	Advertise string

	CertFile, KeyFile, CAFile string // PEM; all or none

	own *keyPair // of the servers that run
	ca  []byte   // the authority's file as it was read
}

var clusterName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Check validates the settings, files included; the error says how to mend them.
func (c *Cluster) Check() error {
	if _, err := c.tls(); err != nil {
		return err
	}
	_, err := c.self()
	return err
}

func (c *Cluster) check() error {
	switch {
	case !clusterName.MatchString(c.Name):
		return fmt.Errorf("cluster name %q: want 1 to 64 of A-Z a-z 0-9 _ -", c.Name)
	case !clusterName.MatchString(c.Replica):
		return fmt.Errorf("replica name %q: want 1 to 64 of A-Z a-z 0-9 _ -, another one on each replica", c.Replica)
	case len(c.Peers) != 3 && len(c.Peers) != 5:
		// Two cannot decide anything when one is lost, and four bear no more
		// losses than three; more than five only make each write slower.
		return fmt.Errorf("cluster has %d peers: name all replicas, this one too: 3 or 5", len(c.Peers))
	}
	if _, _, err := hostPort(c.Listen); err != nil {
		return fmt.Errorf("cluster address: %w", err)
	}
	if c.Advertise != "" && !slices.Contains(c.Peers, c.Advertise) {
		return fmt.Errorf("cluster advertises %s, which is none of the peers", c.Advertise)
	}
	seen := make(map[string]bool)
	for _, p := range c.Peers {
		host, _, err := hostPort(p)
		if err == nil && (seen[p] || unspecified(host)) {
			err = fmt.Errorf("%q is named twice or is not an address to connect to", p)
		}
		if err != nil {
			return fmt.Errorf("cluster peer: %w", err)
		}
		seen[p] = true
	}
	return nil
}

func hostPort(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("%q is not host:port", address)
	}
	if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("%q has no port from 1 to 65535", address)
	}
	return host, port, nil
}

func unspecified(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}

// loopback reports whether the routes stay on this host.
func (c *Cluster) loopback() bool {
	for _, a := range append([]string{c.Listen}, c.Peers...) {
		if !authmin.IsLoopbackListen(a) {
			return false
		}
	}
	return true
}

// apply makes the server's options those of a replica.
func (c *Cluster) apply(o *server.Options) error {
	tlsConfig, err := c.tls()
	if err != nil {
		return err
	}
	host, port, err := hostPort(c.Listen)
	if err != nil {
		return err
	}
	self, err := c.self()
	if err != nil {
		return err
	}
	o.ServerName = c.Replica
	o.Cluster = server.ClusterOpts{
		Name: c.Name, Host: host, Port: port,
		TLSConfig: tlsConfig, TLSTimeout: routeTLSTimeout.Seconds(), AuthTimeout: routeAuthTimeout.Seconds(),
		// A replica advertises an address that all have configured, so none ever
		// connects to an address that only another has named.
		Advertise: self, NoAdvertise: true, PingInterval: routePing, MaxPingsOut: routePingsLost,
		Compression: server.CompressionOpts{Mode: server.CompressionOff},
	}
	// All of them, this one too: their number is the size of the quorum when a
	// cluster is made. A server knows its own address and does not call it.
	for _, p := range c.Peers {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: p})
	}
	return nil
}

// self is which of the peers this replica is.
func (c *Cluster) self() (string, error) {
	if c.Advertise != "" {
		return c.Advertise, nil
	}
	if slices.Contains(c.Peers, c.Listen) {
		return c.Listen, nil
	}
	var found []string
	if c.CertFile != "" {
		pair, err := (&keyPair{certFile: c.CertFile, keyFile: c.KeyFile}).get()
		if err != nil {
			return "", err
		}
		for _, p := range c.Peers {
			if host, _, err := hostPort(p); err == nil && pair.Leaf.VerifyHostname(host) == nil {
				found = append(found, p)
			}
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("cannot tell which of the cluster's peers this replica is: set ORCHD_CLUSTER_ADVERTISE to one of %v", c.Peers)
	}
	return found[0], nil
}

// errPlainRoutes is an error and no warning: the routes carry all state, dispatch
// tokens and prompts included.
var errPlainRoutes = errors.New("cluster routes leave this host without TLS: set the cluster's certificate, key and CA " +
	"(ORCHD_CLUSTER_CERT, ORCHD_CLUSTER_KEY, ORCHD_CLUSTER_CA), or use loopback addresses only")
