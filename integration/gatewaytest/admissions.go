package gatewaytest

import (
	"sync"
	"time"
)

// admitPause is between two submissions: some a second.
const admitPause = 100 * time.Millisecond

// Admissions is a client that submits one task after the other, see [Admit].
type Admissions struct {
	stop chan struct{}
	all  sync.WaitGroup
	ids  []string
	gap  time.Duration
}

// Admit calls submit, which gives the id of a task that was admitted, until End: ten times
// a second at most, each time with the next turn. A submission that fails is left out.
func Admit(submit func(turn int) (id string, err error)) *Admissions {
	a := &Admissions{stop: make(chan struct{})}
	a.all.Go(func() {
		last := time.Now()
		for turn := 0; ; turn++ {
			if id, err := submit(turn); err == nil {
				now := time.Now()
				a.ids, a.gap, last = append(a.ids, id), max(a.gap, now.Sub(last)), now
			}
			select {
			case <-a.stop:
				a.gap = max(a.gap, time.Since(last))
				return
			case <-time.After(admitPause):
			}
		}
	})
	return a
}

// End stops the client. It gives the tasks that were admitted, and the longest time
// without an admission.
func (a *Admissions) End() (ids []string, gap time.Duration) {
	close(a.stop)
	a.all.Wait()
	return a.ids, a.gap
}
