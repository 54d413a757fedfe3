package cluster_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/client"
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
	hold   chan struct{} // not nil: an answer waits for it after its first token

	mu       sync.Mutex
	started  map[string]int      // by task
	finished map[string]int      // answered to the end
	runner   map[string]*replica // who asked last
}

func newNode(t *testing.T, c *cluster, slots int, hold chan struct{}) *node {
	t.Helper()
	n := &node{c: c, slots: slots, hold: hold, started: make(map[string]int), finished: make(map[string]int), runner: make(map[string]*replica)}
	n.server = httptest.NewServer(http.HandlerFunc(n.dispatch))
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		n.report(stop)
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
		n.server.CloseClientConnections()
		n.server.Close()
	})
	return n
}

// report registers and then sends heartbeats, to one replica after the other.
func (n *node) report(stop chan struct{}) {
	pools := []client.Pool{{PoolID: "p", Engine: "demo", ModelRef: "demo", Ready: true, SlotsFree: n.slots, SlotsTotal: n.slots, Models: []string{"demo"}}}
	register, _ := json.Marshal(client.RegisterRequest{
		NodeID: "node1", MachineID: "m", Address: n.server.URL, Version: "1", DispatchToken: nodeToken, Pools: pools,
	})
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		all := n.c.members()
		r := all[i%len(all)]
		beat, _ := json.Marshal(client.HeartbeatRequest{Timestamp: time.Now(), Pools: pools})
		status, _, err := n.c.try(r, "node1", "nodes", "POST", "/v2/nodes/node1/heartbeat", string(beat))
		if err == nil && status == http.StatusNotFound {
			_, _, _ = n.c.try(r, "node1", "nodes", "POST", "/v2/nodes/register", string(register))
		}
		select {
		case <-tick.C:
		case <-stop:
			return
		}
	}
}

func (n *node) dispatch(w http.ResponseWriter, r *http.Request) {
	var d client.DispatchRequest
	if r.Header.Get("Authorization") != "Bearer "+nodeToken || json.NewDecoder(r.Body).Decode(&d) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	who := n.asker(r)
	n.mu.Lock()
	n.started[d.TaskID]++
	n.runner[d.TaskID] = who
	n.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(ev client.Event) bool {
		text, err := ev.AppendSSE(nil)
		if err == nil {
			_, err = w.Write(text)
		}
		w.(http.Flusher).Flush()
		return err == nil && r.Context().Err() == nil
	}
	for i := range tokens {
		if !send(client.Event{Type: client.EventToken, Text: fmt.Sprint("t", i, " "), Index: i}) {
			return
		}
		if n.hold == nil {
			continue
		}
		select {
		case <-n.hold:
		case <-r.Context().Done():
			return
		}
	}
	if send(client.Event{Type: client.EventEnd, TokensIn: 1, TokensOut: tokens, DecodeMS: 1, FinishReason: "stop"}) {
		n.mu.Lock()
		n.finished[d.TaskID]++
		n.mu.Unlock()
	}
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

// runs waits until the node was asked for the task again, and gives by whom.
func (n *node) runs(id string, times int, limit time.Duration) *replica {
	n.c.t.Helper()
	var who *replica
	eventually(n.c.t, limit, "task "+id+" runs", func() error {
		n.mu.Lock()
		defer n.mu.Unlock()
		if who = n.runner[id]; n.started[id] < times || who == nil {
			return fmt.Errorf("dispatched %d times", n.started[id])
		}
		return nil
	})
	return who
}
