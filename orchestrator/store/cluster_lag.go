package store

import (
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// Lags gives, by the name of each other replica, the most operations that it is behind in
// a group that this replica leads; nil where the servers are not embedded, or there is one.
// All replicas together say of each how far it is behind, also of one that is down. It asks
// nothing but this replica's own server.
func (s *Store) Lags() map[string]uint64 {
	if s.srv == nil || s.replicas == 1 {
		return nil
	}
	detail, err := s.srv.JszAccount(&server.JSzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true, StreamLeaderOnly: true})
	if err != nil {
		return nil
	}
	lags := map[string]uint64{}
	for _, stream := range detail.Streams {
		if stream.Cluster == nil {
			continue
		}
		for _, peer := range stream.Cluster.Replicas {
			if !strings.Contains(peer.Name, " ") { // else the server has a sentence there: it knows no name yet
				lags[peer.Name] = max(lags[peer.Name], peer.Lag)
			}
		}
	}
	return lags
}
