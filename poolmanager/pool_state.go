package poolmanager

import "slices"

// State is the state of a pool's life cycle.
type State string

// The states of a pool.
const (
	StateStopped  State = "stopped"
	StateStarting State = "starting"
	StateReady    State = "ready"
	StateDraining State = "draining"
	StateStopping State = "stopping"
	StateFailed   State = "failed"
)

// moves is every legal transition. A failed pool either waits to start again or is
// stopped; a reload passes through all of them.
var moves = map[State][]State{
	StateStopped:  {StateStarting},
	StateStarting: {StateReady, StateFailed, StateStopping},
	StateReady:    {StateDraining, StateStopping, StateFailed},
	StateDraining: {StateStopping, StateFailed},
	StateStopping: {StateStopped},
	StateFailed:   {StateStarting, StateStopped},
}

func (s State) mayBecome(next State) bool { return slices.Contains(moves[s], next) }
