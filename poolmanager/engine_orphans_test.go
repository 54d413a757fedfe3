package poolmanager

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestEnginesThatEndTogetherShareAScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var looks [][]string
		s := newOrphanKiller()
		s.kill = func(markers ...string) int {
			mu.Lock()
			looks = append(looks, slices.Clone(markers))
			mu.Unlock()
			<-time.After(10 * time.Millisecond)
			return 0
		}
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() { s.end("m") })
		}
		group.Wait()
		total := 0
		for _, markers := range looks {
			total += len(markers)
		}
		if len(looks) > 2 || total != 100 {
			t.Errorf("%d looks for %d markers, want at most 2 for 100", len(looks), total)
		}
	})
}
