package caddymodule

import (
	"errors"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are package-level, so that counters survive a reload: every configuration has
// its own registry, in which they are registered again. All labels have a closed set of
// values.
type metrics struct {
	decisions    *prometheus.CounterVec
	failures     *prometheus.CounterVec
	tokens       *prometheus.GaugeVec
	sourceErrors *prometheus.CounterVec
	nextExpiry   prometheus.Gauge
	duration     prometheus.Histogram

	lockouts         prometheus.Counter
	lockedClients    prometheus.Gauge
	limiterEvictions prometheus.Counter
	limited          *prometheus.CounterVec
	terminated       *prometheus.CounterVec
	shadowGuards     prometheus.Gauge

	auditEvents *prometheus.CounterVec

	usageTokens    *prometheus.CounterVec
	identityTokens *prometheus.CounterVec
	firstToken     *prometheus.HistogramVec

	budgetSpent       *prometheus.CounterVec
	budgetRefused     *prometheus.CounterVec
	budgetUnavailable *prometheus.CounterVec
	budgetState       *budgetState

	sourcesUnusable    prometheus.Gauge
	unguardedListeners *prometheus.GaugeVec
}

// decisionLabel is the label of decisions_total.
type decisionLabel string

const (
	labelledAllowed decisionLabel = "allowed"
	labelledPublic  decisionLabel = "public"
	labelledRefused decisionLabel = "refused"
	labelledShadow  decisionLabel = "would_deny" // forwarded by a shadow guard or a shadow_budget
)

// labelOf is the label of a decision. would is why a budget that only counts would have
// refused the request.
func labelOf(d *authmin.Decision, shadow bool, would authmin.Reason) decisionLabel {
	switch {
	case d.Public:
		return labelledPublic
	case d.Allow && would == authmin.ReasonNone:
		return labelledAllowed
	case d.Allow, shadow:
		return labelledShadow
	}
	return labelledRefused
}

var shared = &metrics{
	decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_decisions_total",
		Help: "Decisions, by guard and outcome.",
	}, []string{"guard", "decision"}),
	failures: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_failures_total",
		Help: "Refused requests, by guard and reason.",
	}, []string{"guard", "reason"}),
	tokens: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "caddy_authmin_tokens",
		Help: "Tokens of the current keyring, by state.",
	}, []string{"state"}),
	sourceErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_token_source_errors_total",
		Help: "Files of tokens that could not be read while serving, so that the last good content stays in use, and files whose replacement is not seen because they are mounted by themselves.",
	}, []string{"source"}),
	nextExpiry: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "caddy_authmin_next_token_expiry_timestamp_seconds",
		Help: "When the next token expires, as Unix time; 0 when none does.",
	}),
	duration: prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "caddy_authmin_decision_duration_seconds",
		Help: "Time to decide one request, without the upstream.",
		// From below the target of 1 µs to one second, about two steps per decade.
		Buckets: []float64{5e-7, 1e-6, 5e-6, 1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 1e-2, 1e-1, 1},
	}),
	lockouts: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "caddy_authmin_lockouts_total",
		Help: "Clients that were locked out for too many invalid tokens.",
	}),
	lockedClients: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "caddy_authmin_locked_clients",
		Help: "Clients that are locked out now.",
	}),
	limiterEvictions: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "caddy_authmin_limiter_evictions_total",
		Help: "Watched clients that were forgotten, after their window, because the table was full.",
	}),
	limited: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_limited_total",
		Help: "Requests refused by a limit of their identity or, on public routes, of clients without a token, by guard and limit.",
	}, []string{"guard", "limit"}),
	terminated: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_streams_terminated_total",
		Help: "Requests under way that were ended because their token was not valid any more.",
	}, []string{"reason"}),
	shadowGuards: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "caddy_authmin_shadow_guards",
		Help: "Guards that let everything through and only report what they would refuse.",
	}),
	auditEvents: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_audit_events_total",
		Help: "Records of the audit trail, by kind of sink and by what became of them: written, dropped before a full queue or a hanging sink, failed.",
	}, []string{"sink", "outcome"}),
	usageTokens: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_tokens_total",
		Help: "Tokens of calls, as the upstreams report them or as estimated, by guard and direction: in or out.",
	}, []string{"guard", "direction"}),
	identityTokens: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_identity_tokens_total",
		Help: "Tokens of calls, by guard, identity and direction. Identities after the first ones, 100 unless the guard says otherwise, are counted as other.",
	}, []string{"guard", "identity", "direction"}),
	firstToken: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "caddy_authmin_first_token_seconds",
		Help:    "Time from the request to the first token of a streamed answer, by guard.",
		Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120},
	}, []string{"guard"}),
	budgetSpent: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_budget_spent_total",
		Help: "What was charged to budgets, by guard, identity and unit: tokens or requests. Identities after the first ones are counted as other.",
	}, []string{"guard", "identity", "unit"}),
	budgetRefused: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_budget_refused_total",
		Help: "Requests refused because a budget was spent, and streams that a hard one ended, by guard, identity and unit of the budget. enforced is false where the budget only counts, and the request went on.",
	}, []string{"guard", "identity", "unit", "enforced"}),
	budgetUnavailable: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_authmin_budget_unavailable_total",
		Help: "Requests with a budget that could not be counted, by guard: the file of counts cannot be written, or has too many.",
	}, []string{"guard"}),
	budgetState: newBudgetState(),
	sourcesUnusable: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "llorch_token_sources_unusable",
		Help: "Files of tokens that are not in use as they are now: they cannot be read, their content is refused, or their replacement is not seen.",
	}),
	unguardedListeners: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "llorch_unguarded_listeners",
		Help: "Listeners that serve something which no guard covers, by reach: exposed to other machines, or loopback.",
	}, []string{"reach"}),
}

// provisionMetrics registers the collectors with a configuration's registry.
func provisionMetrics(registry *prometheus.Registry) (*metrics, error) {
	for _, c := range []prometheus.Collector{
		shared.decisions, shared.failures, shared.tokens, shared.sourceErrors, shared.nextExpiry, shared.duration,
		shared.lockouts, shared.lockedClients, shared.limiterEvictions, shared.limited, shared.terminated, shared.shadowGuards,
		shared.auditEvents, shared.usageTokens, shared.identityTokens, shared.firstToken, shared.budgetSpent, shared.budgetRefused, shared.budgetUnavailable, shared.budgetState, shared.sourcesUnusable, shared.unguardedListeners,
	} {
		if err := registry.Register(c); err != nil {
			if _, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); !ok {
				return nil, err
			}
		}
	}
	for _, kind := range sourceKinds {
		shared.sourceErrors.WithLabelValues(kind)
	}
	for _, reason := range []authmin.Reason{authmin.ReasonUnknown, authmin.ReasonExpired, authmin.ReasonRevoked, authmin.ReasonNotYet, authmin.ReasonScope, authmin.ReasonModel} {
		shared.terminated.WithLabelValues(string(reason))
	}
	return shared, nil
}

// sink returns the counters of one kind of sink.
func (m *metrics) sink(kind string) trail.Counters {
	return trail.Counters{
		Written: m.auditEvents.WithLabelValues(kind, "written"),
		Dropped: m.auditEvents.WithLabelValues(kind, "dropped"),
		Failed:  m.auditEvents.WithLabelValues(kind, "failed"),
	}
}

// guardMetrics are the counters of one guard, looked up once and not for each decision.
type guardMetrics struct {
	allowed, public, refused, wouldDeny prometheus.Counter

	failures map[authmin.Reason]prometheus.Counter
	limited  map[string]prometheus.Counter
	duration prometheus.Histogram
}

func (m *metrics) guard(name string) guardMetrics {
	decisions := func(l decisionLabel) prometheus.Counter { return m.decisions.WithLabelValues(name, string(l)) }
	g := guardMetrics{
		allowed: decisions(labelledAllowed), public: decisions(labelledPublic),
		refused: decisions(labelledRefused), wouldDeny: decisions(labelledShadow),
		failures: map[authmin.Reason]prometheus.Counter{},
		limited:  map[string]prometheus.Counter{},
		duration: m.duration,
	}
	for _, limit := range []string{limitRate, limitInflight, limitPublicInflight, limitPublicTotal} {
		g.limited[limit] = m.limited.WithLabelValues(name, limit)
	}
	for _, reason := range append(authmin.Reasons(), reasonAudit) {
		g.failures[reason] = m.failures.WithLabelValues(name, string(reason))
	}
	return g
}

// count records one decision.
func (g guardMetrics) count(d *authmin.Decision, label decisionLabel, took time.Duration) {
	switch label {
	case labelledPublic:
		g.public.Inc()
	case labelledAllowed:
		g.allowed.Inc()
	case labelledShadow:
		g.wouldDeny.Inc()
	default:
		g.refused.Inc()
		g.failures[d.Reason].Inc()
	}
	g.duration.Observe(took.Seconds())
}

// setTokens sets the metrics of token states, and returns when the next token becomes
// valid or expires; the zero time if none does.
func (m *metrics) setTokens(ring *authmin.Keyring, now time.Time) time.Time {
	states := map[authmin.Verdict]int{}
	var expiry, change int64
	for token := range ring.Tokens {
		states[token.VerdictAt(now)]++
		if token.Revoked {
			continue
		}
		expiry = sooner(expiry, token.Expires, now)
		change = sooner(change, token.NotBefore, now)
	}
	change = sooner(change, expiry, now)
	for verdict, state := range stateNames {
		m.tokens.WithLabelValues(state).Set(float64(states[verdict]))
	}
	m.nextExpiry.Set(float64(expiry))
	if change == 0 {
		return time.Time{}
	}
	return time.Unix(change, 0)
}

// stateNames are the names of token states, for output and labels.
var stateNames = map[authmin.Verdict]string{
	authmin.VerdictValid: "active", authmin.VerdictExpired: "expired",
	authmin.VerdictRevoked: "revoked", authmin.VerdictNotYet: "not_yet",
}

// TokenState returns the name of a token's state, for output and labels: active, expired,
// revoked or not_yet; "" for an unknown token.
func TokenState(v authmin.Verdict) string { return stateNames[v] }

// sooner returns the earlier of two Unix times after now, 0 meaning never.
func sooner(a, b int64, now time.Time) int64 {
	if b <= now.Unix() || (a != 0 && a < b) {
		return a
	}
	return b
}
