//go:build !race

package orchestrator

import "sync"

// mutex is a lock of lockOrder. With the race detector it checks the order.
type mutex[L any] struct{ sync.Mutex }
