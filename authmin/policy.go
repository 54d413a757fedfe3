package authmin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Action is what a rule does with requests that it matches.
type Action uint8

// The zero Action denies.
const (
	ActionDeny    Action = iota // refuse every request, with any token
	ActionPublic                // allow every request; tokens are ignored
	ActionRequire               // allow tokens with one of the scopes
)

// Bounds of a policy. Rules are tried in order, so the cost of the slowest decision
// grows with their number.
const (
	MaxRules = 256
	MaxPaths = 256 // in one rule
)

// Rule is one line of a policy.
type Rule struct {
	Action  Action
	Scopes  []Scope  // any of these, for ActionRequire
	Methods []string // upper case; none: every method
	Paths   []string // `/exact`, or `/prefix/*` for what lies below it
}

// String returns the rule as it is written in a Caddyfile.
func (r Rule) String() string {
	words := []string{"deny"}
	switch r.Action {
	case ActionPublic:
		words[0] = "public"
	case ActionRequire:
		words = []string{"require", JoinScopes(r.Scopes, ",")}
	}
	if len(r.Methods) > 0 {
		words = append(words, strings.Join(r.Methods, ","))
	}
	return strings.Join(append(words, r.Paths...), " ")
}

// Policy is an ordered list of rules. The first rule that matches decides; a request
// that no rule matches is refused. It is immutable; the zero value refuses every
// request.
type Policy struct {
	rules    []Rule
	texts    []string
	slashes  []string
	trailers []string

	keyed      [][]keyedPath // each rule's paths, for variants
	stricter   [][]int       // for each rule, the earlier and stricter ones
	plainAdmin bool
}

// PolicyOptions are what a policy is built from. The path lists take the same
// patterns as rules.
type PolicyOptions struct {
	Rules             []Rule
	AllowEncodedSlash []string // where a model id may hold %2F
	AllowTrailers     []string // where request trailers go to the upstream
	PlainAdmin        bool     // scope admin passes only rules that name it
}

// Allows reports whether these scopes pass the rule with this index, by the same
// check as [Decider.Decide]. It is for requests in progress whose token has changed.
func (p *Policy) Allows(scopes []Scope, rule int) bool {
	return allows(scopes, p.Rule(rule).Scopes, p.plainAdmin)
}

// NoRule is the index that [Policy.Match] returns when no rule matches.
const NoRule = -1

// NewPolicy checks and compiles a policy.
func NewPolicy(o PolicyOptions) (*Policy, error) {
	if len(o.Rules) > MaxRules {
		return nil, fmt.Errorf("building policy: %d rules are over the limit of %d", len(o.Rules), MaxRules)
	}
	p := &Policy{
		rules:    slices.Clone(o.Rules),
		slashes:  slices.Clone(o.AllowEncodedSlash),
		trailers: slices.Clone(o.AllowTrailers),

		stricter:   stricterRules(o.Rules, o.PlainAdmin),
		plainAdmin: o.PlainAdmin,
	}
	for _, rule := range o.Rules {
		if err := rule.check(); err != nil {
			return nil, fmt.Errorf("rule `%s`: %w", rule, err)
		}
		p.texts = append(p.texts, rule.String())
		keyed := make([]keyedPath, 0, len(rule.Paths))
		for _, pattern := range rule.Paths {
			key, err := keyPattern(pattern)
			if err != nil {
				return nil, fmt.Errorf("rule `%s`: path %q: %w", rule, clip(pattern), err)
			}
			keyed = append(keyed, key)
		}
		p.keyed = append(p.keyed, keyed)
	}
	for option, patterns := range map[string][]string{"allow_encoded_slash": p.slashes, "allow_trailers": p.trailers} {
		if len(patterns) > MaxPaths {
			return nil, fmt.Errorf("%s: %d paths are over the limit of %d", option, len(patterns), MaxPaths)
		}
		for _, pattern := range patterns {
			if err := checkPattern(pattern); err != nil {
				return nil, fmt.Errorf("%s: %w", option, err)
			}
		}
	}
	return p, nil
}

func (r Rule) check() error {
	switch {
	case len(r.Paths) == 0:
		return errors.New("no path")
	case len(r.Paths) > MaxPaths:
		return fmt.Errorf("%d paths are over the limit of %d", len(r.Paths), MaxPaths)
	case r.Action == ActionRequire && len(r.Scopes) == 0:
		return errors.New("no scope; name one, or write public")
	}
	for _, method := range r.Methods {
		if !isMethod(method) {
			return fmt.Errorf("%q is not a method; methods are upper case, separated by commas", clip(method))
		}
	}
	for _, pattern := range r.Paths {
		if err := checkPattern(pattern); err != nil {
			return err
		}
	}
	return nil
}

// checkPattern applies the checks of request paths to patterns: a pattern in another
// spelling would never match.
func checkPattern(pattern string) error {
	path, isPrefix := strings.CutSuffix(pattern, "/*")
	if pattern == "/*" {
		return nil
	}
	if isPrefix && strings.HasSuffix(path, "/") {
		return fmt.Errorf("path %q: %w", clip(pattern), ambiguous("an empty segment"))
	}
	if strings.Contains(path, "*") {
		return fmt.Errorf("path %q: * is allowed only at the end, after a slash", clip(pattern))
	}
	if !strings.HasPrefix(path, "/") {
		return fmt.Errorf("path %q does not begin with a slash", clip(pattern))
	}
	if strings.ContainsAny(path, "%?#{}\\; ") || strings.ContainsFunc(path, unicode.IsControl) || !utf8.ValidString(path) {
		return fmt.Errorf("path %q: write it decoded, without query or placeholder", clip(pattern))
	}
	if err := checkSegments(path); err != nil {
		return fmt.Errorf("path %q: %w", clip(pattern), err)
	}
	return nil
}

// isMethod accepts upper-case method tokens (RFC 9110 §9.1 names them so).
func isMethod(text string) bool {
	const longest = 32 // Caddy refuses longer ones too
	if text == "" || len(text) > longest {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return true
}
