package authmin

// Reason says why a request was refused. The values are a closed set: they are
// labels of metrics and fields of the audit trail.
type Reason string

// The reasons. The zero Reason is no refusal.
const (
	ReasonNone      Reason = ""
	ReasonMissing   Reason = "missing"
	ReasonMalformed Reason = "malformed"
	ReasonUnknown   Reason = "unknown"
	ReasonExpired   Reason = "expired"
	ReasonRevoked   Reason = "revoked"
	ReasonNotYet    Reason = "not_yet"
	ReasonScope     Reason = "scope"
	ReasonLocked    Reason = "locked"
	ReasonLimited   Reason = "limited"
	ReasonPath      Reason = "path"
	ReasonHost      Reason = "host"
	ReasonOrigin    Reason = "origin"
	ReasonPolicy    Reason = "policy"
	ReasonBody      Reason = "body"
	ReasonModel     Reason = "model"
	ReasonBudget    Reason = "budget"
)

// Reasons returns every reason that a refusal can have.
func Reasons() []Reason {
	return []Reason{
		ReasonMissing, ReasonMalformed, ReasonUnknown, ReasonExpired, ReasonRevoked, ReasonNotYet,
		ReasonScope, ReasonLocked, ReasonLimited, ReasonPath, ReasonHost, ReasonOrigin, ReasonPolicy, ReasonBody, ReasonModel, ReasonBudget,
	}
}

// Reason returns why a token with this verdict is refused; ReasonNone for a valid one.
func (v Verdict) Reason() Reason {
	switch v {
	case VerdictValid:
		return ReasonNone
	case VerdictExpired:
		return ReasonExpired
	case VerdictRevoked:
		return ReasonRevoked
	case VerdictNotYet:
		return ReasonNotYet
	}
	return ReasonUnknown
}
