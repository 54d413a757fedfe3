package store

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// presenceSubject is where replicas publish that they are there.
const presenceSubject = "llorch.presence"

// presence is the last message of a replica.
type presence struct {
	at    time.Time
	hears map[string]bool // groups whose leader it hears, or is
}

// take reads "id group group…".
func (c *campaigns) take(m *nats.Msg, now time.Time) {
	if m.Subject == leavingSubject {
		c.open = now.Add(handOverOpen)
		return
	}
	words := strings.Fields(string(m.Data))
	if len(words) == 0 || words[0] == c.id {
		return
	}
	p := presence{at: now, hears: make(map[string]bool, len(words)-1)}
	for _, group := range words[1:] {
		p.hears[group] = true
	}
	if len(c.peers) < maxPeers || !c.peers[words[0]].at.IsZero() {
		c.peers[words[0]] = p
	}
}

// maxPeers bounds the replicas that are remembered; a cluster has at most five.
const maxPeers = 16

// settle forgets replicas of long ago, and finds out whether a quorum is present.
func (c *campaigns) settle(now time.Time) {
	for id, p := range c.peers {
		if now.Sub(p.at) > presenceForgotten {
			delete(c.peers, id)
		}
	}
	if c.alone = 1+len(c.present(now))+c.older() < c.quorum; c.alone {
		c.from = now
	}
	if c.linked()+1 < c.quorum {
		clear(c.since)
	}
}

// resumed has this replica listen first after a pause.
func (c *campaigns) resumed(now time.Time) {
	c.from = now
	clear(c.since)
}

// present are the ids of the other replicas that were heard a moment ago.
func (c *campaigns) present(now time.Time) (ids []string) {
	for id, p := range c.peers {
		if now.Sub(p.at) < peerSilence {
			ids = append(ids, id)
		}
	}
	return ids
}

// older counts the connected replicas that publish nothing.
func (c *campaigns) older() int { return max(0, c.linked()-len(c.peers)) }
