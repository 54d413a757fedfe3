package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
)

// processState is what outlives a reload: who is locked out, how much of a limit
// is used, and which requests are under way. A new configuration starts before
// the old one stops, so both hold it for a moment.
type processState struct {
	lockouts *lockoutTable
	limits   *limitTable
	live     *liveSet
	public   publicLimiters
}

// stateKey is the one key in the pool: there is one state a process.
const stateKey = "state"

var states = caddy.NewUsagePool()

// takeState returns the process's state. Each take is given back with
// giveBackState.
func takeState(m *metrics) (*processState, error) {
	value, _, err := states.LoadOrNew(stateKey, func() (caddy.Destructor, error) {
		lockouts, err := newLockoutTable(maxClients, m)
		if err != nil {
			return nil, err
		}
		limits, err := newLimitTable(maxIdentities)
		if err != nil {
			return nil, err
		}
		return &processState{lockouts: lockouts, limits: limits, live: new(liveSet)}, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*processState), nil
}

func giveBackState() error {
	_, err := states.Delete(stateKey)
	return err
}

// Destruct implements [caddy.Destructor]. Requests that are still under way keep
// what they hold.
func (*processState) Destruct() error { return nil }
