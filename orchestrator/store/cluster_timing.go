package store

import (
	"fmt"
	"time"
	_ "unsafe" // go:linkname

	"github.com/nats-io/nats-server/v2/server"
)

// The embedded server elects after 4 to 9 s without a leader, for servers on several
// continents, and offers no option for it: these times are package variables of its
// raft.go (v2.15.2). Replicas of one cluster are in one network. Here the variables are set once, before any
// server of this process can read them; their goroutines read them without a lock. With
// an existing NATS cluster this process has no server, and they change nothing.
//
// A leader that has nothing to write sends a heartbeat at every second tick, so at most
// 500 ms apart; servers of older versions at most 2 s. How long a follower waits for one
// is in cluster_campaign.go.
const (
	heartbeatInterval = 250 * time.Millisecond
	// electionMin and electionMax are when a follower campaigns that has no leader, and
	// a candidate again that has not won. A vote takes a write to disk on each side. On
	// two cores with five times as much to do, and 130 tasks a second for five
	// minutes, a write took up to 243 ms and a tick was late by up to 174 ms; there was no
	// election. The failover test of integration/cluster measures it, as case calm.
	electionMin = time.Second
	electionMax = 2250 * time.Millisecond
	// quorumLost is how long a leader without answers of a quorum goes on leading, and
	// quorumLostCheck how often it looks.
	quorumLost      = 3 * time.Second
	quorumLostCheck = time.Second
)

//go:linkname natsHeartbeat github.com/nats-io/nats-server/v2/server.hbInterval
var natsHeartbeat time.Duration

//go:linkname natsElectionMin github.com/nats-io/nats-server/v2/server.minElectionTimeout
var natsElectionMin time.Duration

//go:linkname natsElectionMax github.com/nats-io/nats-server/v2/server.maxElectionTimeout
var natsElectionMax time.Duration

//go:linkname natsQuorumLost github.com/nats-io/nats-server/v2/server.lostQuorumInterval
var natsQuorumLost time.Duration

//go:linkname natsQuorumLostCheck github.com/nats-io/nats-server/v2/server.lostQuorumCheck
var natsQuorumLostCheck time.Duration

// raftNode gives the server's member of a group; nil where it has none.
//
//go:linkname raftNode github.com/nats-io/nats-server/v2/server.(*Server).lookupRaftNode
func raftNode(s *server.Server, group string) server.RaftNode

// timing is a variable of the server, its value in the version that this was written for,
// and the value that it gets.
type timing struct {
	name      string
	at        *time.Duration
	was, want time.Duration
}

func timings() []timing {
	return []timing{
		{"hbInterval", &natsHeartbeat, time.Second, heartbeatInterval},
		{"minElectionTimeout", &natsElectionMin, 4 * time.Second, electionMin},
		{"maxElectionTimeout", &natsElectionMax, 9 * time.Second, electionMax},
		{"lostQuorumInterval", &natsQuorumLost, 10 * time.Second, quorumLost},
		{"lostQuorumCheck", &natsQuorumLostCheck, 10 * time.Second, quorumLostCheck},
	}
}

// errTiming is why the server's times are its own; nil when they are set. A variable that
// an update has renamed is 0 here, and one with another value may have another meaning:
// then none is set, since half of them could make elections that never end.
var errTiming = setTimings(timings())

func setTimings(all []timing) error {
	for _, v := range all {
		if *v.at != v.was {
			return fmt.Errorf("nats-server's %s is %s, expected %s: see orchestrator/store/cluster_timing.go", v.name, *v.at, v.was)
		}
	}
	for _, v := range all {
		*v.at = v.want
	}
	return nil
}
