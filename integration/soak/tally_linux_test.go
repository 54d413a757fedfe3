package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llorch/gateway/authmin"
)

// newRun is a run without a fleet, whose clock is the bubble's.
func newRun() *soakRun {
	s := &soakRun{tally: newTally(), faults: newWindows(), ended: &endedTasks{}, out: io.Discard}
	for i := range s.reloading {
		s.reloading[i] = newWindows()
	}
	return s
}

// TestWhatBreaksARule: which attempts a fault or a reload explains.
func TestWhatBreaksARule(t *testing.T) {
	refused := func(status int) attempt { return attempt{status: status} }
	valid := func(a attempt) func(*soakRun, attempt) {
		return func(s *soakRun, b attempt) { b.status, b.err = a.status, a.err; s.judge(kindChat, b) }
	}
	hostile := func(a attempt) func(*soakRun, attempt) {
		return func(s *soakRun, b attempt) {
			b.status, b.err = a.status, a.err
			s.judgeRefusal(b, "no token", http.StatusUnauthorized)
		}
	}
	for name, c := range map[string]struct {
		judge         func(*soakRun, attempt)
		fault, reload bool
		broken        string // the rule; "": none
	}{
		"503":                                 {valid(refused(503)), false, false, ruleValid},
		"503 in a fault":                      {valid(refused(503)), true, false, ""},
		"429 in a fault":                      {valid(refused(429)), true, false, ""},
		"401 in a fault":                      {valid(refused(401)), true, false, ruleValid},
		"404 in a fault":                      {valid(refused(404)), true, false, ruleValid},
		"a lost connection":                   {valid(attempt{err: io.EOF}), false, false, ruleValid},
		"a lost connection in a fault":        {valid(attempt{err: io.EOF}), true, false, ""},
		"a lost connection in a reload":       {valid(attempt{err: syscall.ECONNRESET}), false, true, ""},
		"503 in a reload":                     {valid(refused(503)), false, true, ruleValid},
		"a broken answer in a reload":         {valid(attempt{status: 200, err: io.ErrUnexpectedEOF}), false, true, ruleValid},
		"no token: 401":                       {hostile(refused(401)), false, false, ""},
		"no token: 429":                       {hostile(refused(429)), false, false, ""},
		"no token: 200":                       {hostile(refused(200)), false, false, ruleUnauthorised},
		"no token: 200 in a fault":            {hostile(refused(200)), true, false, ruleUnauthorised},
		"no token: 200 in a reload":           {hostile(refused(200)), false, true, ruleUnauthorised},
		"no token: 503":                       {hostile(refused(503)), false, false, ruleValid},
		"no token: 503 in a fault":            {hostile(refused(503)), true, false, ""},
		"no token: a lost connection, reload": {hostile(attempt{err: io.EOF}), false, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newRun()
				if c.fault {
					s.faults.open("a fault")
				}
				if c.reload {
					s.reloading[0].open("reload")
				}
				c.judge(s, attempt{begin: time.Now(), done: time.Now()})
				for _, rule := range rules {
					if want := rule == c.broken; (s.broken[rule] > 0) != want {
						t.Errorf("%s was broken %d times, want %t: %v", rule, s.broken[rule], want, s.breaches)
					}
				}
				if s.kept() != (c.broken == "") {
					t.Errorf("kept: %t", s.kept())
				}
			})
		})
	}
}

// TestWindowsCover what overlaps a fault, and nothing before or after it.
func TestWindowsCover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, begin := newWindows(), time.Now()
		<-time.After(time.Minute)
		w.open("cut")
		<-time.After(time.Minute)
		w.close()
		<-time.After(time.Minute)
		for _, c := range []struct {
			from, to time.Duration // after begin
			want     bool
		}{{0, 50 * time.Second, false}, {0, 70 * time.Second, true}, {80 * time.Second, 90 * time.Second, true}, {110 * time.Second, 170 * time.Second, true}, {0, 3 * time.Minute, true}, {121 * time.Second, 170 * time.Second, false}} {
			if _, got := w.covers(begin.Add(c.from), begin.Add(c.to)); got != c.want {
				t.Errorf("%v to %v: got %t, want %t", c.from, c.to, got, c.want)
			}
		}
		for range 2 * maxWindows {
			w.open("more")
			w.close()
		}
		if len(w.list) != maxWindows {
			t.Errorf("%d windows are kept, want %d", len(w.list), maxWindows)
		}
	})
}

// TestTasksMustStayEnded: at most maxEnded of them are remembered.
func TestTasksMustStayEnded(t *testing.T) {
	e := &endedTasks{}
	for range maxEnded + 10 {
		e.add(endedTask{at: time.Now()})
	}
	e.add(endedTask{at: time.Now().Add(-2 * keepEnded)})
	if n := len(e.all()); n != maxEnded-1 {
		t.Errorf("%d tasks, want %d", n, maxEnded-1)
	}
}

// TestACompletedTaskIsHeldAgainstItsReader: each difference breaks a rule.
func TestACompletedTaskIsHeldAgainstItsReader(t *testing.T) {
	whole := reading{end: "end", tokens: 5}
	for name, c := range map[string]struct {
		record record
		read   reading
		fault  bool
		broken string
	}{
		"as it should be":        {record{State: "completed", TokensOut: 5}, whole, false, ""},
		"another end":            {record{State: "failed"}, whole, true, ruleTwice},
		"too few tokens":         {record{State: "completed", TokensOut: 4}, whole, false, ruleReader},
		"its reader saw too few": {record{State: "completed", TokensOut: 5}, reading{end: "end", tokens: 4}, false, ruleReader},
		"with a gap":             {record{State: "completed", TokensOut: 5}, reading{end: "end", tokens: 4, gaps: 1}, false, ""},
		"failed without a fault": {record{State: "failed"}, reading{end: "error"}, false, ruleValid},
		"canceled by no client":  {record{State: "canceled"}, reading{end: "canceled"}, true, ruleValid},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRun()
			if c.fault {
				s.faults.open("a fault")
			}
			if c.record.State == "failed" {
				c.record.Error.Code = "WORKER_RESET"
			}
			s.compare("id", c.record, c.read, true, 5, time.Now())
			if c.broken == "" != s.kept() || c.broken != "" && s.broken[c.broken] == 0 {
				t.Errorf("got %v, want %q broken", s.breaches, c.broken)
			}
		})
	}
}

func TestSlope(t *testing.T) {
	for _, c := range []struct {
		x, y []float64
		want float64
	}{{nil, nil, 0}, {[]float64{1}, []float64{5}, 0}, {[]float64{0, 1, 2}, []float64{5, 5, 5}, 0}, {[]float64{0, 1, 2}, []float64{1, 3, 5}, 2}, {[]float64{1, 1}, []float64{1, 2}, 0}} {
		if got := slope(c.x, c.y); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v, %v: got %v, want %v", c.x, c.y, got, c.want)
		}
	}
}

// TestFiguresLeaveOutARestart: the slope is of the newest run of a process alone.
func TestFiguresLeaveOutARestart(t *testing.T) {
	var in []sample
	for i := range 41 {
		v := sample{At: time.Unix(0, 0).Add(time.Duration(i) * 3 * time.Minute), Starts: 1, ResidentKiB: 500 << 10}
		if i > 25 {
			v.Starts, v.ResidentKiB = 2, int64(100+i)<<10
		}
		in = append(in, v)
	}
	u := usageOf("p", in)
	if u.Memory.First != 500 || u.Memory.Last != 140 || u.Memory.Max != 500 || math.Abs(u.Memory.Slope-20) > 1e-6 || u.Starts != 2 {
		t.Errorf("got %+v, want 500, 140, 500 and a slope of 20 MiB an hour", u)
	}
}

// TestTheReportNamesEveryRule, as text and as JSON.
func TestTheReportNamesEveryRule(t *testing.T) {
	s := newRun()
	s.breaks(ruleLost, "task %s is gone", "abc")
	r := &report{Begin: time.Now(), Now: time.Now(), Done: true}
	r.fill(s.tally)
	path := filepath.Join(t.TempDir(), "report.txt")
	if err := r.save(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(beside(path, ".json"))
	var back report
	if err := errors.Join(err, json.Unmarshal(data, &back)); err != nil {
		t.Fatal(err)
	}
	for _, rule := range rules {
		if _, ok := back.Rules[rule]; !ok || !bytes.Contains(text, []byte(rule)) {
			t.Errorf("the report leaves %s out", rule)
		}
	}
	if back.Rules[ruleLost] != 1 || !strings.Contains(string(text), "task abc is gone") {
		t.Errorf("the broken rule is not told:\n%s", text)
	}
}

// TestTheKeyringIsOne: the gateway's own parser takes it, revoked tokens and all.
func TestTheKeyringIsOne(t *testing.T) {
	k := newKeyring(filepath.Join(t.TempDir(), "tokens"), scopesOf())
	before := k.secret("passing0")
	if err := k.revoke("passing0"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(k.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := authmin.ParseKeyring(text); err != nil || !strings.Contains(string(text), " state=revoked\n") {
		t.Errorf("%v in\n%s", err, text)
	}
	if err := k.renew("passing0"); err != nil || k.secret("passing0").Digest() == before.Digest() {
		t.Errorf("a renewed token is the one before (%v)", err)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range []string{"-duration 25h", "-duration 0s", "-rate 0", "-rate NaN", "-rate 1000", "-every 0s", "more"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
	if s, err := parse([]string{"-duration", "10m"}); err != nil || s.calm != 450*time.Second {
		t.Errorf("got %v and %v, want a calm part of three quarters", s.calm, err)
	}
	if err := runCases(t.Context(), settings{cases: "reloads,other"}, io.Discard); err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("an unknown case: %v", err)
	}
}
