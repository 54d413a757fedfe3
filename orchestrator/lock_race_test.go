//go:build race

package orchestrator

import (
	"strings"
	"sync"
	"testing"
)

// The check of the order must be able to fail: at a lock that comes before one that is
// held, and at two of one kind.
func TestALockOutOfOrderPanics(t *testing.T) {
	var table mutex[lockTasks]
	var task, other mutex[lockTask]
	var queue mutex[lockQueue]
	for name, test := range map[string]struct {
		locks []sync.Locker
		want  string
	}{
		"in order":     {[]sync.Locker{&table, &task, &queue}, ""},
		"out of order": {[]sync.Locker{&queue, &task}, "taskEntry.mu is taken while queue.mu is held"},
		"twice":        {[]sync.Locker{&task, &other}, "taskEntry.mu is taken while taskEntry.mu is held"},
		"far apart":    {[]sync.Locker{&table, &queue, &task}, "taskEntry.mu is taken while queue.mu is held"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			func() {
				defer func() { got, _ = recover().(string) }()
				for _, l := range test.locks {
					l.Lock()
					defer l.Unlock()
				}
			}()
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// What another goroutine holds does not count, and what was released neither.
func TestTheOrderIsOfOneGoroutine(t *testing.T) {
	var task mutex[lockTask]
	var queue mutex[lockQueue]
	queue.Lock()
	var other sync.WaitGroup
	other.Go(func() {
		task.Lock()
		defer task.Unlock()
	})
	other.Wait()
	queue.Unlock()
	task.Lock()
	defer task.Unlock()
	queue.Lock()
	defer queue.Unlock()
}
