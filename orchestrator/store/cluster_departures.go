package store

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// leavingSubject is where a replica says that it is about to stop.
const leavingSubject = "llorch.leaving"

// departures remembers when a replica last said that it leaves. A watch is fed by
// one replica, chosen by the cluster: when that one goes, waiting for three
// beats that do not come would take longer than everything else.
type departures struct{ last atomic.Int64 } // UnixNano by this process's clock

func hearDepartures(conn *nats.Conn) (*departures, error) {
	d := new(departures)
	_, err := conn.Subscribe(leavingSubject, func(*nats.Msg) { d.last.Store(time.Now().UnixNano()) })
	if err != nil {
		return nil, fmt.Errorf("listening for departures: %w", err)
	}
	return d, nil
}

// patience is after how much silence a watch begins again.
func (d *departures) patience() time.Duration {
	if since := time.Now().UnixNano() - d.last.Load(); since >= 0 && since < int64(watchLeaving) {
		return watchHurry
	}
	return watchSilence
}
