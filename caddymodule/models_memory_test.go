package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// TestTheMemoryOfABodyIsGivenBackWhenItIsForwarded: the end of the request gives it back too,
// and would hide that an answer which lasts an hour holds the memory of its request.
func TestTheMemoryOfABodyIsGivenBackWhenItIsForwarded(t *testing.T) {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	up := newUpstream(t, func(http.ResponseWriter, *http.Request) { // it has read the body
		asked <- struct{}{}
		<-release
	})
	g := serve(t, false, limitedTokens, modelSite(up))
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, _ := http.NewRequest("POST", g.base+chatPath, strings.NewReader(`{"model":"tiny","x":"`+strings.Repeat("a", 4*heldPiece)+`"}`))
		r.Header.Set("Authorization", "Bearer "+tokenInfer)
		if answer, err := plainClient().Do(r); err == nil {
			answer.Body.Close()
		}
	}()
	defer func() { close(release); <-done }()
	testkit.Eventually(t, "the upstream to have the body", func() bool {
		select {
		case <-asked:
			return true
		default:
			return false
		}
	})
	state, err := acquireState(shared)
	if err != nil {
		t.Fatal(err)
	}
	defer releaseState()
	testkit.Within(t, liveLimit, "the memory of the body while the answer is awaited", func() error {
		state.bodies.mu.Lock()
		defer state.bodies.mu.Unlock()
		if state.bodies.used != 0 {
			return fmt.Errorf("%d bytes are held", state.bodies.used)
		}
		return nil
	})
}

// One identity may hold half of the memory, and two leave a tenth to a third.
func TestBodyMemoryKeepsAShareForOthers(t *testing.T) {
	const limit = 1000
	m := new(bodyMemory)
	held := map[string]int64{}
	for _, c := range []struct {
		identity string
		want     int64
	}{{"a", 500}, {"b", 400}, {"c", 100}, {"d", 0}} {
		for m.take(limit, c.identity, 10) {
			held[c.identity] += 10
		}
		if held[c.identity] != c.want {
			t.Errorf("%s holds %d of %d, want %d", c.identity, held[c.identity], limit, c.want)
		}
	}
	for identity, n := range held {
		m.give(identity, n)
	}
	if m.used != 0 || len(m.by) != 0 {
		t.Errorf("after all is given back %d bytes are used, by %v", m.used, m.by)
	}
}

// A body that no identity may hold would be refused for ever: the start says so.
func TestMaxBodyFitsIntoTheMemoryForBodies(t *testing.T) {
	form := []ModelRouteConfig{{In: "form", Paths: []string{"/audio"}}}
	for name, c := range map[string]struct {
		memory, body int64
		models       []ModelRouteConfig
		want         int64 // 0: refused
	}{
		"the default":                    {0, 0, nil, defaultMaxBody},
		"the default, of little memory":  {32 << 20, 0, nil, 16<<20 - heldPiece},
		"half of the memory, and less":   {64 << 20, 32<<20 - heldPiece, nil, 32<<20 - heldPiece},
		"more than that":                 {64 << 20, 32<<20 - heldPiece + 1, nil, 0},
		"a form, which is copied":        {64 << 20, 16<<20 - heldPiece, form, 16<<20 - heldPiece},
		"a form of more than a quarter":  {64 << 20, 16<<20 + 1, form, 0},
		"larger than any body":           {largestBodyMemory, largestMaxBody + 1, nil, 0},
		"the default, of a form's share": {64 << 20, 0, form, 16<<20 - heldPiece/2},
		"memory for no body":             {heldPiece, 0, nil, 0},
	} {
		g := &Guard{app: &App{BodyMemory: c.memory}, MaxBody: c.body, ModelIn: c.models}
		if err := g.provisionModels(); (err == nil) != (c.want > 0) || err == nil && g.MaxBody != c.want {
			t.Errorf("%s: got %d and %v, want %d", name, g.MaxBody, err, c.want)
		}
	}
}
