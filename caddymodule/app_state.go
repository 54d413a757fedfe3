package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
)

// processState outlives a reload: the lockouts, the use of limits, the requests in
// progress, the memory of their bodies, and what the page shows. A new configuration
// starts before the old one stops, so both hold it for a moment.
type processState struct {
	lockouts *lockoutTable
	limits   *limitTable
	live     *liveSet
	public   publicLimiters
	bodies   bodyMemory
	watch    *Watch

	identities identityTables
}

// stateKey is the only key of the pool: there is one state per process.
const stateKey = "state"

var states = caddy.NewUsagePool()

// acquireState returns the state of the process. Each call needs one of releaseState.
func acquireState(m *metrics) (*processState, error) {
	value, _, err := states.LoadOrNew(stateKey, func() (caddy.Destructor, error) {
		lockouts, err := newLockoutTable(maxClients, m)
		if err != nil {
			return nil, err
		}
		limits, err := newLimitTable(maxIdentities)
		if err != nil {
			return nil, err
		}
		watch, err := newWatch()
		if err != nil {
			return nil, err
		}
		return &processState{lockouts: lockouts, limits: limits, live: new(liveSet), watch: watch}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*processState), nil
}

func releaseState() error {
	_, err := states.Delete(stateKey)
	return err
}

// Destruct implements [caddy.Destructor]. Requests in progress keep their entries.
func (*processState) Destruct() error { return nil }
