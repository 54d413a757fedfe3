package trail

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
)

// Options connect a sink to the program around it.
type Options struct {
	Counters Counters

	// Log returns the log for the operator. It is asked for each message, because a
	// sink may outlive the configuration that it was made for. Default: no log.
	Log func() *slog.Logger
}

// Counters count records by outcome. A nil counter counts nothing.
type Counters struct {
	Written prometheus.Counter // the kernel has it
	Dropped prometheus.Counter // dropped: a full queue, a hanging sink, the disk reserve
	Failed  prometheus.Counter // the write failed
}

func (o Options) withDefaults() Options {
	for _, c := range []*prometheus.Counter{&o.Counters.Written, &o.Counters.Dropped, &o.Counters.Failed} {
		if *c == nil {
			*c = prometheus.NewCounter(prometheus.CounterOpts{Name: "unregistered"})
		}
	}
	if o.Log == nil {
		discard := slog.New(slog.DiscardHandler)
		o.Log = func() *slog.Logger { return discard }
	}
	return o
}
