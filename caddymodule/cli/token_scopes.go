package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/llorch/gateway/authmin"
)

// warnOfUnwanted says which scopes of a new token no rule of the configuration asks
// for: most likely they are misspelt. Without a configuration it knows the shipped ones.
func warnOfUnwanted(people io.Writer, s *settings, scopes []authmin.Scope) {
	known, where := authmin.AllScopes(), "is none of the shipped policy"
	if s != nil {
		guards, err := guardsOf(s)
		if err != nil || len(guards) == 0 {
			return // lint says so
		}
		known, where = nil, "is asked for by no rule of "+s.file
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
		_, _ = fmt.Fprintf(people, "warning: scope %s %s%s (%s)\n", scope, where, meant, authmin.JoinScopes(known, ", "))
	}
}
