package nodeapi

import (
	"slices"
	"strconv"
	"strings"
)

// contextEntry begins the workloads that say how many tokens the models of a pool can
// have in their context, in the order of [Pool.Models], 0 if the engine does not tell. One
// number alone applies to all of them. As with protocols, orchestrators of older versions
// keep such a workload and place nothing there.
const contextEntry = "context1:"

const (
	// maxEntries is how many workloads those orchestrators take.
	maxEntries = 8
	// maxContext bounds what may be said of a model's context, in tokens.
	maxContext = 1 << 30
)

// WithContexts adds the context lengths of a pool's models to its workloads, as many as
// fit.
func WithContexts(workloads []string, contexts []int64) []string {
	contexts = slices.Clone(contexts)
	for i, n := range contexts {
		if n < 0 || n > maxContext {
			contexts[i] = 0
		}
	}
	if !slices.ContainsFunc(contexts, func(n int64) bool { return n > 0 }) {
		return workloads
	}
	if contexts[0] > 0 && len(slices.Compact(slices.Clone(contexts))) == 1 {
		contexts = contexts[:1]
	}
	out, entry := slices.Clone(workloads), contextEntry
	for i, n := range contexts {
		text := strconv.FormatInt(n, 10)
		if len(entry)+1+len(text) > maxCallEntry {
			if len(out)+1 >= maxEntries {
				break
			}
			out, entry = append(out, entry), contextEntry
		}
		if i > 0 && entry != contextEntry {
			entry += ","
		}
		entry += text
	}
	if len(out) < maxEntries {
		out = append(out, entry)
	}
	return out
}

// Contexts gives the context lengths, in tokens, that are part of a pool's workloads, by
// model. What a node says in another form is as if it was not there.
func (p Pool) Contexts() map[string]int64 {
	var told []int64
	for _, w := range p.Workloads {
		numbers, ok := strings.CutPrefix(w, contextEntry)
		if !ok {
			continue
		}
		for text := range strings.SplitSeq(numbers, ",") {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 || n > maxContext {
				return nil
			}
			told = append(told, n)
		}
	}
	all := make(map[string]int64, len(told))
	for i, model := range p.Models {
		switch {
		case len(told) == 1:
			all[model] = told[0]
		case i < len(told) && told[i] > 0:
			all[model] = told[i]
		}
	}
	return all
}
