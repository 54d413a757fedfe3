package store

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// leavingSubject is where a replica announces its shutdown.
const leavingSubject = "llorch.leaving"

// shutdownNotices remembers when a replica last announced its shutdown. A watch is fed
// by one replica, chosen by the cluster: when that one stops, three missed heartbeats
// would take longer than the rest of the hand-over.
type shutdownNotices struct{ last atomic.Int64 } // UnixNano by this process's clock

func watchShutdownNotices(conn *nats.Conn) (*shutdownNotices, error) {
	d := new(shutdownNotices)
	_, err := conn.Subscribe(leavingSubject, func(*nats.Msg) { d.last.Store(time.Now().UnixNano()) })
	if err != nil {
		return nil, fmt.Errorf("subscribing to shutdown notices: %w", err)
	}
	return d, nil
}

// patience is how long a watch waits for a heartbeat before it is restarted.
func (d *shutdownNotices) patience() time.Duration {
	if since := time.Now().UnixNano() - d.last.Load(); since >= 0 && since < int64(watchLeaving) {
		return watchHurry
	}
	return watchSilence
}
