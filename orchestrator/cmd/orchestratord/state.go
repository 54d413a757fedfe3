package main

import (
	"os"
	"strings"

	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/store"
)

// state checks where the state is: in a server of this process alone, in a
// cluster of such, or in an existing NATS cluster. The files that are named are
// read here, so that --check finds what a start would.
func (c config) state(o *app.Options) error {
	switch c.Durability {
	case "full":
	case "fast":
		o.Fast = true
	default:
		return badKey("durability", "is %q: want full or fast", c.Durability)
	}
	clustered := c.ClusterName+c.ClusterReplica+c.ClusterAddr+c.ClusterCert+c.ClusterKey+c.ClusterCA != "" || len(c.ClusterPeers) > 0
	if c.NATSURL == "" && c.NATSCreds+c.NATSCA != "" {
		return badKey("nats_url", "is not set, but its credentials or authority are")
	}
	if !clustered && c.NATSURL == "" {
		return nil
	}
	replica := c.ClusterReplica
	if replica == "" {
		host, err := os.Hostname()
		if err != nil {
			return badKey("cluster_replica", "is not set and this host has no name: %v", err)
		}
		replica, _, _ = strings.Cut(host, ".")
	}
	if c.NATSURL != "" {
		return c.external(o, replica)
	}
	return c.cluster(o, replica)
}

func (c config) external(o *app.Options, replica string) error {
	if c.ClusterName+c.ClusterAddr+c.ClusterCert+c.ClusterKey+c.ClusterCA != "" || len(c.ClusterPeers) > 0 {
		return badKey("nats_url", "is set and so are cluster_ keys: the state is in one or the other")
	}
	o.NATS = &store.External{URL: c.NATSURL, CredsFile: c.NATSCreds, CAFile: c.NATSCA, Replica: replica}
	if err := o.NATS.Check(); err != nil {
		return badKey("nats_url", "cannot be used: %v", err)
	}
	return nil
}

func (c config) cluster(o *app.Options, replica string) error {
	for key, value := range map[string]string{"cluster_name": c.ClusterName, "cluster_addr": c.ClusterAddr, "cluster_peers": strings.Join(c.ClusterPeers, "")} {
		if value == "" {
			return badKey(key, "is not set: a cluster needs its name, an address for routes, and all peers")
		}
	}
	o.Cluster = &store.Cluster{
		Name: c.ClusterName, Replica: replica, Listen: c.ClusterAddr, Advertise: c.ClusterAdvertise, CertFile: c.ClusterCert, KeyFile: c.ClusterKey, CAFile: c.ClusterCA,
	}
	for _, peer := range c.ClusterPeers {
		o.Cluster.Peers = append(o.Cluster.Peers, strings.TrimSpace(peer))
	}
	if err := o.Cluster.Check(); err != nil {
		return badKey("cluster_name", "names a cluster that cannot be: %v", err)
	}
	return nil
}
