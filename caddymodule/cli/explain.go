package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/spf13/cobra"
)

func init() {
	subcommands = append(subcommands, explainCommand)
}

func explainCommand() *cobra.Command {
	var config, guard, tokenName, scopes, origin, model string
	cmd := &cobra.Command{
		Use:   "explain --config CADDYFILE [--guard NAME] [--token-name N | --scopes S] [--origin ORIGIN] [--model MODEL] METHOD URL",
		Short: "Shows which rule decides a request, and why",
		Long: `
Decides a request by the guards of a configuration, without sending it and without a
token: --scopes gives the caller's scopes, --token-name the token that it sends;
without either it sends none. --origin names the origin of the web page that sends it, for
OPTIONS a browser's preflight. --model names the model that it asks for. The client's address is not considered, so the loopback
bypass, trusted proxies, limits and lockouts are left out.`,
		Example: `  llorch authmin explain --config Caddyfile --scopes infer POST /v1/chat/completions
  llorch authmin explain --config Caddyfile --token-name ci GET https://gateway.example.com/metrics`,
		Args: arguments(2, 2, "METHOD and URL, such as `GET /v1/models`"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := readSettings(config)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("scopes") && tokenName != "" {
				return errors.New("explain: say --token-name or --scopes, not both")
			}
			q := question{guard: guard, method: args[0], url: args[1], token: tokenName, origin: origin, model: model}
			if cmd.Flags().Changed("scopes") {
				if q.scopes, err = authmin.ParseScopes(scopes); err != nil {
					return err
				}
			}
			a, err := s.ask(&q, time.Now())
			if err != nil {
				return err
			}
			return a.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "The Caddyfile, or a JSON configuration")
	cmd.Flags().StringVar(&guard, "guard", "", "The guard's name, where there are several")
	cmd.Flags().StringVar(&tokenName, "token-name", "", "The name of a configured token")
	cmd.Flags().StringVar(&scopes, "scopes", "", "Scopes of the caller: SCOPE[,SCOPE...]")
	cmd.Flags().StringVar(&origin, "origin", "", "The origin of the web page that sends it, such as https://chat.example.com")
	cmd.Flags().StringVar(&model, "model", "", "The model that it asks for")
	return cmd
}

// question is a request for explain and test. It names tokens and holds none.
type question struct {
	guard, method, url string
	token              string          // the name of the caller's token
	scopes             []authmin.Scope // or its scopes
	origin             string          // of the page that sends it; "" for none
	model              string          // that it asks for; "" for none
}

// explanation is the decision on a question.
type explanation struct {
	guard    placedGuard
	question *question
	decision authmin.Decision
	rule     string
	at       position
	stricter string // the earlier rule for another spelling of the path, "" without one
	me       bool   // the guard answers it itself, before its rules
	caller   string // who asks, in words
	budgets  string // that the request is counted in, "" for none
	models   string // what the models of the token mean here, "" without a list
}

// status is what the client sees; 200 stands for the answer of the upstream.
func (a *explanation) status() int {
	if a.decision.Allow {
		return 200
	}
	return a.decision.Problem.Status
}

// ask decides a question with the gateway's own code.
func (s *settings) ask(q *question, now time.Time) (*explanation, error) {
	authority, target := splitURL(q.url)
	guards, err := guardsOf(s)
	if err != nil {
		return nil, err
	}
	g, err := s.choose(guards, q.guard, authority)
	if err != nil {
		return nil, err
	}
	policy, err := g.Policy(s.App.PlainAdmin())
	if err != nil {
		return nil, fmt.Errorf("%s: guard %s: %w", g.at, g.Name, err)
	}
	token, caller, err := s.callerOf(q, now)
	if err != nil {
		return nil, err
	}
	if authority == "" {
		authority = "localhost"
	}
	request := authmin.Request{Method: q.method, Target: target, Host: authority, Header: token.header()}
	decider := authmin.Decider{Policy: policy, Keyring: token.keyring}
	a := &explanation{guard: g, question: q, caller: caller}
	if g.IsMe(q.method, target) {
		a.decision, a.rule, a.at, a.me = decider.Identify(&request, now), meRule, g.at, true
		return a, nil
	}
	if a.decision = decider.Decide(&request, now); a.isPreflight() {
		a.decision = decider.DecidePreflight(&request)
	}
	a.rule, a.at = policy.RuleText(a.decision.Rule), g.at
	if err := a.applyModels(); err != nil {
		return nil, err
	}
	a.budgets = s.budgetsOf(&a.decision, g)
	if a.isPreflight() && a.decision.Allow {
		a.rule = "cors"
	}
	if a.decision.Rule != authmin.NoRule {
		a.at = g.rules[a.decision.Rule]
	}
	if rule := policy.Stricter(q.method, a.decision.Path, a.decision.Rule); rule != authmin.NoRule {
		a.stricter = fmt.Sprintf("%s (%s)", policy.RuleText(rule), g.rules[rule])
	}
	return a, nil
}

// splitURL cuts a URL into authority and request target, byte for byte: an unusual path
// has to reach the guard unchanged.
func splitURL(url string) (authority, target string) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok || strings.ContainsAny(scheme, "/?") {
		return "", url
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		return rest, "/"
	}
	if rest[end] != '/' {
		return rest[:end], "/" + rest[end:]
	}
	return rest[:end], rest[end:]
}

// reasonWords explain a refusal.
var reasonWords = map[authmin.Reason]string{
	authmin.ReasonMissing: "a token is required, and none was sent",
	authmin.ReasonExpired: "the token has expired",
	authmin.ReasonRevoked: "the token is revoked",
	authmin.ReasonNotYet:  "the token is not valid yet",
	authmin.ReasonPath:    "the method or path is ambiguous",
	authmin.ReasonHost:    "the Host header is not a valid host",
	authmin.ReasonPolicy:  "the rule denies every request",
	authmin.ReasonBody:    "on a public route a GET or HEAD has no body, and other bodies arrive in time",
}

func (a *explanation) why() string {
	d := &a.decision
	if a.me {
		return a.whyMe()
	}
	rule := authmin.Rule{}
	if d.Rule != authmin.NoRule {
		rule, _ = a.guard.Rules[d.Rule].Rule()
	}
	switch {
	case d.Allow && a.isPreflight():
		return "a browser's preflight: the guard answers it itself, without a token and the same for every path"
	case d.Public:
		return "the rule is public: tokens are ignored"
	case d.Allow:
		for _, scope := range d.Scopes {
			if slices.Contains(rule.Scopes, scope) {
				return fmt.Sprintf("%s has scope %s", a.caller, scope)
			}
		}
		return a.caller + " has scope admin, which passes every rule"
	case d.Reason == authmin.ReasonPath && a.stricter != "":
		return "an upstream may read the path as another spelling of one that a stricter rule covers: " + a.stricter
	case d.Reason == authmin.ReasonModel:
		return a.models
	case d.Reason == authmin.ReasonScope:
		return fmt.Sprintf("%s has %s, the rule wants %s", a.caller, orNone(d.Scopes), authmin.JoinScopes(rule.Scopes, " or "))
	case d.Reason == authmin.ReasonPolicy && d.Rule == authmin.NoRule:
		return "no rule matches, and a request without a rule is refused"
	}
	if words, ok := reasonWords[d.Reason]; ok {
		return words
	}
	return string(d.Reason)
}

// meRule stands for the rule of a path that the guard answers before its rules.
const meRule = "none: the guard answers this path itself"

// whyMe explains the decision on a request about the caller itself.
func (a *explanation) whyMe() string {
	if a.decision.Allow {
		return a.caller + " is valid: its scopes do not matter. The answer tells what it may do, and what is left of its budgets"
	}
	words, ok := reasonWords[a.decision.Reason]
	if !ok {
		words = string(a.decision.Reason)
	}
	return words + "; any valid token is answered"
}

func orNone(scopes []authmin.Scope) string {
	if len(scopes) == 0 {
		return "no scope"
	}
	return "scope " + authmin.JoinScopes(scopes, ",")
}

func (a *explanation) print(out io.Writer) error {
	answer := "allowed"
	if !a.decision.Allow {
		answer = fmt.Sprintf("refused: %d %s", a.status(), a.decision.Problem.Code)
	}
	_, err := fmt.Fprintf(out, "%s %s\n  guard   %s\n  rule    %s\n  at      %s\n  answer  %s\n  why     %s\n",
		a.question.method, a.question.url, a.guard.Name, a.rule, a.at, answer, a.why())
	if page := a.page(); err == nil && page != "" {
		_, err = fmt.Fprintf(out, "  page    %s\n", page)
	}
	if err == nil && a.decision.Allow && a.models != "" {
		_, err = fmt.Fprintf(out, "  models  %s\n", a.models)
	}
	if err == nil && a.budgets != "" {
		_, err = fmt.Fprintf(out, "  budgets %s\n", a.budgets)
	}
	if err == nil && a.guard.Shadow {
		_, err = fmt.Fprintf(out, "  shadow  the guard lets the request pass, and counts this decision\n")
	}
	return err
}
