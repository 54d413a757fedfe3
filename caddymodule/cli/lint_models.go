package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// lintModels warns of lists of models that cannot do what they say: a guard that does not
// say where its routes name a model refuses every request of such a token, identities of
// trust_proxy without a list may use none, and an engine that ignores the name serves what
// it has.
func lintModels(s *settings) []finding {
	guards, err := guardsOf(s)
	if err != nil {
		return nil // lintGuards has reported it
	}
	listed := s.listed(time.Now())
	var findings []finding
	if p := s.App.TrustProxy; p != nil && p.Models == nil {
		findings = append(findings, finding{at: s.placeOfOption("trust_proxy"), warning: true,
			text: "identities of trust_proxy may use no model: its block names none; write `models PATTERN…` into it, or `models *` for every model"})
		if len(p.Scopes) > 0 {
			listed = append(listed, "the identities of trust_proxy")
		}
	}
	if len(listed) == 0 {
		return findings
	}
	for _, g := range guards {
		switch {
		case g.ModelsAt == caddymodule.ModelsAtUpstream || g.TokenOnly && len(g.ModelIn) == 0 && len(g.ModelFree) > 0:
		case !slices.ContainsFunc(g.Rules, func(r caddymodule.RuleConfig) bool { return r.Action == "require" }):
		case len(g.ModelIn) == 0 && len(g.ModelFree) == 0:
			findings = append(findings, finding{at: g.at, warning: true,
				text: fmt.Sprintf("guard %s refuses every request of %s, which may use some models only: write model_in and model_free into it, or models_at upstream before the orchestrator", g.Name, strings.Join(listed, ", "))})
		case engineOf(g) != "":
			findings = append(findings, finding{at: g.at, warning: true,
				text: fmt.Sprintf("guard %s: %s answers with the model that it has, also to the name of another one: the list of %s is one of names only", g.Name, engineOf(g), strings.Join(listed, ", "))})
		}
	}
	return findings
}

// namesOnly are the engines that serve the model that they have, also where a request names
// another one: the guard of their preset, and routes that no other engine has.
var namesOnly = []struct {
	engine, guard string
	paths         []string
}{
	{"llama.cpp without its router's mode", "llamacpp", []string{"/infill", "/lora-adapters", "/slots"}},
	{"SGLang", "sglang", []string{"/flush_cache", "/get_model_info", "/get_server_info"}},
}

// engineOf is the engine behind a guard that serves the model that it has, by the guard's
// name or its rules; "" for another one.
func engineOf(g placedGuard) string {
	for _, e := range namesOnly {
		if g.Name == e.guard || slices.ContainsFunc(g.Rules, func(rule caddymodule.RuleConfig) bool {
			return slices.ContainsFunc(rule.Paths, func(path string) bool { return slices.Contains(e.paths, path) })
		}) {
			return e.engine
		}
	}
	return ""
}

// maxListed bounds the tokens that one finding names.
const maxListed = 4

// listed names the tokens with a list of models, as words of a finding.
func (s *settings) listed(now time.Time) (names []string) {
	add := func(name string, models *authmin.Models) {
		name = "token " + name
		switch {
		case models == nil || slices.Contains(names, name):
		case len(names) == maxListed:
			names = append(names, "others")
		case len(names) < maxListed:
			names = append(names, name)
		}
	}
	s.eachModelList(now, add)
	return names
}

// eachModelList gives each token that is valid, or will be, with its list of models.
func (s *settings) eachModelList(now time.Time, f func(name string, models *authmin.Models)) {
	for _, source := range s.App.Tokens {
		if models, err := source.ModelList(); err == nil {
			f(source.Name, models)
		}
	}
	s.eachKeyringToken(now, func(t *authmin.Token) { f(t.Name, t.Models) })
}

// eachKeyringToken gives each token of the keyring files that is valid, or will be.
func (s *settings) eachKeyringToken(now time.Time, f func(*authmin.Token)) {
	for _, path := range s.App.TokenFiles {
		tokens, err := authmin.ReadKeyringFile(path)
		if err != nil {
			continue // lintScopes has reported it
		}
		for i := range tokens {
			switch tokens[i].VerdictAt(now) {
			case authmin.VerdictValid, authmin.VerdictNotYet:
				f(&tokens[i])
			}
		}
	}
}

// placeOfOption is the first line of an option, or the configuration without a line.
func (s *settings) placeOfOption(option string) position {
	found := position{file: s.file}
	s.eachStatement(func(st *statement, words []string) {
		if found.line == 0 && len(words) > 0 && words[0] == option {
			found = st.at
		}
	})
	return found
}
