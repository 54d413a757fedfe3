package cluster_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	nodeToken = "canary-node-dispatch-token-0123456789"
	tokens    = 3 // of each answer
)

// node stands in for a GPU host: it registers with whichever replica answers,
// and counts what it was asked to do and what it has done.
type node struct {
	c      *cluster
	server *httptest.Server
	slots  int
	hold   chan struct{}    // not nil: an answer waits for it after each token
	pace   time.Duration    // not 0: it also goes on after this
	length int              // tokens of each answer; 0: tokens
	now    func() time.Time // nil: time.Now
	via    []*replica       // where it calls; nil: every replica

	mu       sync.Mutex
	started  map[string]int      // by task
	finished map[string]int      // answered to the end
	runner   map[string]*replica // who asked last
	asked    []asking
	beats    int // heartbeats that were taken
}

// asking is one dispatch. Its tokens say which one of its task's it is.
type asking struct {
	task string
	run  int // of this task, from 1
	by   *replica
	at   time.Time
	sent []time.Time // when each token went out
}

func newNode(t *testing.T, c *cluster, slots int, hold chan struct{}) *node {
	t.Helper()
	return (&node{c: c, slots: slots, hold: hold}).join(t)
}

// join starts the node and has it register.
func (n *node) join(t *testing.T) *node {
	t.Helper()
	n.serve(t)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		n.report(stop)
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
	})
	return n
}

// serve starts the node, which does not register.
func (n *node) serve(t *testing.T) {
	if n.now == nil {
		n.now = time.Now
	}
	n.length = cmp.Or(n.length, tokens)
	n.started, n.finished, n.runner = make(map[string]int), make(map[string]int), make(map[string]*replica)
	n.server = httptest.NewServer(http.HandlerFunc(n.dispatch))
	t.Cleanup(func() {
		n.server.CloseClientConnections()
		n.server.Close()
	})
}

func (n *node) pools() []nodeapi.Pool {
	return []nodeapi.Pool{{PoolID: "p", Engine: "demo", ModelRef: "demo", Ready: true, SlotsFree: n.slots, SlotsTotal: n.slots, Models: []string{"demo"}}}
}

// register registers the node once, and beat sends one heartbeat; each gives the status.
func (n *node) register(r *replica) (int, error) { return n.registerAs(r, "node1") }

func (n *node) registerAs(r *replica, id string) (int, error) {
	body, _ := json.Marshal(nodeapi.RegisterRequest{
		NodeID: id, MachineID: "m", Address: n.server.URL, Version: "1", DispatchToken: nodeToken, Pools: n.pools(),
	})
	status, _, err := n.c.try(r, id, "nodes", "POST", "/v2/nodes/register", string(body))
	return status, err
}

func (n *node) beat(r *replica) (int, error) {
	body, _ := json.Marshal(nodeapi.HeartbeatRequest{Timestamp: n.now(), Pools: n.pools()})
	status, _, err := n.c.try(r, "node1", "nodes", "POST", "/v2/nodes/node1/heartbeat", string(body))
	return status, err
}

// report registers and then sends heartbeats, to one replica after the other.
func (n *node) report(stop chan struct{}) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		all := n.via
		if all == nil {
			all = n.c.members()
		}
		r := all[i%len(all)]
		status, err := n.beat(r)
		if err == nil && status == http.StatusOK {
			n.mu.Lock()
			n.beats++
			n.mu.Unlock()
		}
		if err == nil && status == http.StatusNotFound {
			_, _ = n.register(r)
		}
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

func (n *node) dispatch(w http.ResponseWriter, r *http.Request) {
	var d nodeapi.DispatchRequest
	if r.Header.Get("Authorization") != "Bearer "+nodeToken || json.NewDecoder(r.Body).Decode(&d) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	who := n.asker(r)
	nth, run := n.note(d.TaskID, who)
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(ev nodeapi.Event) bool {
		text, err := ev.AppendSSE(nil)
		if err == nil {
			_, err = w.Write(text)
		}
		w.(http.Flusher).Flush()
		return err == nil && r.Context().Err() == nil
	}
	for i := range n.length {
		n.sends(nth)
		if !send(nodeapi.Event{Type: nodeapi.EventToken, Text: text(run, i), Index: i}) || !n.pauses(r) {
			return
		}
	}
	n.mu.Lock()
	n.finished[d.TaskID]++ // before: who has read the end hangs up
	n.mu.Unlock()
	send(nodeapi.Event{Type: nodeapi.EventEnd, TokensIn: 1, TokensOut: n.length, DecodeMS: 1, FinishReason: "stop"})
}

// text is a token as the node sends it.
func text(run, i int) string { return fmt.Sprintf("%d.%d ", run, i) }

// note counts a dispatch, and gives its number and which of its task's it is.
func (n *node) note(id string, by *replica) (nth, run int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.started[id]++
	n.runner[id] = by
	n.asked = append(n.asked, asking{task: id, run: n.started[id], by: by, at: time.Now()})
	return len(n.asked) - 1, n.started[id]
}

func (n *node) sends(nth int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked[nth].sent = append(n.asked[nth].sent, time.Now())
}

// pauses waits between two tokens, and reports whether the caller is still connected.
func (n *node) pauses(r *http.Request) bool {
	if n.hold == nil && n.pace == 0 {
		return true
	}
	var soon <-chan time.Time
	if n.pace > 0 {
		soon = time.After(n.pace)
	}
	select {
	case <-n.hold:
	case <-soon:
	case <-r.Context().Done():
		return false
	}
	return true
}

// asker is the replica that sent the request.
func (n *node) asker(r *http.Request) *replica {
	_, far, _ := net.SplitHostPort(r.RemoteAddr)
	_, near, _ := net.SplitHostPort(n.server.Listener.Addr().String())
	local, _ := strconv.Atoi(far)
	remote, _ := strconv.Atoi(near)
	name := n.c.owner(local, remote)
	for _, r := range n.c.members() {
		if r.name == name {
			return r
		}
	}
	return nil
}

// runs waits until the task was dispatched to the node that many times, and returns
// the replica that did so last.
func (n *node) runs(id string, times int, limit time.Duration) *replica {
	n.c.t.Helper()
	var who *replica
	testkit.Within(n.c.t, limit, "task "+id+" runs", func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if who = n.runner[id]; n.started[id] < times || who == nil {
			return fmt.Errorf("dispatched %d times", n.started[id])
		}
		return nil
	})
	return who
}
