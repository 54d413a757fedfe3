package store

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// member is a replica's member of a group.
type member struct {
	server.RaftNode
	state     server.RaftState
	leader    string
	heard     time.Time // from the leader
	observer  bool
	campaigns int
}

func (m *member) State() server.RaftState { return m.state }
func (m *member) GroupLeader() string     { return m.leader }
func (m *member) Peers() []*server.Peer {
	return []*server.Peer{{ID: "other"}, {ID: m.leader, Last: m.heard}}
}
func (m *member) IsObserver() bool    { return m.observer }
func (m *member) SetObserver(on bool) { m.observer = on }
func (m *member) Campaign() error     { m.campaigns++; return nil }

// watch is a guard that hears others for a while; its clock is the test's.
type watch struct {
	*campaigns
	node  *member
	now   time.Time
	links int
	// says is what each other replica publishes with every tick: "-" is nothing, and
	// beats whether the leader sends heartbeats.
	says  map[string]string
	beats bool
}

// newWatch has seen a second in which all is well: replica b of a, b and c, led by a.
func newWatch() *watch {
	w := &watch{node: &member{state: server.Follower, leader: "a"}, now: time.Unix(1e9, 0), links: 2, beats: true, says: map[string]string{"a": "a g", "c": "c g"}}
	w.campaigns = &campaigns{
		linked: func() int { return w.links }, quorum: 2, id: "b", from: w.now,
		peers: make(map[string]presence), since: make(map[string]time.Time), held: make(map[string]server.RaftNode),
	}
	w.goOn(time.Second)
	return w
}

func (w *watch) goOn(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.now = w.now.Add(campaignTick)
		if w.beats {
			w.node.heard = w.now
		}
		for _, text := range w.says {
			w.take(&nats.Msg{Subject: presenceSubject, Data: []byte(text)}, w.now)
		}
		w.settle(w.now)
		w.group("g", w.node, w.now)
	}
}

func (w *watch) lose(names ...string) {
	for _, name := range names {
		delete(w.says, name)
		w.links--
		w.beats = w.beats && name != w.node.leader
	}
}

func TestWhoMayCampaign(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(w *watch)
		after  time.Duration
		want   bool
	}{
		"a leader that is heard":         {before: func(*watch) {}, after: time.Minute},
		"a leader that is lost, early":   {before: func(w *watch) { w.lose("a"); w.says["c"] = "c" }, after: 900 * time.Millisecond},
		"a leader that is lost":          {before: func(w *watch) { w.lose("a"); w.says["c"] = "c" }, after: 1300 * time.Millisecond, want: true},
		"the second in line, early":      {before: func(w *watch) { w.id = "d"; w.lose("a"); w.says["c"] = "c" }, after: 1300 * time.Millisecond},
		"the second in line":             {before: func(w *watch) { w.id = "d"; w.lose("a"); w.says["c"] = "c" }, after: 1900 * time.Millisecond, want: true},
		"the other one hears the leader": {before: func(w *watch) { w.lose("a") }, after: 15 * time.Second},
		"cut off":                        {before: func(w *watch) { w.lose("a", "c") }, after: time.Minute},
		"cut off, and connections stay":  {before: func(w *watch) { w.beats = false; clear(w.says) }, after: 15 * time.Second},
		"presence is lost for a minute":  {before: func(w *watch) { w.beats = false; clear(w.says) }, after: time.Minute, want: true},
		"the leader's disk is slow":      {before: func(w *watch) { w.beats = false; w.says["c"] = "c" }, after: 3500 * time.Millisecond},
		"the leader's disk is stuck":     {before: func(w *watch) { w.beats = false; w.says["c"] = "c" }, after: 5 * time.Second, want: true},
		"the leader leads no more":       {before: func(w *watch) { w.beats = false; w.says["a"], w.says["c"] = "a", "c" }, after: 1300 * time.Millisecond, want: true},
		"an older leader, early":         {before: func(w *watch) { w.older("a"); w.beats = false; w.says["c"] = "c" }, after: 3500 * time.Millisecond},
		"an older leader":                {before: func(w *watch) { w.older("a"); w.beats = false; w.says["c"] = "c" }, after: 5 * time.Second, want: true},
		"a group without leader":         {before: func(w *watch) { w.node.leader = ""; w.says["a"], w.says["c"] = "a", "c" }, after: 200 * time.Millisecond, want: true},
		"with older ones, early":         {before: func(w *watch) { w.older("a", "c"); w.node.leader = ""; w.from = w.now }, after: 2 * time.Second},
		"with older ones":                {before: func(w *watch) { w.older("a", "c"); w.node.leader = ""; w.from = w.now }, after: 4 * time.Second, want: true},
		"a pause, early": {before: func(w *watch) {
			w.lose("a")
			w.says["c"] = "c"
			w.now = w.now.Add(time.Minute)
			w.resumed(w.now)
		}, after: 900 * time.Millisecond},
		"a pause": {before: func(w *watch) {
			w.lose("a")
			w.says["c"] = "c"
			w.now = w.now.Add(time.Minute)
			w.resumed(w.now)
		}, after: 1500 * time.Millisecond, want: true},
		"a pause while another one hears the leader": {before: func(w *watch) {
			w.lose("a")
			w.goOn(2 * time.Second)
			w.now = w.now.Add(time.Minute)
			w.resumed(w.now)
		}, after: 5 * time.Second},
		"one that was there long ago is an older one now": {before: func(w *watch) {
			w.beats, w.node.leader = false, ""
			clear(w.says)
			w.goOn(presenceForgotten)
			w.from = w.now
			clear(w.since)
		}, after: 4 * time.Second, want: true},
		"after a partition, early": {before: func(w *watch) {
			w.lose("a", "c")
			w.goOn(time.Minute)
			w.links, w.says["c"] = 1, "c"
		}, after: 900 * time.Millisecond},
		"a shutdown notice": {before: func(w *watch) { w.take(&nats.Msg{Subject: leavingSubject}, w.now) }, after: time.Second, want: true},
		"long after one":    {before: func(w *watch) { w.take(&nats.Msg{Subject: leavingSubject}, w.now) }, after: 4 * time.Second},
		"a leader":          {before: func(w *watch) { w.node.state = server.Leader }, after: time.Second, want: true},
		"a candidate":       {before: func(w *watch) { w.node.observer = false; w.node.state, w.node.leader = server.Candidate, "" }, after: time.Second, want: true},
		"a candidate that is cut off": {before: func(w *watch) {
			w.node.observer = false
			w.node.state, w.node.leader = server.Candidate, ""
			w.lose("a", "c")
		}, after: 5 * time.Second},
		"the server's own observer": {before: func(w *watch) {
			w.release("g", w.node)
			w.node.observer = true
			w.lose("a")
			w.says["c"] = "c"
		}, after: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWatch()
			if !w.node.observer {
				t.Fatal("a follower whose leader is heard is no observer")
			}
			c.before(w)
			w.goOn(c.after)
			if w.node.observer == c.want {
				t.Errorf("may campaign: got %t, want %t", !w.node.observer, c.want)
			}
			silent := c.want && w.node.state == server.Follower && w.node.leader != "" && w.open.IsZero() && !strings.HasPrefix(name, "presence")
			if (w.node.campaigns > 0) != silent || w.node.campaigns > 1 {
				t.Errorf("campaigned %d times", w.node.campaigns)
			}
		})
	}
}

// older makes replicas ones that publish nothing.
func (w *watch) older(names ...string) {
	for _, name := range names {
		delete(w.says, name)
		delete(w.peers, name)
	}
}

func TestAPauseIsNoticedByEitherClock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		monotonic, wall time.Duration
		want            bool
	}{
		"a tick":                      {campaignTick, campaignTick, false},
		"the process was stopped":     {time.Minute, time.Minute, true},
		"the machine was suspended":   {campaignTick, time.Hour, true},
		"the wall clock was set back": {campaignTick, -time.Hour, false},
	} {
		if got := paused(c.monotonic, c.wall); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
