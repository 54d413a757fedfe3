package authmin

import (
	"slices"
	"strings"
)

// keyedPath is a rule's path as variants are compared with it.
type keyedPath struct {
	key    string // of the path, or of the prefix with its slash
	prefix bool
}

// keyPattern refuses a pattern that has no key: no path that it matches is accepted.
func keyPattern(pattern string) (keyedPath, error) {
	path, isPrefix := strings.CutSuffix(pattern, "/*")
	key, ok := PathKey(path)
	if !ok {
		return keyedPath{}, ambiguous("a character that normalisation turns into a delimiter")
	}
	if isPrefix {
		key += "/"
	}
	return keyedPath{key: key, prefix: isPrefix}, nil
}

// matches reports whether a path with this key is a variant of a path that the
// pattern matches. `/a` is a variant of `/a/`, which `/a/*` matches.
func (k keyedPath) matches(key string) bool {
	if !k.prefix {
		return key == k.key
	}
	return strings.HasPrefix(key, k.key) || key == k.key[:len(k.key)-1]
}

// stricterRules lists for each rule the earlier rules that are stricter.
func stricterRules(rules []Rule, plainAdmin bool) [][]int {
	stricter := make([][]int, len(rules))
	for i, rule := range rules {
		for j, earlier := range rules[:i] {
			if earlier.stricterThan(rule, plainAdmin) {
				stricter[i] = append(stricter[i], j)
			}
		}
	}
	return stricter
}

// stricterThan reports whether this rule refuses a caller that the other rule allows.
func (r Rule) stricterThan(other Rule, plainAdmin bool) bool {
	switch {
	case r.Action == ActionPublic || other.Action == ActionDeny:
		return false
	case r.Action == ActionDeny || other.Action == ActionPublic:
		return true
	}
	return slices.ContainsFunc(other.Scopes, func(s Scope) bool { return !allows([]Scope{s}, r.Scopes, plainAdmin) })
}

// Stricter returns the first rule before the deciding rule that applies to the
// method, is stricter, and matches a variant of the decoded path; or [NoRule]. An
// upstream that ignores case, or Caddy when it strips a prefix, would serve such a
// request under the stricter rule's path. A path that the deciding rule names byte
// for byte has no variants, nor has `/`.
func (p *Policy) Stricter(method, path string, rule int) int {
	if rule == NoRule || len(p.stricter[rule]) == 0 || path == "/" || slices.Contains(p.rules[rule].Paths, path) {
		return NoRule
	}
	readings := []string{path}
	if strings.Contains(path, encodedSlash) {
		readings = append(readings, strings.ReplaceAll(path, encodedSlash, "/"))
	}
	for _, reading := range readings {
		key, ok := PathKey(reading)
		for _, earlier := range p.stricter[rule] {
			if p.rules[earlier].hasMethod(method) && (!ok || p.matchesKey(earlier, key)) {
				return earlier
			}
		}
	}
	return NoRule
}

func (p *Policy) matchesKey(rule int, key string) bool {
	return slices.ContainsFunc(p.keyed[rule], func(k keyedPath) bool { return k.matches(key) })
}
