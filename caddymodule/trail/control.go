package trail

import (
	"bytes"
	"strconv"
	"sync/atomic"
)

// The events of records about the trail itself.
const (
	EventOpened     = "audit_opened"     // in a chained file: why it begins here
	EventCheckpoint = "audit_checkpoint" // in a chained file: nothing before it was cut
	EventGap        = "audit_gap"        // so many records are missing before it
)

// The field `cause` of [EventOpened] and [EventCheckpoint].
const (
	causeCreated    = "created"    // a new chain
	causeContinued  = "continued"  // a new file; the chain continues from the last one
	causeRestarted  = "restarted"  // after a clean stop
	causeUnclosed   = "unclosed"   // after a stop that left no checkpoint: a crash, or a cut tail
	causeBehind     = "behind"     // the file ends before the sealed head: a cut tail
	causeUnverified = "unverified" // the end of the file is not of this chain
	causeRotated    = "rotated"    // the file was renamed
	causeDeleted    = "deleted"    // the file was deleted
	causeTruncated  = "truncated"  // the file was truncated while it was written: copytruncate, or tampering
	causePeriodic   = "periodic"
	causeClosed     = "closed"
)

// sequence numbers the records of this process.
var sequence atomic.Uint64

// NextSeq returns the next number of a record, for its field `seq`. All sinks of a
// process share the numbers: one that a sink misses is a record that it lost.
func NextSeq() uint64 { return sequence.Add(1) }

// isFinal reports a checkpoint that nothing may follow in its file.
func isFinal(body []byte) bool {
	return isControl(body, EventCheckpoint, causeClosed) || isControl(body, EventCheckpoint, causeRotated)
}

// isControl reports whether a record is of this event and cause. A client cannot
// cause such a record: quotes in its text are escaped.
func isControl(body []byte, event, cause string) bool {
	return bytes.Contains(body, []byte(`"event":"`+event+`","cause":"`+cause+`"`))
}

func eventOf(body []byte) string { return fieldOf(body, "event") }

// fieldOf returns one of the first fields of a record, which this module writes and
// which hold no escapes; "-", the nil value of RFC 5424, if it is absent.
func fieldOf(line []byte, name string) string {
	_, rest, ok := bytes.Cut(line, []byte(`"`+name+`":"`))
	if !ok {
		return "-"
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// tornOf returns the length of the torn line that an [EventOpened] record reports.
func tornOf(body []byte) int {
	if eventOf(body) != EventOpened {
		return 0
	}
	_, rest, _ := bytes.Cut(body, []byte(`"torn":`))
	digits, _, _ := bytes.Cut(rest, []byte(","))
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return 0
	}
	return n
}
