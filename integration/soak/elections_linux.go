package main

import (
	"context"
	"time"
)

// watchPause is between two looks at the terms of all groups.
const watchPause = 5 * time.Second

// elections compares the terms of the replicated groups with those before, as each
// orchestrator tells them. A term rises with each election, and with nothing else.
type elections struct {
	terms map[string]uint64 // by group; there are a dozen
	at    time.Time         // of the last look that all answered
}

// watch looks until ctx ends. An election between two looks is a fault's if one was open
// at any time since the look before.
func (s *soakRun) watch(ctx context.Context) {
	e := elections{terms: map[string]uint64{}, at: time.Now()}
	for pause(ctx, watchPause) {
		begin, all := time.Now(), true
		rose := map[string][2]uint64{}
		for _, h := range s.hosts {
			v, err := s.look(ctx, h)
			if err != nil {
				all = false // a fault, or a breach that others count
				continue
			}
			for _, g := range v.Groups {
				if before := e.terms[g.Name]; g.Term > before {
					if before > 0 {
						rose[g.Name] = [2]uint64{before, g.Term}
					}
					e.terms[g.Name] = g.Term
				}
			}
		}
		for group, terms := range rose {
			what, fault := s.faults.covers(e.at, time.Now())
			if fault {
				s.add("elections in a fault")
				continue
			}
			s.breaks(ruleElection, "group %s: term %d, then %d (fault: %s)", group, terms[0], terms[1], nameOr(what, "none"))
		}
		s.add("looks at the groups")
		if all {
			e.at = begin
		}
	}
}

// guard notes processes that end though they are meant to run.
func (s *soakRun) guard(ctx context.Context) {
	for pause(ctx, watchPause) {
		for _, p := range s.processes() {
			if p.died() {
				s.breaks(ruleProcess, "%s has ended", p.name)
			}
		}
	}
}
