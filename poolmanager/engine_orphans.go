package poolmanager

import (
	"sync"

	"github.com/llorch/gateway/poolmanager/proc"
)

// sweeper ends what engines left behind. Looking for it reads all of /proc: a
// hundred engines that end together share two looks, not two hundred.
type sweeper struct {
	look func(markers ...string) int
	turn chan struct{} // one look at a time

	mu   sync.Mutex
	next *sweep // not begun yet
}

// sweep is one look for the leftovers of several engines.
type sweep struct {
	markers []string
	done    chan struct{}
}

func newSweeper() *sweeper { return &sweeper{look: proc.EndMarked, turn: make(chan struct{}, 1)} }

// end returns when nothing with the marker runs; the look began after the call.
func (s *sweeper) end(marker string) {
	s.mu.Lock()
	look, first := s.next, s.next == nil
	if first {
		look = &sweep{done: make(chan struct{})}
		s.next = look
	}
	look.markers = append(look.markers, marker)
	s.mu.Unlock()
	if !first {
		<-look.done
		return
	}
	s.turn <- struct{}{}
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	s.look(look.markers...)
	<-s.turn
	close(look.done)
}
