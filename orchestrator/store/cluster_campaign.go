package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Raft without a pre-vote lets a follower that is cut off, or was paused, campaign with
// ever higher terms; when it is back, every good leader steps down. The server has none,
// but it has observers: members that replicate and vote, and do not campaign. Every
// follower is an observer here, and [campaigns] lets it campaign in a group only when
//
//   - it has not heard the group's leader for leaderSilence or leaderSlow,
//   - a quorum, itself included, is present and does not hear the leader either: a
//     pre-vote, by messages that say who is present and which leaders it hears,
//   - and it has listened for a second, if it was paused or without a quorum before.
//
// A process that was paused finds all its election timers expired when it goes on: that is why
// observer is the rule, and no reaction to the pause.
const (
	// campaignTick is how often groups are looked at, and presenceInterval how often a
	// replica publishes that it is there, and whose leaders it hears.
	campaignTick     = 100 * time.Millisecond
	presenceInterval = 250 * time.Millisecond
	// peerSilence is how long a replica counts as present after its last message.
	peerSilence = time.Second
	// leaderSilence is how long a follower waits for a leader's heartbeat if the leader's
	// process is silent as well: lost, cut off or paused. A process that is present is
	// late for another reason, such as a slow disk: it has leaderSlow. So has one of an
	// older version, which publishes nothing and may be silent for 2 s.
	leaderSilence = time.Second
	leaderSlow    = 4 * time.Second
	// campaignRank is how much longer each replica waits than the one before it, by id:
	// two that campaign at once may share the votes.
	campaignRank = 500 * time.Millisecond
	// pauseNoticed is how late a tick of a process is that was paused.
	pauseNoticed = 500 * time.Millisecond
	// campaignAnyway ends all restraint of a replica with connections to a quorum: groups
	// without a leader for so long mean that presence does not arrive for another reason.
	campaignAnyway = 20 * time.Second
	// handOverOpen is how long each follower accepts to lead after another's shutdown
	// notice, and one that asks for it (GatherLeaders).
	handOverOpen = 3 * time.Second
	// presenceForgotten is how long after its last message a replica that is connected is taken
	// for one of an older version.
	presenceForgotten = 30 * time.Second
)

// campaigns decides where this replica may campaign. One goroutine has it.
type campaigns struct {
	srv    *server.Server
	linked func() int // how many other replicas are connected
	conn   *nats.Conn
	quorum int
	id     string // of this replica in all groups
	groups []string
	named  time.Time // when groups was read

	peers map[string]presence // by id
	alone bool                // no quorum is present
	from  time.Time           // when this replica last was alone or paused
	open  time.Time           // until then every follower may lead
	told  string
	sent  time.Time
	since map[string]time.Time       // by group: when its leader was first missed
	held  map[string]server.RaftNode // observers that are this guard's
}

// startCampaigns starts the one of this replica.
func (s *Store) startCampaigns() error {
	c := &campaigns{
		srv: s.srv, linked: s.srv.NumRemotes, conn: s.conn, quorum: s.replicas/2 + 1, from: time.Now(),
		peers: make(map[string]presence), since: make(map[string]time.Time), held: make(map[string]server.RaftNode),
	}
	news := make(chan *nats.Msg, 256)
	for _, subject := range []string{presenceSubject, leavingSubject} {
		if _, err := s.conn.ChanSubscribe(subject, news); err != nil { // ends with the connection
			return fmt.Errorf("subscribing to %s: %w", subject, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	s.invitations = make(chan chan struct{})
	go func() {
		defer close(done)
		c.run(ctx, news, s.invitations)
	}()
	s.endCampaigns = func() { cancel(); <-done }
	return nil
}

// run ends with ctx; the groups stay as they are then.
func (c *campaigns) run(ctx context.Context, news <-chan *nats.Msg, invitations <-chan chan struct{}) {
	tick := time.NewTicker(campaignTick)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-news:
			c.take(m, time.Now())
			if m.Subject == presenceSubject {
				continue
			}
		case open := <-invitations:
			c.open = time.Now().Add(handOverOpen)
			c.look(time.Now())
			close(open)
		case <-tick.C:
		}
		now := time.Now()
		if paused(now.Sub(last), now.Round(0).Sub(last.Round(0))) {
			c.resumed(now)
		}
		last = now
		c.look(now)
	}
}

// paused reports whether the process did not run for some of the time between two ticks, by
// either clock: the monotonic one stands still while a machine is suspended.
func paused(monotonic, wall time.Duration) bool { return max(monotonic, wall) > pauseNoticed }

// look opens and closes each group, and tells the others whose leaders this replica hears.
func (c *campaigns) look(now time.Time) {
	c.names(now)
	c.settle(now)
	var hears []string
	for _, group := range c.groups {
		if node := raftNode(c.srv, group); node != nil && c.group(group, node, now) {
			hears = append(hears, group)
		}
	}
	if told := strings.Join(append([]string{c.id}, hears...), " "); c.id != "" && (told != c.told || now.Sub(c.sent) >= presenceInterval) {
		c.told, c.sent = told, now
		_ = c.conn.Publish(presenceSubject, []byte(told)) // the next one follows
	}
}

// names reads which groups there are, once a second.
func (c *campaigns) names(now time.Time) {
	if now.Sub(c.named) < time.Second {
		return
	}
	c.named, c.groups = now, c.groups[:0]
	for _, account := range []string{systemAccount, server.DEFAULT_GLOBAL_ACCOUNT} {
		status := c.srv.Raftz(&server.RaftzOptions{AccountFilter: account})
		if status == nil {
			continue
		}
		for name, group := range (*status)[account] {
			c.groups, c.id = append(c.groups, name), group.ID
		}
	}
	slices.Sort(c.groups)
}

// group reports whether the leader of the group is heard, and lets this replica campaign
// or not.
func (c *campaigns) group(name string, node server.RaftNode, now time.Time) (hears bool) {
	state, leader := node.State(), node.GroupLeader()
	if state == server.Leader {
		delete(c.since, name)
		c.release(name, node)
		return true
	}
	patience := c.patience(name, leader, now)
	for _, p := range node.Peers() {
		if leader != "" && p.ID == leader && now.Sub(p.Last) < patience {
			delete(c.since, name)
			hears = true
		}
	}
	if !hears && c.since[name].IsZero() {
		c.since[name] = now
	}
	switch {
	case now.Before(c.open):
		c.release(name, node)
	case !hears && now.Sub(c.since[name]) > campaignAnyway:
		c.release(name, node)
	case !hears && c.agreed(name, now) && c.waited(name, leader, now):
		if c.release(name, node) && leader != "" {
			_ = node.Campaign() // within 0.8 s: it has waited already
		}
	case state == server.Follower || c.alone: // a candidate with a quorum goes on
		c.hold(name, node)
	}
	return hears
}

// patience is how long the group's leader may be silent.
func (c *campaigns) patience(group, leader string, now time.Time) time.Duration {
	p, known := c.peers[leader]
	if known && (now.Sub(p.at) >= peerSilence || !p.hears[group]) { // its process is lost, or does not lead
		return leaderSilence
	}
	return leaderSlow
}

// waited reports whether this replica has listened long enough. Without a leader the server
// itself waits for electionMin at least after it was released.
func (c *campaigns) waited(group, leader string, now time.Time) bool {
	if leader == "" {
		return c.older() == 0 || now.Sub(c.from) >= leaderSlow-electionMin
	}
	wait := time.Duration(0)
	for _, id := range c.present(now) {
		if id != leader && id < c.id {
			wait += campaignRank
		}
	}
	return now.Sub(c.since[group]) >= wait && now.Sub(c.from) >= leaderSilence+wait
}

// agreed reports whether a quorum does not hear the group's leader, or lead it. Replicas of
// older versions do not say, and agree.
func (c *campaigns) agreed(group string, now time.Time) bool {
	agree := 1 + c.older()
	for _, id := range c.present(now) {
		if !c.peers[id].hears[group] {
			agree++
		}
	}
	return agree >= c.quorum
}

// hold makes the node an observer.
func (c *campaigns) hold(group string, node server.RaftNode) {
	if !node.IsObserver() {
		c.held[group] = node
		node.SetObserver(true)
	}
}

// release ends what hold did, and reports whether it has. An observer by the server's own
// decision, because it is being shut down or cannot write, stays one.
func (c *campaigns) release(group string, node server.RaftNode) bool {
	if c.held[group] != node {
		return false
	}
	delete(c.held, group)
	node.SetObserver(false) // its election timer starts anew
	return true
}
