package caddymodule

import "testing"

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
