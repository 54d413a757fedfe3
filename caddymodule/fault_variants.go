package caddymodule

import (
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

func init() {
	faultChecks = append(faultChecks, weakerSpellings)
}

// weakerSpellings finds a strict rule that is followed by a weaker rule for other
// spellings of its paths. The guard refuses those spellings with 400. It is a warning,
// since clients may use such a spelling, and since rules that do not overlap are safer
// for an upstream that ignores case or a trailing slash.
func weakerSpellings(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		if h.name != AppName {
			continue
		}
		g, err := ReadGuard(canonical(h.raw))
		if err != nil {
			continue // the start refuses it
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
			faults = append(faults, faultf(warning, h.server,
				"guard %s: `%s` also covers other spellings of the paths of `%s`, in another case or with a slash at the end: requests with those are refused with 400; list the paths of the weaker rule so that the two do not overlap",
				g.Name, weakRule, strictRule).inGuard(h, j+1))
		}
	}
	return faults
}

// isStricter reports whether a rule refuses callers that the other rule allows, for a
// method in common.
func (c RuleConfig) isStricter(other RuleConfig, plainAdmin bool) bool {
	strict, err := c.Rule()
	weak, errWeak := other.Rule()
	return err == nil && errWeak == nil && shareMethod(c.Methods, other.Methods) && weaker(weak, strict, plainAdmin)
}

// spelledIn reports whether a prefix of the other rule matches another spelling of one
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
