package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"
)

const (
	// recoverLimit is how long the fleet may take to be steady again after a fault.
	recoverLimit = 2 * time.Minute
	// quiet is how long it must have been steady, without an election, before the fault
	// counts as over: leaders are moved to the replica that schedules.
	quiet = 12 * time.Second
	// steadyPause is between two looks.
	steadyPause = time.Second
)

// fault is one kind: begin breaks something of a host and gives what heals it.
type fault struct {
	name  string
	least time.Duration // that it lasts
	most  time.Duration
	hosts int // that can have it
	begin func(s *soakRun, host int) (heal func() error)
}

// schedule is every kind of fault. Each round has all of them, in another order.
var schedule = []fault{
	{"kill -9 of a gateway", 0, 4 * time.Second, hosts, kills(syscall.SIGKILL, func(h *host) *process { return h.gateway })},
	{"kill -9 of an orchestrator", 0, 15 * time.Second, hosts, kills(syscall.SIGKILL, func(h *host) *process { return h.orchestrator })},
	{"kill -9 of a pool manager", 0, 4 * time.Second, nodes, kills(syscall.SIGKILL, func(h *host) *process { return h.pools })},
	{"kill -9 of an engine", 0, 0, nodes, killsEngine},
	{"stop of an orchestrator", time.Second, 10 * time.Second, hosts, kills(syscall.SIGTERM, func(h *host) *process { return h.orchestrator })},
	{"stop of a gateway", 0, 3 * time.Second, hosts, kills(syscall.SIGTERM, func(h *host) *process { return h.gateway })},
	{"cut of an orchestrator's links", time.Second, 20 * time.Second, hosts, func(s *soakRun, i int) func() error {
		s.network.isolate(s.hosts[i].name, true)
		return func() error { s.network.isolate(s.hosts[i].name, false); return nil }
	}},
	{"packets of an orchestrator dropped", time.Second, 20 * time.Second, hosts, func(s *soakRun, i int) func() error {
		s.network.hold(s.hosts[i].name, true)
		return func() error { s.network.hold(s.hosts[i].name, false); return nil }
	}},
	{"pause of an orchestrator", time.Second, 20 * time.Second, hosts, pauses(func(h *host) *process { return h.orchestrator })},
	{"pause of a gateway", time.Second, 5 * time.Second, hosts, pauses(func(h *host) *process { return h.gateway })},
	{"pause of a pool manager", time.Second, 10 * time.Second, nodes, pauses(func(h *host) *process { return h.pools })},
	{"kill -9 of all orchestrators", time.Second, 2 * time.Second, 1, killsAll},
}

func kills(sig syscall.Signal, of func(*host) *process) func(*soakRun, int) func() error {
	return func(s *soakRun, i int) func() error {
		p := of(s.hosts[i])
		err := p.end(sig)
		return func() error {
			if err != nil {
				return err
			}
			return p.start()
		}
	}
}

func killsEngine(s *soakRun, i int) func() error {
	engine := child(s.hosts[i].pools.pid())
	if engine != 0 {
		_ = syscall.Kill(engine, syscall.SIGKILL)
	}
	return func() error { // its pool manager starts another one
		if engine == 0 {
			return fmt.Errorf("pools%d has no engine", i+1)
		}
		return nil
	}
}

func pauses(of func(*host) *process) func(*soakRun, int) func() error {
	return func(s *soakRun, i int) func() error {
		of(s.hosts[i]).pause(true)
		return func() error { of(s.hosts[i]).pause(false); return nil }
	}
}

func killsAll(s *soakRun, _ int) func() error {
	for _, h := range s.hosts {
		_ = h.orchestrator.end(syscall.SIGKILL)
	}
	return func() error {
		for _, h := range s.hosts {
			if err := h.orchestrator.start(); err != nil {
				return err
			}
		}
		return nil
	}
}

// disturb has one fault after the other until ctx ends.
func (s *soakRun) disturb(ctx context.Context, chance *rand.Rand, every time.Duration) {
	for turn := 0; ; turn++ {
		order := chance.Perm(len(schedule))
		for _, i := range order {
			f := schedule[i]
			lasts := f.least
			if f.most > f.least {
				lasts += time.Duration(chance.Int64N(int64(f.most - f.least)))
			}
			begin := time.Now()
			if !s.disturbOnce(ctx, f, chance.IntN(f.hosts), lasts) || !pause(ctx, max(0, every-time.Since(begin))) {
				return
			}
		}
	}
}

// disturbOnce has one fault, heals it, and waits for the recovery. It reports whether ctx
// has not ended.
func (s *soakRun) disturbOnce(ctx context.Context, f fault, host int, lasts time.Duration) bool {
	what := fmt.Sprintf("%s (host%d, %v)", f.name, host+1, lasts.Round(time.Millisecond))
	s.faults.open(what)
	begin := time.Now()
	heal := f.begin(s, host)
	pause(ctx, lasts)
	if err := heal(); err != nil {
		s.breaks(ruleRecovery, "%s: healing: %v", what, err)
	}
	healed := time.Now()
	took, err := s.recovered(ctx)
	if ctx.Err() != nil {
		return false
	}
	s.faults.close()
	if err != nil {
		s.breaks(ruleRecovery, "%s: not steady %v after it was healed: %v", what, recoverLimit, err)
	}
	s.add("faults: " + f.name)
	s.took("until steady after "+f.name, took-quiet)
	s.progress("%s: healed after %v, steady %v later", what, healed.Sub(begin).Round(time.Millisecond), (took - quiet).Round(time.Millisecond))
	return true
}

// recovered waits until the fleet was steady for a while, with the same terms. The result
// has that while in it.
func (s *soakRun) recovered(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	since, terms := time.Now(), map[string]uint64{}
	for {
		now, err := s.steady(ctx)
		if err != nil || !sameTerms(terms, now) {
			since, terms = time.Now(), now
		}
		switch {
		case err == nil && time.Since(since) >= quiet:
			return time.Since(begin), nil
		case time.Since(begin) > recoverLimit:
			return time.Since(begin), errors.Join(fmt.Errorf("steady for %v", time.Since(since).Round(time.Second)), err)
		}
		if !pause(ctx, steadyPause) {
			return time.Since(begin), ctx.Err()
		}
	}
}

func sameTerms(a, b map[string]uint64) bool {
	for name, term := range b {
		if a[name] != term {
			return false
		}
	}
	return len(a) == len(b)
}
