package caddymodule

import (
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/prometheus/client_golang/prometheus"
)

// The label `direction` of tokens.
const (
	directionIn  = "in"
	directionOut = "out"
)

// otherIdentities is the label of identities without metrics of their own.
const otherIdentities = "other"

// identityTables are the identities that have metrics, by guard. They outlive a reload as
// the metrics do.
type identityTables struct {
	mu     sync.Mutex
	tables map[string]*identityTable
}

// identityTable is the first identities of a guard.
type identityTable struct {
	mu    sync.Mutex
	most  int
	names map[string]struct{}
}

// of returns the table of a guard, with room for that many.
func (t *identityTables) of(guard string, most int) *identityTable {
	t.mu.Lock()
	defer t.mu.Unlock()
	table := t.tables[guard]
	if table == nil {
		table = &identityTable{names: map[string]struct{}{}}
		if t.tables == nil {
			t.tables = map[string]*identityTable{}
		}
		t.tables[guard] = table
	}
	table.mu.Lock()
	defer table.mu.Unlock()
	table.most = most
	return table
}

// label is the identity, or `other` when the table is full.
func (t *identityTable) label(identity string) string {
	identity = authmin.CleanText(identity, authmin.MaxLoggedHost)
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.names[identity]; ok {
		return identity
	}
	if len(t.names) >= t.most {
		return otherIdentities
	}
	t.names[identity] = struct{}{}
	return identity
}

// usageMetrics are those of one guard.
type usageMetrics struct {
	guard      string
	in, out    prometheus.Counter
	first      prometheus.Observer
	identity   *prometheus.CounterVec
	identities *identityTable
}

func (m *metrics) usage(guard string, identities *identityTable) *usageMetrics {
	return &usageMetrics{
		guard: guard, identities: identities, identity: m.identityTokens,
		in: m.usageTokens.WithLabelValues(guard, directionIn), out: m.usageTokens.WithLabelValues(guard, directionOut),
		first: m.firstToken.WithLabelValues(guard),
	}
}

// count adds the tokens of a call.
func (m *usageMetrics) count(identity string, in, out int64) {
	m.in.Add(float64(in))
	m.out.Add(float64(out))
	label := m.identities.label(identity)
	m.identity.WithLabelValues(m.guard, label, directionIn).Add(float64(in))
	m.identity.WithLabelValues(m.guard, label, directionOut).Add(float64(out))
}

// observeFirst adds the time to the first token of a stream.
func (m *usageMetrics) observeFirst(took time.Duration) { m.first.Observe(took.Seconds()) }
