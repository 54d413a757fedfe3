package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/llorch/gateway/authmin"
)

// warnOfUnusedScopes names the scopes of a new token that no rule of the configuration
// names: most likely they are misspelled. Without a configuration it compares with the
// scopes of the shipped policy.
func warnOfUnusedScopes(stderr io.Writer, s *settings, scopes []authmin.Scope) {
	known, where := authmin.AllScopes(), "is not in the shipped policy"
	if s != nil {
		guards, err := guardsOf(s)
		if err != nil || len(guards) == 0 {
			return // lint says so
		}
		known, where = nil, "is in no rule of "+s.file
		for _, g := range guards {
			for _, rule := range g.Rules {
				known = append(known, rule.Scopes...)
			}
		}
		if !s.App.PlainAdmin() {
			known = append(known, authmin.ScopeAdmin)
		}
	}
	slices.Sort(known)
	known = slices.Compact(known)
	for _, scope := range scopes {
		if slices.Contains(known, scope) {
			continue
		}
		meant := ""
		names := make([]string, 0, len(known))
		for _, k := range known {
			names = append(names, string(k))
		}
		if near := authmin.NearestWord(string(scope), names); near != "" {
			meant = "; did you mean " + near + "?"
		}
		_, _ = fmt.Fprintf(stderr, "warning: scope %s %s%s (%s)\n", scope, where, meant, authmin.JoinScopes(known, ", "))
	}
}
