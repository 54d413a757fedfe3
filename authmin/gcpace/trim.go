package gcpace

import (
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// quietTime is how long a process must be nearly idle before it returns memory: it
	// has allocated less than quietBytes in it.
	quietTime  = time.Minute
	quietBytes = 128 << 20
	// worthBytes is the least that is returned: collecting the heap costs some
	// milliseconds of processor time.
	worthBytes = 64 << 20
)

// heap is what the runtime says of the heap, in bytes.
type heap struct {
	allocated uint64 // since the start of the process
	unused    uint64 // garbage since the last collection, and free memory that the system does not have back
}

// trimming starts trim once.
var trimming sync.Once

// trim returns to the system what a burst has left, once the process is idle. With this
// pace the next collection may be hours away then, and up to four fifths of the heap are
// garbage.
func trim(ticks <-chan time.Time) {
	before := readHeap()
	for range ticks {
		now := readHeap()
		if now.worthReturning(before) {
			debug.FreeOSMemory()
			now = readHeap()
		}
		before = now
	}
}

// worthReturning reports whether the process was idle since before, and has much unused
// memory.
func (h heap) worthReturning(before heap) bool {
	return h.allocated-before.allocated < quietBytes && h.unused >= worthBytes
}

func readHeap() heap {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	objects, live := s[1].Value.Uint64(), s[2].Value.Uint64()
	return heap{s[0].Value.Uint64(), s[3].Value.Uint64() + objects - min(live, objects)}
}
