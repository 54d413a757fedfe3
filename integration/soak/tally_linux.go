package main

import (
	"fmt"
	"sync"
	"time"
)

// The rules, as the report names them. Each may be broken zero times.
const (
	ruleUnauthorised = "unauthorised_200"              // a request without a valid token was answered
	ruleValid        = "valid_request_failed"          // without a fault, or at every gateway for callPatience
	ruleLost         = "acknowledged_task_lost"        // its record is gone, or it did not end
	ruleTwice        = "acknowledged_task_ended_twice" // two ends, two ids for one key, or another end later
	ruleElection     = "election_without_fault"        // the term of a group rose
	ruleReader       = "reader_with_hole_or_double"    // events that are missing or come twice, unannounced
	ruleRevoked      = "revoked_stream_went_on"        // longer than revokeLimit
	ruleRecovery     = "no_recovery_after_fault"       // not steady within recoverLimit
	ruleProcess      = "process_ended_by_itself"       // exit or crash
	maxBreaches      = 200                             // that the report tells in words
)

var rules = []string{ruleUnauthorised, ruleValid, ruleLost, ruleTwice, ruleElection, ruleReader, ruleRevoked, ruleRecovery, ruleProcess}

// breach is one rule that was broken.
type breach struct {
	Time time.Time `json:"time"`
	Rule string    `json:"rule"`
	What string    `json:"what"`
}

// tally counts what happens. Its names are constants of this program: the maps do not grow.
type tally struct {
	mu       sync.Mutex
	counts   map[string]int
	longest  map[string]time.Duration
	broken   map[string]int // by rule
	breaches []breach       // the first maxBreaches
	say      func(breach)   // nil: not told at once
}

func newTally() *tally {
	return &tally{counts: map[string]int{}, longest: map[string]time.Duration{}, broken: map[string]int{}}
}

func (t *tally) add(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[name]++
}

func (t *tally) took(name string, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.longest[name] = max(t.longest[name], d)
}

// breaks notes that a rule was broken.
func (t *tally) breaks(rule, format string, args ...any) {
	b := breach{Time: time.Now().UTC(), Rule: rule, What: fmt.Sprintf(format, args...)}
	t.mu.Lock()
	t.broken[rule]++
	told := len(t.breaches) < maxBreaches
	if told {
		t.breaches = append(t.breaches, b)
	}
	t.mu.Unlock()
	if told && t.say != nil {
		t.say(b)
	}
}

func (t *tally) count(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[name]
}

// kept reports whether no rule was broken.
func (t *tally) kept() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.broken) == 0
}
