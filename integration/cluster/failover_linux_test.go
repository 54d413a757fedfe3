//go:build failover

package cluster_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// TestFailover measures, case by case, the longest time between two acknowledged
// admissions while a replica is lost and comes back. 36 clients submit 12 requests a second,
// each at one replica after the other. It asserts that nothing acknowledged is lost or completed twice;
// the times are figures of the machine that it runs on:
//
//	go test -tags failover -run TestFailover -v -timeout 60m ./integration/cluster
//
// FAILOVER_CASES names the cases to run; LLORCH_LONG_TESTS=1 has 20 kills. The case calm is
// for FAILOVER_MINUTES of load without any fault, and must not see an election.
func TestFailover(t *testing.T) {
	c := newCluster(t, 3)
	c.start()
	n := newNode(t, c, 16, nil)
	f := &failover{cluster: c, longest: map[string][]time.Duration{}}
	f.acks = append(f.acks, time.Now())
	f.load = c.under(load{workers: 36, every: 3 * time.Second, took: f.took})
	rounds := 3
	if long() {
		rounds = 20
	}
	for _, test := range []struct {
		name string
		run  func()
	}{
		{"kill", func() { repeat(rounds, f.kill) }},
		{"stop", func() { repeat(3, f.stop) }},
		{"isolate", func() { repeat(2, f.isolation) }},
		{"pause", func() { repeat(2, f.pausing) }},
		{"double", func() { repeat(3, f.double) }},
		{"flaps", f.flaps},
		{"all", f.everything},
		{"calm", f.calm},
	} {
		if want := cmp.Or(os.Getenv("FAILOVER_CASES"), "kill,stop,isolate,pause,double,flaps,all"); slices.Contains(strings.Split(want, ","), test.name) {
			test.run()
		}
	}
	f.steady()
	ids := f.load.end()
	c.judge(n, ids)
	n.mu.Lock()
	defer n.mu.Unlock()
	twice := 0
	for _, times := range n.finished {
		if times > 1 {
			twice++
		}
	}
	t.Logf("%d tasks acknowledged; %d answered to the end twice by the node", len(ids), twice)
	for _, name := range slices.Sorted(maps.Keys(f.longest)) {
		gaps := slices.Sorted(slices.Values(f.longest[name]))
		t.Logf("%-40s longest %6.2f s, median %6.2f s, %d times: %v", name, gaps[len(gaps)-1].Seconds(), gaps[len(gaps)/2].Seconds(), len(gaps), gaps)
	}
}

func repeat(rounds int, f func(round int)) {
	for round := range rounds {
		f(round)
	}
}

// failover is a cluster under load, and the longest gaps by what was done to it.
type failover struct {
	*cluster
	load    *admissions
	longest map[string][]time.Duration

	mu   sync.Mutex
	acks []time.Time
}

func (f *failover) took(string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acks = append(f.acks, time.Now())
}

// gap notes the longest time without an acknowledgement from begin on, watched for that
// long.
func (f *failover) gap(what string, begin time.Time, watch time.Duration) {
	f.t.Helper()
	<-time.After(watch)
	for end := time.Now().Add(maxGap); f.last().Before(begin); <-time.After(100 * time.Millisecond) {
		if time.Now().After(end) {
			f.longest[what] = append(f.longest[what], time.Since(begin).Round(10*time.Millisecond))
			f.t.Errorf("%s: no admission for %s", what, time.Since(begin))
			return
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	longest := time.Duration(0)
	last := begin
	for _, at := range f.acks {
		if at.After(begin) {
			longest, last = max(longest, at.Sub(last)), at
		}
	}
	f.longest[what] = append(f.longest[what], longest.Round(10*time.Millisecond))
	f.t.Logf("%s: %s", what, longest.Round(10*time.Millisecond))
}

// last is when the last task was acknowledged.
func (f *failover) last() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acks[len(f.acks)-1]
}

// maxGap is when a case has failed in which no admission was seen any more.
const maxGap = 30 * time.Second

// watched is how long admissions are watched after an event: longer than elections take.
const watched = 12 * time.Second

// steady waits until all replicas serve and one may be lost.
func (f *failover) steady() {
	f.t.Helper()
	for _, r := range f.replicas {
		r.serves()
		testkit.Within(f.t, time.Minute, r.name+" is current in all groups", func() error {
			status, answer, err := f.try(r, "ops", "metrics", "GET", "/v2/meta/replica", "")
			if err == nil && (status != http.StatusOK || answer["safe_to_lose_another"] != true) {
				err = fmt.Errorf("status %d: %v", status, answer["groups"])
			}
			return err
		})
	}
	<-time.After(time.Second)
}

// leads is the replica that leads the group of tasks, and follows another one.
func (f *failover) roles() (leads, follows *replica) {
	f.t.Helper()
	testkit.Within(f.t, 30*time.Second, "a replica leads", func() error {
		_, answer, err := f.try(f.replicas[0], "ops", "metrics", "GET", "/v2/meta/replica", "")
		if err != nil {
			return err
		}
		groups, _ := answer["groups"].([]any)
		for _, g := range groups {
			if g := g.(map[string]any); g["name"] == "tasks" {
				for _, r := range f.replicas {
					if r.name == g["leader"] {
						leads = r
					}
				}
			}
		}
		if leads == nil {
			return fmt.Errorf("none in %v", groups)
		}
		return nil
	})
	return leads, f.other(leads)
}

// victim is the leader in even rounds.
func (f *failover) victim(round int) (*replica, string) {
	f.t.Helper()
	f.steady()
	<-time.After(time.Duration(round) * 77 * time.Millisecond) // at every moment
	leads, follows := f.roles()
	if round%2 == 0 {
		return leads, "leader"
	}
	return follows, "follower"
}

func (f *failover) kill(round int) {
	r, role := f.victim(round)
	begin := time.Now()
	r.kill()
	f.gap("kill "+role, begin, watched)
	begin = time.Now()
	r.start()
	f.gap("start of killed "+role, begin, watched/2)
}

func (f *failover) stop(round int) {
	r, role := f.victim(round)
	begin := time.Now()
	r.stop()
	f.gap("clean stop "+role, begin, watched/2)
	begin = time.Now()
	r.start()
	f.gap("start of stopped "+role, begin, watched/2)
}

func (f *failover) isolation(round int) {
	r, role := f.victim(round)
	begin := time.Now()
	f.hold(r, true)
	f.gap("isolate "+role, begin, 30*time.Second)
	begin = time.Now()
	f.hold(r, false)
	f.gap("heal "+role, begin, watched)
}

func (f *failover) pausing(round int) {
	r, role := f.victim(round)
	begin := time.Now()
	_ = syscall.Kill(r.pid(), syscall.SIGSTOP)
	f.gap("pause "+role, begin, 30*time.Second)
	begin = time.Now()
	_ = syscall.Kill(r.pid(), syscall.SIGCONT)
	f.gap("return of paused "+role, begin, watched)
}

// double restarts one and kills another one half a second after it is back.
func (f *failover) double(round int) {
	first, _ := f.victim(round)
	begin := time.Now()
	first.kill()
	first.start()
	first.serves()
	<-time.After(500 * time.Millisecond)
	second, _ := f.roles()
	if second == first {
		second = f.other(first)
	}
	f.gap("restart, then", begin, 0)
	begin = time.Now()
	second.kill()
	f.gap("restart one, kill another", begin, watched)
	second.start()
}

func (f *failover) flaps() {
	for _, role := range []int{0, 1} {
		r, name := f.victim(role)
		for range 4 {
			begin := time.Now()
			f.isolate(r, true)
			<-time.After(700 * time.Millisecond)
			f.isolate(r, false)
			f.gap("flap "+name, begin, 3*time.Second)
		}
	}
}

func (f *failover) everything() {
	f.steady()
	for _, r := range f.replicas {
		r.kill()
	}
	f.replicas[0].start()
	<-time.After(time.Second)
	f.replicas[1].start()
	begin := time.Now()
	f.gap("all killed, two started", begin, 15*time.Second)
	f.replicas[2].start()
}

// calm is load alone, as much as the machine takes. It measures what elections have to
// bear: how late a tick of 100 ms is, and how long a write to disk takes.
func (f *failover) calm() {
	f.steady()
	minutes, err := strconv.Atoi(cmp.Or(os.Getenv("FAILOVER_MINUTES"), "1"))
	if err != nil {
		f.t.Fatal(err)
	}
	before := f.elections(f.replicas[0])
	more := f.under(load{workers: 16, every: 100 * time.Millisecond})
	var late, slow time.Duration
	file, err := os.Create(filepath.Join(f.t.TempDir(), "synced"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	for begin := time.Now(); time.Since(begin) < time.Duration(minutes)*time.Minute; {
		at := time.Now()
		<-time.After(100 * time.Millisecond)
		late = max(late, time.Since(at)-100*time.Millisecond)
		at = time.Now()
		if _, err := file.WriteAt([]byte("x"), 0); err != nil {
			f.t.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			f.t.Fatal(err)
		}
		slow = max(slow, time.Since(at))
	}
	ids := more.end()
	elected := 0
	for group, e := range f.elections(f.replicas[0]) {
		if before[group] != e {
			elected++
			f.t.Errorf("group %s: %v before, then %v", group, before[group], e)
		}
	}
	f.t.Logf("%d minutes of load, %d tasks: %d elections; a tick of 100 ms was late by up to %s, a write to disk took up to %s",
		minutes, len(ids), elected, late.Round(time.Millisecond), slow.Round(time.Millisecond))
}
