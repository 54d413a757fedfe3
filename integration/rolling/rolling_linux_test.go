//go:build rolling

package rolling_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestRollingUpdate replaces the old programs by new ones, in several orders, while
// clients go on.
func TestRollingUpdate(t *testing.T) {
	older, newer := releases(t)
	for name, order := range map[string]func(*fleet) []any{
		"nodes first": func(f *fleet) []any {
			return []any{f.nodes[0], f.nodes[1], f.replicas[0], f.replicas[1], f.replicas[2]}
		},
		"replicas first": func(f *fleet) []any {
			return []any{f.replicas[0], f.replicas[1], f.replicas[2], f.nodes[0], f.nodes[1]}
		},
		"mixed": func(f *fleet) []any {
			return []any{f.replicas[0], f.nodes[0], f.replicas[1], f.nodes[1], f.replicas[2]}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, older)
			l := f.begin()
			for _, what := range order(f) {
				f.change(what, newer)
			}
			l.end()
			l.judge()
			f.servesNative()
			f.back(older, newer)
			if name == "nodes first" { // once is enough
				f.byReadiness(newer)
			}
		})
	}
}

// judge checks that everything that was acknowledged has ended once and well.
func (l *load) judge() {
	t := l.fleet.t
	t.Helper()
	for _, err := range l.errors {
		t.Error(err)
	}
	native := 0
	for _, task := range l.tasks {
		if task.native {
			native++
		}
		if end, err := judge(task.events); err != nil || end.kind != "end" {
			t.Errorf("task %s (native: %t): %s %s, %v", task.id, task.native, end.kind, end.data, err)
		}
		l.fleet.completed(task)
	}
	refused := map[string]int{}
	for _, c := range l.chats {
		// Replicas of the older version end streams at once when they stop, and say so.
		if stopped := strings.HasSuffix(c.replica, " old") && strings.Contains(fmt.Sprint(c.broken), "STOPPING"); c.broken != nil && !stopped {
			t.Error(c.broken)
		}
		refused[c.refused]++
	}
	t.Logf("%d tasks, %d of them native; chats by refusal: %v", len(l.tasks), native, refused)
	for _, n := range l.fleet.nodes {
		tasks, calls, err := n.judge()
		if err != nil {
			t.Error(err)
		}
		t.Logf("%s was asked for %d tasks and %d native calls", n.name, tasks, calls)
	}
}

// completed checks that every replica says the same of a task.
func (f *fleet) completed(t *task) {
	f.t.Helper()
	for _, x := range f.replicas {
		testkit.Within(f.t, 10*time.Second, "task "+t.id+" at "+x.name, func() error {
			var record struct{ State, Workload string }
			err := f.at(x).get("/v2/tasks/"+t.id, &record)
			if err == nil && record.State != "completed" {
				err = fmt.Errorf("it is %+v", record)
			}
			return err
		})
	}
}

// servesNative checks that a native call works at every replica.
func (f *fleet) servesNative() {
	f.t.Helper()
	for _, x := range f.replicas {
		direct := f.edgeTo("ci", "infer", x).URL
		for range 4 { // round-robin: both nodes
			if got := ask(direct); got.broken != nil || got.refused != "" {
				f.t.Errorf("%s: refused %q, %v", x.name, got.refused, got.broken)
			}
		}
	}
	for _, n := range f.nodes {
		if _, calls, _ := n.judge(); calls == 0 {
			f.t.Errorf("%s ran no native call", n.name)
		}
	}
}
