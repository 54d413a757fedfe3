package authmin

import "testing"

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"infer", "infer", 0}, {"", "abc", 3}, {"abc", "", 3},
		{"infr", "infer", 1}, {"inferr", "infer", 1}, {"inger", "infer", 1},
		{"PSOT", "POST", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got := EditDistance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.a, c.b, got, c.want)
		}
		if got := EditDistance(c.b, c.a); got != c.want {
			t.Errorf("%q, %q: got %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestNearestWord(t *testing.T) {
	known := []string{"infer", "nodes", "metrics", "admin"}
	for word, want := range map[string]string{
		"infre": "infer", "metric": "metrics", "admn": "admin", "nodes": "nodes",
		"research": "", "in": "", "": "", "metrics-metrics-metrics-metrics-m": "",
	} {
		if got := NearestWord(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
