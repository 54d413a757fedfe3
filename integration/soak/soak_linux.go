package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// saveEvery is between two reports of a run that goes on.
	saveEvery = 30 * time.Second
	// finishLimit is how long the calls under way may go on after the load has ended.
	finishLimit = taskLimit + time.Minute
)

// session is one run with its clock and its samples.
type session struct {
	*soakRun
	settings
	series    *series
	begin     time.Time
	calmUntil time.Time
	calmEnded string // what was counted in the calm part, once it is over
}

// soak runs everything, and returns errBroken when a rule was broken.
func soak(ctx context.Context, s settings, out io.Writer) error {
	f, err := newFleet(s.dir, s.programs)
	if err != nil {
		return err
	}
	defer f.stop()
	run := &soakRun{fleet: f, tally: newTally(), faults: newWindows(), client: newClient(), ended: &endedTasks{}, out: out}
	for i := range run.reloading {
		run.reloading[i] = newWindows()
	}
	run.say = func(b breach) { run.progress("BROKEN %s: %s", b.Rule, b.What) }
	if err := f.start(ctx); err != nil {
		return err
	}
	samples, err := newSeries(beside(s.report, ".csv"))
	if err != nil {
		return err
	}
	defer samples.csv.Close()
	begin := time.Now()
	l := &session{soakRun: run, settings: s, series: samples, begin: begin, calmUntil: begin.Add(s.calm)}
	run.progress("steady; %v without faults, then one each %v; seed %d", s.calm, s.every, s.seed)
	l.run(ctx)
	if err := errors.Join(ctx.Err(), l.report(true).save(s.report)); err != nil {
		return err
	}
	l.report(true).print(out)
	if !run.kept() {
		return errBroken
	}
	return nil
}

// run has the load, what operators do, and the faults, until the duration has passed; then
// it waits for what is under way.
func (l *session) run(ctx context.Context) {
	work, cancel := context.WithCancel(ctx)
	defer cancel()
	load, stop := context.WithDeadline(work, l.begin.Add(l.duration))
	defer stop()
	var watching, working sync.WaitGroup
	watching.Go(func() { l.watch(work) })
	watching.Go(func() { l.guard(work) })
	watching.Go(func() { l.sampleAll(work, l.series) })
	watching.Go(func() {
		regularly(work, saveEvery, func(int) {
			if err := l.report(false).save(l.settings.report); err != nil {
				l.progress("%v", err)
			}
		})
	})
	working.Go(func() { l.load(load, work, l.rate) })
	working.Go(func() { l.operate(load, work) })
	working.Go(func() {
		if pause(load, time.Until(l.calmUntil)) {
			l.endCalm()
			// The last fault has time to heal before the end.
			chaos, stop := context.WithDeadline(load, l.begin.Add(l.duration-quiet))
			defer stop()
			l.disturb(chaos, rand.New(rand.NewPCG(l.seed, 0)), l.every)
		}
	})
	limit := time.AfterFunc(l.duration+finishLimit, cancel)
	working.Wait()
	limit.Stop()
	l.last(work)
	cancel()
	watching.Wait()
}

// last asks every gateway for every task that has ended, once the fleet is steady.
func (l *session) last(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	if _, err := l.recovered(ctx); err != nil {
		l.breaks(ruleRecovery, "at the end: %v", err)
	}
	l.faults.close()
	for _, t := range l.ended.all() {
		for host := range hosts {
			l.recheck(ctx, host, t)
		}
	}
}

func (l *session) endCalm() {
	l.mu.Lock()
	elected := l.broken[ruleElection]
	l.mu.Unlock()
	l.calmEnded = fmt.Sprintf("%v of load without faults: %d elections in %d looks at the groups",
		l.calm, elected, l.count("looks at the groups"))
	l.progress("%s", l.calmEnded)
}

func (l *session) report(done bool) *report {
	now := time.Now()
	r := &report{
		Begin: l.begin, Now: now, Done: done, Calm: nameOr(l.calmEnded, "it goes on"),
		Settings: fmt.Sprintf("%v, %v of it without faults, then one each %v; %v calls a second; seed %d", l.duration, l.calm, l.every, l.rate, l.seed),
		Quiet:    l.series.usages(l.begin, l.calmUntil), Whole: l.series.usages(l.begin, now),
	}
	r.fill(l.tally)
	return r
}

// progress tells what happens, while it happens.
func (s *soakRun) progress(format string, args ...any) {
	fmt.Fprintf(s.out, "%s %s\n", time.Now().UTC().Format(time.RFC3339), fmt.Sprintf(format, args...))
}
