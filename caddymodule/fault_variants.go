package caddymodule

import (
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

func init() {
	examinations = append(examinations, weakerSpellings)
}

// weakerSpellings finds a strict rule with a weaker one after it that matches other
// spellings of its paths. The guard refuses those, 400; the operator should know, as
// clients that ask by another spelling do not get through, and since an upstream that
// minds neither case nor a last slash is better served by rules that do not overlap.
func weakerSpellings(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		if h.name != AppName {
			continue
		}
		g, err := ReadGuard(canonical(h.raw))
		if err != nil {
			continue // it does not start
		}
		for j, weak := range g.Rules {
			i := slices.IndexFunc(g.Rules[:j], func(strict RuleConfig) bool {
				return strict.isStricter(weak, in.App.PlainAdmin()) && strict.spelledIn(weak)
			})
			if i < 0 {
				continue
			}
			strictRule, _ := g.Rules[i].Rule()
			weakRule, _ := weak.Rule()
			faults = append(faults, faultf(suspect, h.server,
				"guard %s: `%s` also covers other spellings of what `%s` stands for, in another case or with a slash at the end: those are refused, 400; name the paths that the weaker rule is for to have no overlap",
				g.Name, weakRule, strictRule).of(h, j+1))
		}
	}
	return faults
}

// isStricter reports whether a rule, for a method in common, refuses callers whom the
// other lets in.
func (c RuleConfig) isStricter(other RuleConfig, plainAdmin bool) bool {
	strict, err := c.Rule()
	weak, errWeak := other.Rule()
	return err == nil && errWeak == nil && meet(c.Methods, other.Methods) && weaker(weak, strict, plainAdmin)
}

// spelledIn reports whether a prefix of the other rule matches other spellings of one
// of this rule's paths.
func (c RuleConfig) spelledIn(other RuleConfig) bool {
	return slices.ContainsFunc(c.Paths, func(path string) bool {
		key, ok := authmin.PathKey(strings.TrimSuffix(path, "/*"))
		return ok && path != "/" && path != "/*" && slices.ContainsFunc(other.Paths, func(pattern string) bool {
			above, open := strings.CutSuffix(pattern, "/*")
			aboveKey, ok := authmin.PathKey(above)
			return open && ok && strings.HasPrefix(key+"/", aboveKey+"/")
		})
	})
}
