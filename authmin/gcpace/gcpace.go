// Package gcpace chooses the pace of Go's garbage collector for a process of llorch.
//
// At Go's default (GOGC=100) the collector runs when the heap has doubled. The gateway's
// and the daemons' heaps are small, a few MiB to a few dozen, so that it would run several
// times a second for very little memory. [Choose] lets the heap grow to five times what is
// in use (GOGC=400), under a soft limit of half the memory of the machine or container, at
// which the collector works as hard as it has to. When the process has been nearly idle for
// a minute, and 64 MiB or more are not in use, they are returned to the system.
//
// What the operator sets wins: with GOGC in the environment nothing is changed, and
// GOMEMLIMIT, or AUTOMEMLIMIT, replaces the half. Where there is no limit, because
// GOMEMLIMIT=off or AUTOMEMLIMIT=off says so or the memory cannot be read, the pace stays
// Go's own.
//
// It changes the process, so it is for the programs of this module:
//
//	func main() {
//		gcpace.Choose()
//		…
//	}
package gcpace

import (
	"math"
	"os"
	"runtime/debug"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// Percent is the pace under a limit: how much the heap may grow until it is collected,
	// in percent of what was in use after the last collection.
	Percent = 400
	// Share is the soft limit, as a part of the memory of the machine or container. At
	// Go's own pace a heap that is as large needs all of it.
	Share = 0.5
	// usual is Go's own pace.
	usual = 100
)

// OperatorsOwn reports whether the operator has set the pace, in GOGC: an empty one is none
// to Go, too.
func OperatorsOwn() bool { return os.Getenv("GOGC") != "" }

// Choose sets the pace and the limit of this process, unless they were set otherwise.
// It may be called again, after something else has set the limit.
func Choose() {
	if OperatorsOwn() {
		return
	}
	before := debug.SetGCPercent(usual)
	if before != usual && before != Percent { // the program has one of its own
		debug.SetGCPercent(before)
		return
	}
	limit, err := memlimit.Set(memlimit.WithRatio(Share),
		memlimit.WithProvider(memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)))
	if err == nil && limit < math.MaxInt64 {
		debug.SetGCPercent(Percent)
		trimming.Do(func() { go trim(time.NewTicker(quietTime).C) }) // until the process ends
	}
}
