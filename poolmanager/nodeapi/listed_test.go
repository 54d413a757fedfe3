package nodeapi

import (
	"encoding/json"
	"strings"
	"testing"
)

// A list of very many empty models is a small text, and would be large in memory.
func TestAListingIsBounded(t *testing.T) {
	list := func(count int) string {
		return `{"listed":[` + strings.TrimSuffix(strings.Repeat(`{},`, count), ",") + `]}`
	}
	for text, want := range map[string]int{
		list(0): 0, list(1): 1, list(MaxListed): MaxListed, list(MaxListed + 1): -1,
		`{"listed":null}`: 0, `{}`: 0, `{"listed":{}}`: -1, `{"listed":[1]}`: -1, `{"listed":7}`: -1,
	} {
		var s Status
		err := json.Unmarshal([]byte(text), &s)
		if (err != nil) != (want < 0) || err == nil && len(s.Listed) != want {
			t.Errorf("%.40s: got %d models, %v, want %d", text, len(s.Listed), err, want)
		}
	}
}
