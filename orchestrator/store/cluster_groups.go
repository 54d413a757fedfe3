package store

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// groupsTimeout bounds asking all groups for their state; one without a leader does
	// not answer.
	groupsTimeout = 2 * time.Second
	// maxLag is how many operations behind a replica may be to count as current: at 3,500
	// writes a second it has them within a third of a second.
	maxLag = 1000
	// metaGroup is the name that JetStream gives to the group that knows the streams.
	metaGroup = "_meta_"
	metaName  = "cluster" // ours
)

// Group is replicas that elect a leader and agree on a log: of one stream, or of the
// cluster's own state ("cluster").
type Group struct {
	Name    string `json:"name"`
	Leader  string `json:"leader" doc:"The replica that leads it; empty while there is none"`
	Term    uint64 `json:"term,omitempty" doc:"The number of the election that made it the leader; absent while this replica does not have it"`
	Lag     uint64 `json:"lag" doc:"How many operations this replica is behind the leader"`
	Current int    `json:"current" doc:"Connected replicas that are at most 1000 operations behind"`
	MayLose bool   `json:"safe_to_lose_another" doc:"Whether it keeps a quorum when one more replica stops"`
}

// GroupStates gives the state of every group, by name. A group whose leader does not answer
// within 2 s has neither leader nor current replicas. A single server has no group.
func (s *Store) GroupStates(ctx context.Context) []Group {
	if !s.shared || s.events == nil {
		return []Group{}
	}
	ctx, cancel := context.WithTimeout(ctx, groupsTimeout)
	defer cancel()
	names := streams()
	groups := make([]Group, len(names))
	terms := s.terms()
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { groups[i] = s.streamGroup(ctx, name, terms) })
	}
	all.Wait()
	if g, ok := terms[metaGroup]; ok {
		groups = append(groups, Group{
			Name: metaName, Leader: nameOfLeader(g, s.replica), Term: g.Term, Lag: g.Committed - min(g.Committed, g.Applied), Current: s.connected(),
		})
	}
	for i := range groups {
		groups[i].MayLose = groups[i].mayLose(s.replicas)
	}
	slices.SortFunc(groups, func(a, b Group) int { return strings.Compare(a.Name, b.Name) })
	return groups
}

// streamGroup asks the leader of a stream.
func (s *Store) streamGroup(ctx context.Context, stream string, terms map[string]server.RaftzGroup) Group {
	g := Group{Name: strings.TrimPrefix(stream, bucketPrefix)}
	answer, err := s.events.js.Stream(ctx, stream)
	if err != nil {
		return g
	}
	c := answer.CachedInfo().Cluster
	if c == nil || c.Leader == "" {
		return g
	}
	g.Leader, g.Term, g.Current = c.Leader, terms[c.RaftGroup].Term, 1
	for _, peer := range c.Replicas {
		if peer.Name == s.replica {
			g.Lag = peer.Lag
		}
		if isCurrent(peer) {
			g.Current++
		}
	}
	return g
}

func isCurrent(p *jetstream.PeerInfo) bool { return !p.Offline && (p.Current || p.Lag <= maxLag) }

// terms gives what this replica's own server knows of its groups; nothing where the
// servers are not embedded.
func (s *Store) terms() map[string]server.RaftzGroup {
	known := make(map[string]server.RaftzGroup)
	if s.srv == nil || s.replicas == 1 {
		return known
	}
	for _, account := range []string{systemAccount, server.DEFAULT_GLOBAL_ACCOUNT} {
		status := s.srv.Raftz(&server.RaftzOptions{AccountFilter: account})
		if status == nil {
			continue
		}
		for name, group := range (*status)[account] {
			known[name] = group
		}
	}
	return known
}

// nameOfLeader is the leader's name: a group itself knows it by an id.
func nameOfLeader(g server.RaftzGroup, own string) string {
	if g.Leader == g.ID {
		return own
	}
	return g.Peers[g.Leader].Name
}

// Replicas counts the replicas that there should be, and those that are connected, this
// one included. With an existing NATS cluster, configured is the number of copies that are
// kept, and connected is 0.
func (s *Store) Replicas() (configured, connected int) {
	if !s.shared {
		return 1, 1
	}
	return s.replicas, s.connected()
}

// MayLose reports whether one more of so many replicas may be lost: whether a replica more
// than a quorum is current in every group.
func MayLose(groups []Group, replicas int) bool {
	for _, g := range groups {
		if !g.mayLose(replicas) {
			return false
		}
	}
	return len(groups) > 0
}

func (g Group) mayLose(replicas int) bool { return g.Leader != "" && g.Current > replicas/2+1 }

// Space is the state directory's free space, and what has to be free for new work, in bytes.
type Space struct {
	Free     uint64 `json:"free_bytes"`
	Required uint64 `json:"required_bytes" doc:"With less, new work is refused"`
}

// Space returns nil where the disks are those of an existing cluster.
func (s *Store) Space() (*Space, error) {
	if s.dir == "" {
		return nil, nil
	}
	free, err := s.free(s.dir)
	return &Space{Free: free, Required: minFreeBytes}, err
}
