package poolmanager

import (
	"sync"

	"github.com/llorch/gateway/poolmanager/proc"
)

// orphanKiller kills processes that outlived their engine. Finding them reads all of
// /proc: a hundred engines that end together share two scans, not two hundred.
type orphanKiller struct {
	kill func(markers ...string) int
	turn chan struct{} // one scan at a time

	mu   sync.Mutex
	next *orphanScan // not begun yet
}

// orphanScan is one scan for the orphans of several engines.
type orphanScan struct {
	markers []string
	done    chan struct{}
}

func newOrphanKiller() *orphanKiller {
	return &orphanKiller{kill: proc.EndMarked, turn: make(chan struct{}, 1)}
}

// end returns when no process with the marker runs; the scan began after the call.
func (s *orphanKiller) end(marker string) {
	s.mu.Lock()
	scan, first := s.next, s.next == nil
	if first {
		scan = &orphanScan{done: make(chan struct{})}
		s.next = scan
	}
	scan.markers = append(scan.markers, marker)
	s.mu.Unlock()
	if !first {
		<-scan.done
		return
	}
	s.turn <- struct{}{}
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	s.kill(scan.markers...)
	<-s.turn
	close(scan.done)
}
