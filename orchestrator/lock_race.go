//go:build race

package orchestrator

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"sync"
)

// mutex is a lock of lockOrder that panics when it is taken out of the order.
type mutex[L any] struct{ sync.Mutex }

// Lock is for sync.Locker.
func (m *mutex[L]) Lock() {
	rank := rankOf[L]()
	if highest := locksHeld.enter(goroutineID(), rank); highest >= rank {
		panic(fmt.Sprintf("lock order: %s is taken while %s is held", lockOrder[rank].name, lockOrder[highest].name))
	}
	m.Mutex.Lock()
}

// Unlock is for sync.Locker.
func (m *mutex[L]) Unlock() {
	m.Mutex.Unlock()
	locksHeld.leave(goroutineID(), rankOf[L]())
}

func rankOf[L any]() int {
	for i := range lockOrder {
		if _, ok := lockOrder[i].id.(L); ok {
			return i
		}
	}
	panic(fmt.Sprintf("lock order: %T is not in it", *new(L)))
}

// heldLocks is which goroutine holds which locks. The race detector sees neither its
// lock nor its memory: they would order the goroutines that it has to compare.
type heldLocks struct {
	mu      sync.Mutex
	holders [1024]lockHolder // the first count; a goroutine that finds no place is not checked
	count   int
}

type lockHolder struct {
	goroutine uint64
	ranks     uint64 // a bit for each lock that it holds
}

var locksHeld heldLocks

// enter notes that the goroutine takes a lock, and gives the highest that it holds
// already; -1 for none.
//
//go:norace
func (h *heldLocks) enter(goroutine uint64, rank int) (highest int) {
	runtime.RaceDisable()
	defer runtime.RaceEnable()
	h.mu.Lock()
	defer h.mu.Unlock()
	highest = -1
	for i := range h.count {
		if h.holders[i].goroutine != goroutine {
			continue
		}
		for r := range lockOrder {
			if h.holders[i].ranks&(1<<r) != 0 {
				highest = r
			}
		}
		if highest < rank {
			h.holders[i].ranks |= 1 << rank
		}
		return highest
	}
	if h.count < len(h.holders) {
		h.holders[h.count] = lockHolder{goroutine, 1 << rank}
		h.count++
	}
	return highest
}

// leave notes that the goroutine has released a lock.
//
//go:norace
func (h *heldLocks) leave(goroutine uint64, rank int) {
	runtime.RaceDisable()
	defer runtime.RaceEnable()
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.count {
		if h.holders[i].goroutine != goroutine {
			continue
		}
		if h.holders[i].ranks &^= 1 << rank; h.holders[i].ranks == 0 {
			h.count--
			h.holders[i] = h.holders[h.count]
		}
		return
	}
}

// goroutineID reads the number from the first line of the stack, which the runtime
// gives in no other way.
func goroutineID() uint64 {
	var line [64]byte
	text := bytes.TrimPrefix(line[:runtime.Stack(line[:], false)], []byte("goroutine "))
	number, _, _ := bytes.Cut(text, []byte(" "))
	id, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil {
		panic("lock order: " + err.Error())
	}
	return id
}
