package main

import (
	"bufio"
	"strings"
	"testing"
)

// TestReadersSeeHolesAndDoubles: what a reader may see of a task, and what it must not.
func TestReadersSeeHolesAndDoubles(t *testing.T) {
	start, t0, t1, t2 := event{"1", "started", "{}"}, event{"2", "token", `{"t":"a","i":0}`}, event{"3", "token", `{"t":"b","i":1}`}, event{"4", "token", `{"t":"c","i":2}`}
	for name, c := range map[string]struct {
		events []event
		broken bool
		tokens int
	}{
		"whole":                       {[]event{start, t0, t1, t2, {"5", "end", "{}"}}, false, 3},
		"still running":               {[]event{start, t0}, false, 1},
		"waiting":                     {[]event{{"0", "waiting", "{}"}, start, t0, {"3", "end", "{}"}}, false, 1},
		"an announced gap":            {[]event{start, {"3", "gap", `{"from":2,"to":3}`}, t2, {"5", "end", "{}"}}, false, 1},
		"its runner was lost":         {[]event{start, t0, {"9", "error", `{"code":"WORKER_RESET"}`}}, false, 1},
		"a hole":                      {[]event{start, t0, t2}, true, 1},
		"a double":                    {[]event{start, t0, t1, t1}, true, 2},
		"back to the start":           {[]event{start, t0, t1, start}, true, 2},
		"another token":               {[]event{start, {"2", "token", `{"t":"b","i":1}`}}, true, 1},
		"a hole before the end":       {[]event{start, t0, t1, {"5", "end", "{}"}}, true, 2},
		"two ends":                    {[]event{start, {"2", "end", "{}"}, {"3", "end", "{}"}}, true, 0},
		"it goes on after its end":    {[]event{start, {"2", "end", "{}"}, t1}, true, 0},
		"a gap that hides too little": {[]event{start, {"4", "gap", `{"from":3,"to":4}`}}, true, 0},
		"no id":                       {[]event{{"", "started", "{}"}}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var r reading
			for _, ev := range c.events {
				r.see(ev)
			}
			if (r.err != nil) != c.broken {
				t.Errorf("got %v, want broken = %t", r.err, c.broken)
			}
			if r.tokens != c.tokens {
				t.Errorf("got %d tokens, want %d", r.tokens, c.tokens)
			}
		})
	}
}

func TestEventsAreRead(t *testing.T) {
	var got []event
	err := eachEvent(strings.NewReader(": alive\n\nid: 1\nevent: started\ndata: {}\n\nid: 2\nevent: token\ndata: {\"t\":\"a: b\",\"i\":0}\n\nid: 3\nevent: tok"), func(ev event) bool {
		got = append(got, ev)
		return true
	})
	if err == nil || len(got) != 2 || got[1] != (event{"2", "token", `{"t":"a: b","i":0}`}) {
		t.Errorf("got %v and %v, want two events, and that the stream broke off", got, err)
	}
}

// TestChunksOfAChat: only a stream with its own end is whole.
func TestChunksOfAChat(t *testing.T) {
	const token = `data: {"choices":[{"delta":{"content":"x"}}]}` + "\n\n"
	for name, c := range map[string]struct {
		text   string
		tokens int
		whole  bool
		broken bool
	}{
		"whole":          {": alive\n\n" + token + token + "data: [DONE]\n\n", 2, true, false},
		"broken off":     {token + token, 2, false, true},
		"an error event": {token + `data: {"error":{"code":"WORKER_RESET"}}` + "\n\n", 1, false, true},
		"no JSON":        {"data: {\n\n", 0, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			tokens, whole, err := chunks(bufio.NewReader(strings.NewReader(c.text)), nil)
			if tokens != c.tokens || whole != c.whole || (err != nil) != c.broken {
				t.Errorf("got %d tokens, whole %t, %v; want %d, %t, broken = %t", tokens, whole, err, c.tokens, c.whole, c.broken)
			}
		})
	}
}
