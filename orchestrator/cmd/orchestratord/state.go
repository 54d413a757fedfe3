package main

import (
	"os"
	"strings"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator/store"
)

// Check checks where the state is: in a server of this process alone, in a cluster of
// such, or in an existing NATS cluster. The files that are named are read here, so
// that --check finds what a start would.
func (d *config) Check(backend.Lookup) error {
	c, x := &d.cluster, &d.nats
	clustered := c.Name+c.Replica+c.Listen+c.CertFile+c.KeyFile+c.CAFile != "" || len(c.Peers) > 0
	switch {
	case d.options.StateDir == "" && x.URL == "":
		return backend.KeyErrorf("state_dir", "not set: name a directory of this service's own")
	case x.URL == "" && x.CredsFile+x.CAFile != "":
		return backend.KeyErrorf("nats_url", "not set, but its credentials or authority are")
	case !clustered && x.URL == "":
		return nil
	}
	replica := c.Replica
	if replica == "" {
		host, err := os.Hostname()
		if err != nil {
			return backend.KeyErrorf("cluster_replica", "not set, and this host has no name: %w", err)
		}
		replica, _, _ = strings.Cut(host, ".")
	}
	if x.URL != "" {
		return d.external(replica)
	}
	return d.clustered(replica)
}

func (d *config) external(replica string) error {
	c := &d.cluster
	if c.Name+c.Listen+c.CertFile+c.KeyFile+c.CAFile != "" || len(c.Peers) > 0 {
		return backend.KeyErrorf("nats_url", "set, and so are cluster_ keys: the state is in one or the other")
	}
	nats := d.nats
	nats.Replica = replica
	if err := nats.Check(); err != nil {
		return backend.KeyErrorf("nats_url", "cannot be used: %w", err)
	}
	d.options.NATS = &nats
	return nil
}

func (d *config) clustered(replica string) error {
	c := d.cluster
	for _, needed := range [][2]string{{"cluster_name", c.Name}, {"cluster_addr", c.Listen}, {"cluster_peers", strings.Join(c.Peers, "")}} {
		if needed[1] == "" {
			return backend.KeyErrorf(needed[0], "not set: a cluster needs its name, an address for routes, and all peers")
		}
	}
	cluster := &store.Cluster{
		Name: c.Name, Replica: replica, Listen: c.Listen, Advertise: c.Advertise, Peers: c.Peers,
		CertFile: c.CertFile, KeyFile: c.KeyFile, CAFile: c.CAFile,
	}
	if err := cluster.Check(); err != nil {
		return backend.KeyErrorf("cluster_name", "cannot be used: %w", err)
	}
	d.options.Cluster = cluster
	return nil
}
