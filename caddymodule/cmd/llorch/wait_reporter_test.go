package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWaitReporter(t *testing.T) {
	type look struct {
		after   time.Duration
		reason  string
		failure bool
	}
	for name, c := range map[string]struct {
		looks []look
		want  []string // each with the time of its report
	}{
		"a quick start": {[]look{{0, "starting", false}, {time.Second, "loading", false}, {time.Second, "", false}}, nil},
		"a failure":     {[]look{{0, "starting", false}, {time.Second, "exit", true}, {time.Second, "exit", true}}, []string{"1s exit"}},
		"a long load":   {[]look{{0, "loading", false}, {reportDelay, "loading", false}, {time.Second, "loading", false}}, []string{"2s loading"}},
		"again": {[]look{{0, "exit", true}, {5 * time.Second, "exit", true}, {5 * time.Second, "exit", true}, {time.Second, "exit", true}},
			[]string{"0s exit", "10s exit"}},
		"another failure": {[]look{{0, "exit", true}, {time.Second, "signal", true}}, []string{"0s exit", "1s signal"}},
		"a reason that keeps changing": {[]look{{0, "a", false}, {time.Second, "b", false}, {time.Second, "c", false}, {8 * time.Second, "d", false}},
			[]string{"10s d"}},
	} {
		var out strings.Builder
		r := &waitReporter{to: &out, log: "the log"}
		var got []string
		now := time.Unix(1, 0)
		for _, l := range c.looks {
			now = now.Add(l.after)
			out.Reset()
			r.update(now, l.reason, l.failure)
			if line := out.String(); line != "" {
				if !strings.HasPrefix(line, "still waiting: "+l.reason+" (") {
					t.Errorf("%s: got %q", name, line)
				}
				got = append(got, now.Sub(time.Unix(1, 0)).String()+" "+l.reason)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
