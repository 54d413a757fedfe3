package nodeapi

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestContextsTravelAsWorkloads: older orchestrators take at most 8 workloads, of at most
// 32 bytes each.
func TestContextsTravelAsWorkloads(t *testing.T) {
	full := WithProtocols([]string{WorkloadCompletion, WorkloadEmbedding, WorkloadRerank}, Protocols())
	long := []int64{1048576, 524288, 262144, 131072, 65536, 32768, 16384}
	for name, c := range map[string]struct {
		before  []string
		sent    []int64
		want    []int64 // that arrive
		entries int     // that are added
	}{
		"one":                       {full, []int64{131072}, []int64{131072}, 1},
		"alike":                     {full, []int64{8192, 8192, 8192}, []int64{8192, 8192, 8192}, 1},
		"different":                 {full, []int64{8192, 4096}, []int64{8192, 4096}, 1},
		"one not known":             {full, []int64{0, 4096, 0}, []int64{0, 4096, 0}, 1},
		"the second not known":      {full, []int64{4096, 0}, []int64{4096, 0}, 1},
		"none known":                {full, []int64{0, 0}, []int64{0, 0}, 0},
		"none":                      {full, nil, nil, 0},
		"no number that can be one": {full, []int64{-1, 1 << 40, 7}, []int64{0, 0, 7}, 1},
		"more than fit":             {full, long, []int64{1048576, 524288, 262144, 131072, 65536, 32768, 0}, 2},
		"no room":                   {append(slices.Clone(full), "a", "b"), []int64{7}, []int64{0}, 0},
	} {
		got := WithContexts(c.before, c.sent)
		if len(got) != len(c.before)+c.entries || len(got) > 8 || slices.ContainsFunc(got, func(w string) bool { return len(w) > 32 }) {
			t.Errorf("%s: got %q, want %d more", name, got, c.entries)
		}
		p, want := Pool{Workloads: got}, map[string]int64{}
		for i := range c.sent {
			model := strings.Repeat("m", i+1)
			if p.Models = append(p.Models, model); c.want[i] > 0 {
				want[model] = c.want[i]
			}
		}
		if arrived := p.Contexts(); !maps.Equal(arrived, want) {
			t.Errorf("%s: %q arrives as %v, want %v", name, got, arrived, want)
		}
		if protocols := p.Protocols(); !slices.Equal(protocols, Protocols()) {
			t.Errorf("%s: the protocols are %v", name, protocols)
		}
	}
	for _, w := range []string{"context1:", "context1:x", "context1:-1", "context1:1,", "context1:99999999999999999999"} {
		if got := (Pool{Models: []string{"a"}, Workloads: []string{w}}).Contexts(); len(got) != 0 {
			t.Errorf("%s: got %v", w, got)
		}
	}
}
