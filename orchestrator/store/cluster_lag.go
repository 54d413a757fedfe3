package store

import (
	"slices"
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

// OwnGroups gives the groups as this replica's own server knows them, by name: Lag is 0, and
// Current and MayLose are those of groups that it leads. It asks no other replica; nil where the
// servers are not embedded, or there is one.
func (s *Store) OwnGroups() []Group {
	terms := s.terms()
	if len(terms) == 0 {
		return nil
	}
	detail, err := s.srv.JszAccount(&server.JSzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true})
	if err != nil {
		return nil
	}
	var groups []Group
	add := func(name string, raft server.RaftzGroup, current int) {
		g := Group{Name: name, Leader: nameOfLeader(raft, s.replica), Term: raft.Term}
		if g.Leader == s.replica {
			g.Current = current
			g.MayLose = g.mayLose(s.replicas)
		}
		groups = append(groups, g)
	}
	for _, stream := range detail.Streams {
		if stream.Cluster == nil || stream.Name == bucketPrefix+legacyNodes { // an update leaves that one behind
			continue
		}
		current := 1
		for _, peer := range stream.Cluster.Replicas {
			if !peer.Offline && (peer.Current || peer.Lag <= maxLag) {
				current++
			}
		}
		add(strings.TrimPrefix(stream.Name, bucketPrefix), terms[stream.Cluster.RaftGroup], current)
	}
	add(metaName, terms[metaGroup], s.connected())
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return groups
}
