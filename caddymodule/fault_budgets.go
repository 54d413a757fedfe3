package caddymodule

import (
	"encoding/json"
	"slices"
)

// countsTokens reports whether some guard counts tokens, and so settles budgets of them.
func (in *inspection) countsTokens() bool {
	return slices.ContainsFunc(in.handlers, func(h inspected) bool {
		var g Guard
		return h.name == AppName && json.Unmarshal(h.raw, &g) == nil && g.Usage != nil
	})
}
