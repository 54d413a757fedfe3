package orchestrator_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

var (
	ci   = orchestrator.Who{Identity: "ci"}
	root = orchestrator.Who{Identity: "root", Admin: true}
)

// replica is one of several orchestrators that share a store in this process.
type replica struct {
	*orchestrator.Orchestrator
	t    *testing.T
	name string
	cut  func(bool) // takes the connection to the store away, and gives it back
	all  *[]*replica
}

// cluster starts replicas on one store. The first one schedules.
func cluster(t *testing.T, c orchestrator.Config, names ...string) (dir string, all []*replica) {
	t.Helper()
	dir = t.TempDir()
	st, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	together := &[]*replica{}
	for i, name := range names {
		all = append(all, join(t, st, name, c))
		all[i].all = together
		*together = all
		if i == 0 {
			testkit.Eventually(t, name+" schedules", all[0].Leads)
		}
	}
	return dir, all
}

func join(t *testing.T, st *store.Store, name string, c orchestrator.Config) *replica {
	t.Helper()
	view, cut, err := st.View(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	c.Store, c.Log = view, slog.New(slog.DiscardHandler)
	if os.Getenv("CLUSTER_LOG") != "" {
		c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("at", name)
	}
	o, err := orchestrator.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		if err := o.Stop(ctx); err != nil {
			t.Errorf("stopping %s: %v", name, err)
		}
		view.Close()
	})
	return &replica{Orchestrator: o, t: t, name: name, cut: cut, all: &[]*replica{}}
}

// node registers a pool as a node's only one, and waits until all know it.
func (r *replica) node(id string, p *pool, slots int) {
	r.t.Helper()
	if _, err := r.RegisterNode(r.t.Context(), orchestrator.Who{Identity: id}, p.registration(id, slots)); err != nil {
		r.t.Fatal(err)
	}
	for _, other := range *r.all {
		testkit.Eventually(r.t, other.name+" knows the node", func() bool {
			return slices.ContainsFunc(other.Nodes(), func(n orchestrator.Node) bool { return n.NodeID == id && n.Pools[0].SlotsTotal == slots })
		})
	}
}

func (r *replica) take(change func(*orchestrator.TaskRequest)) string {
	r.t.Helper()
	q := orchestrator.TaskRequest{ModelRef: "demo", Prompt: "hello", MaxTokens: 8, DeadlineMS: 60_000}
	if change != nil {
		change(&q)
	}
	a, err := r.Submit(r.t.Context(), ci, q, "")
	if err != nil {
		r.t.Fatalf("submitting at %s: %v", r.name, err)
	}
	return a.TaskID
}

func (r *replica) task(id string) orchestrator.Task {
	r.t.Helper()
	task, err := r.Task(ci, id)
	if err != nil {
		r.t.Fatalf("task %s at %s: %v", id, r.name, err)
	}
	return task
}

func (r *replica) becomes(id string, state orchestrator.State) {
	r.t.Helper()
	testkit.Eventually(r.t, "task is "+string(state)+" at "+r.name, func() bool {
		task, err := r.Task(ci, id)
		return err == nil && task.State == state
	})
}

// reading is a reader that collects what it gets.
type reading struct {
	*orchestrator.Reader
	t      fataler
	events []orchestrator.Event
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func (r *replica) reader(t fataler, id string, after uint64) *reading {
	t.Helper()
	reader, err := r.Follow(ci, id, after)
	if err != nil {
		t.Fatalf("following at %s: %v", r.name, err)
	}
	return &reading{reader, t, nil}
}

// until reads until there are n events, or to the end with n < 0.
func (r *reading) until(n int) []orchestrator.Event {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for n < 0 || len(r.events) < n {
		some, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.t.Fatalf("after %d events: %v", len(r.events), err)
		}
		r.events = append(r.events, some...)
	}
	return r.events
}

func kinds(events []orchestrator.Event) string {
	var plain []event
	for _, ev := range events {
		plain = append(plain, event{Type: string(ev.Type)})
	}
	return types(plain)
}

// held is a pool whose tasks give a number of tokens and then wait.
func held(t *testing.T, tokens int) (p *pool, goOn chan struct{}) {
	goOn = make(chan struct{})
	return newPool(t, func(out *sink, r nodeapi.DispatchRequest) {
		out.tokens(tokens)
		select {
		case <-goOn:
			out.end(tokens)
		case <-out.gone:
		}
	}), goOn
}

func soon(t *testing.T, what string, from time.Time, limit time.Duration) {
	t.Helper()
	if took := time.Since(from); took > limit {
		t.Errorf("%s took %s, want %s at most", what, took, limit)
	}
}
