package authmin

import "time"

// Identify decides a request about the caller itself, which every valid token may make. The
// rules of the policy do not apply to it. The loopback bypass counts as a token; an identity that a proxy
// names does not, since another program stands between.
func (g *Decider) Identify(r *Request, now time.Time) Decision {
	d := Decision{Rule: NoRule, Identity: NameAnonymous}
	if reason := unacceptable(r); reason != ReasonNone {
		d.refuse(reason, &ProblemBadRequest)
		return d
	}
	var err error
	if d.Path, err = CheckTarget(r.Target); err != nil {
		d.refuse(ReasonPath, &ProblemBadRequest)
		return d
	}
	own := *g
	own.TrustProxies = nil
	own.Optional = g.Optional && !g.isProxy(r.Peer) // a trusted proxy forwards for others
	if reason := own.identify(&d, r, now); reason != ReasonNone {
		d.refuse(reason, g.problemFor(reason))
		return d
	}
	d.Allow = true
	return d
}
