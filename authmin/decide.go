package authmin

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Request holds the facts of one request that a decision is made on. Header is
// the client's, before [SanitizeHeader].
type Request struct {
	Method string
	Target string // as sent: path and query, not decoded
	Host   string
	Header http.Header
	Peer   netip.Addr // the socket's, never a header's

	Listener Listener // by which it came in
}

// Decision is the outcome for one request.
type Decision struct {
	Allow  bool
	Public bool   // allowed by a public rule, without an identity
	Reason Reason // why not; [ReasonNone] when allowed
	Rule   int    // index of the rule in the policy, or [NoRule]
	Path   string // decoded once; "" when it could not be

	Problem *Problem // the answer to a refusal; nil when allowed

	Name        string   // identity for the upstream; "" when anonymous
	Identity    string   // identity for the audit trail; for a token, valid or not, `token:` and its fp6
	Scopes      []Scope  // scopes of the identity
	Models      *Models  // that the identity may use; nil: every model
	Budgets     []Budget // of the token; nil: none
	Fingerprint string   // fp6 of the presented token, "" without one
	Token       *Token   // the keyring's token, nil for other identities
	Presented   Presented
}

// Decider decides requests. Its fields are read only once it serves.
type Decider struct {
	Policy       *Policy
	Keyring      func() *Keyring // the current one, never nil
	Optional     bool            // the loopback bypass
	APIKey       bool            // read X-Api-Key as well as Authorization
	TrustProxies []netip.Prefix
	ProxyScopes  []Scope
	ProxyModels  *Models // nil: every model
}

// Decide decides one request: it refuses ambiguous requests, matches the rule,
// identifies the caller, and checks the caller's scopes. A credential that is not
// valid is refused; it is never treated as if none had been sent.
func (g *Decider) Decide(r *Request, now time.Time) Decision {
	d := Decision{Rule: NoRule, Identity: NameAnonymous}
	if reason := unacceptable(r); reason != ReasonNone {
		d.refuse(reason, &ProblemBadRequest)
		return d
	}
	var err error
	if d.Path, err = CheckTarget(r.Target); err == nil {
		d.Rule, err = g.Policy.Match(r.Method, d.Path)
	}
	if err != nil {
		d.refuse(ReasonPath, &ProblemBadRequest)
		return d
	}
	rule := g.Policy.Rule(d.Rule)
	variant := g.Policy.Stricter(r.Method, d.Path, d.Rule) != NoRule
	if rule.Action == ActionPublic {
		if variant {
			d.refuse(ReasonPath, &ProblemVariant)
			return d
		}
		d.Allow, d.Public = true, true
		return d
	}
	if reason := g.identify(&d, r, now); reason != ReasonNone {
		d.refuse(reason, g.problemFor(reason))
		return d
	}
	switch {
	case rule.Action != ActionRequire:
		d.refuse(ReasonPolicy, &ProblemDenied)
	case variant:
		d.refuse(ReasonPath, &ProblemVariant)
	case !allows(d.Scopes, rule.Scopes, g.Policy.plainAdmin):
		d.refuse(ReasonScope, &ProblemScope)
	default:
		d.Allow = true
	}
	return d
}

// BadToken reports whether a credential was sent and is not valid. A lockout counts
// these; a request without a credential is no failure.
func (d *Decision) BadToken() bool {
	switch d.Reason {
	case ReasonMalformed, ReasonUnknown, ReasonExpired, ReasonRevoked, ReasonNotYet:
		return true
	}
	return false
}

func (d *Decision) refuse(reason Reason, p *Problem) {
	d.Allow, d.Reason, d.Problem = false, reason, p
}

// unacceptable returns why a request is refused with any policy and credential.
func unacceptable(r *Request) Reason {
	switch {
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return ReasonPath
	case strings.ContainsFunc(r.Method, isLower): // a rule for DELETE does not match "delete", and some upstreams ignore case
		return ReasonPath
	case wantsH2C(r.Header):
		return ReasonPath
	case !isLength(r.Header["Content-Length"]):
		return ReasonPath
	case !IsHost(r.Host):
		return ReasonHost
	}
	return ReasonNone
}

func isLower(c rune) bool { return c >= 'a' && c <= 'z' }

// isLength reports whether Content-Length is absent or one number. On HTTP/2 Go's
// server reads an invalid one as 0, where RFC 9113 §8.1.1 calls the request
// malformed.
func isLength(lines []string) bool {
	for _, line := range lines {
		if _, err := strconv.ParseUint(line, 10, 63); err != nil || line != lines[0] {
			return false
		}
	}
	return true
}

// tokenIdentity stands before the fingerprint in the identity of a token.
const tokenIdentity = "token:"

// TokenIdentity is the identity of a token without a name.
func TokenIdentity(fingerprint string) string { return tokenIdentity + fingerprint }

// identify fills in the caller's identity, or returns why there is none.
func (g *Decider) identify(d *Decision, r *Request, now time.Time) Reason {
	var digest Digest
	digest, d.Presented = ParseCredential(r.Header, g.APIKey)
	switch d.Presented {
	case PresentedMalformed:
		return ReasonMalformed
	case PresentedToken:
		d.Identity = tokenIdentity + digest.Fingerprint() // of an unknown one, too
		d.Fingerprint = d.Identity[len(tokenIdentity):]
		token, verdict := g.Keyring().Lookup(digest, now)
		if verdict == VerdictValid {
			d.Token, d.Name, d.Scopes, d.Models, d.Budgets = token, token.Name, token.Scopes, token.Models, token.Budgets
		}
		return verdict.Reason()
	}
	if name, ok := proxyIdentity(r); ok && g.isProxy(r.Peer) {
		d.Name, d.Identity, d.Scopes, d.Models = "proxy:"+name, "proxy:"+name, g.ProxyScopes, g.ProxyModels
		return ReasonNone
	}
	reason := ReasonMissing
	if g.Optional && !g.isProxy(r.Peer) { // a trusted proxy forwards for others, even when it names no identity
		reason = bypass(r)
	}
	if reason == ReasonNone {
		d.Name, d.Identity, d.Scopes = NameLocalhost, NameLocalhost, allScopes
	}
	return reason
}

// proxyIdentity returns the name that a trusted proxy sends, if it is a valid token
// name.
func proxyIdentity(r *Request) (string, bool) {
	names := r.Header[HeaderIdentity]
	if len(names) != 1 || !isName(names[0]) {
		return "", false
	}
	return names[0], true
}

// isProxy reports whether a socket peer is a trusted proxy.
func (g *Decider) isProxy(peer netip.Addr) bool {
	return slices.ContainsFunc(g.TrustProxies, func(p netip.Prefix) bool { return p.Contains(peer) })
}

var allScopes = slices.Clip(AllScopes())

// Allows reports whether a holder of scopes may do what needs any of these. Scope
// admin may do everything; asking for none is refused.
func Allows(held []Scope, anyOf ...Scope) bool { return allows(held, anyOf, false) }

// allows reports whether the held scopes include one of the wanted scopes. Scope
// admin includes every scope unless plainAdmin; an empty list of wanted scopes is a
// mistake and is refused.
func allows(held, wanted []Scope, plainAdmin bool) bool {
	if len(wanted) == 0 {
		return false
	}
	for _, scope := range held {
		if scope == ScopeAdmin && !plainAdmin || slices.Contains(wanted, scope) {
			return true
		}
	}
	return false
}
