package orchestrator

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestNodesAreAskedForTheirModelsOnceInAWhile: clients poll the lists.
func TestNodesAreAskedForTheirModelsOnceInAWhile(t *testing.T) {
	clock, asked := time.Now(), 0
	l, now := newListings(), func() time.Time { return clock }
	ask := func(context.Context, []Candidate) told {
		asked++
		return told{}
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {0, 1}, {listedFresh - 1, 1}, {1, 2}, {0, 2}, {-time.Hour, 3}, {0, 3}} {
		clock = clock.Add(step.after)
		if l.get(t.Context(), now, nil, ask); asked != step.want {
			t.Errorf("%v later: asked %d times, want %d", step.after, asked, step.want)
		}
	}
	// What a client that went away has cut short is not kept for the next one.
	clock = clock.Add(listedFresh)
	gone, leave := context.WithCancel(t.Context())
	l.get(gone, now, nil, func(context.Context, []Candidate) told {
		leave()
		return told{}
	})
	if l.get(t.Context(), now, nil, ask); asked != 4 {
		t.Errorf("after a client that went away: asked %d times, want 4", asked)
	}
}

// TestWhatANodeTellsOfOtherModelsIsNotKept: a node is asked of its pool's models, and may be
// hostile.
func TestWhatANodeTellsOfOtherModelsIsNotKept(t *testing.T) {
	c := Candidate{Models: []string{"m:latest", "n", ""}}
	long := nodeapi.ListedDetails{Family: strings.Repeat("f", 1<<20)}
	heard := c.heard([]nodeapi.ListedModel{
		{Name: "m", Digest: strings.Repeat("d", 1<<20), Details: long}, {Name: "m:latest", SizeBytes: 1}, {Name: "n:latest", SizeBytes: -1}, {Name: "other"},
	})
	if m := heard["m"]; len(heard) != 2 || m.SizeBytes != 0 || m.Digest != "" || len(m.Details.Family) > maxWord || heard["n"].SizeBytes != 0 {
		t.Errorf("got %d models, %.200v", len(heard), heard)
	}
}
