package caddymodule

import (
	"encoding/json"
	"slices"
)

// hasUsage reports whether a guard has `usage`, and so settles budgets of tokens.
func (in *inspection) hasUsage() bool {
	return slices.ContainsFunc(in.handlers, func(h inspected) bool {
		var g Guard
		return h.name == AppName && json.Unmarshal(h.raw, &g) == nil && g.Usage != nil
	})
}
