// Package trail writes an audit trail: lines of JSON that leave the process quickly and
// in order, and whose later modification can be detected.
//
// It knows neither HTTP nor Caddy, and does not decide which events are recorded. Package
// caddymodule creates the records; this package writes them to a file, a syslog collector
// or standard error.
//
// # What it promises
//
//   - [Sink.Put] without Wait never blocks. A sink has a queue of 4 MiB; when it
//     is full, records are dropped and counted.
//   - [Sink.Put] with Wait returns nil only when the kernel has the record. It
//     returns an error after [Timeout] at the latest.
//   - A lost record is never silent: the counters grow, and the next record that is
//     written is preceded by one of event [EventGap] with the number of lost ones.
//   - A line is one record of at most [MaxRecord] bytes. No text of a client can
//     end the line or add a field to it.
//   - A file has one writer, mode 0600, and is never a symbolic link. It may be
//     renamed, deleted or truncated while it is written (logrotate): the next
//     records go to a new file within a second, and none is written twice.
//   - A file with a key is a chain: each record carries the HMAC-SHA256 of its
//     predecessor. [Verify] names the first record that was edited, deleted,
//     reordered, cut off at the end, or recomputed without the key.
//
// # What it does not promise
//
// A record that the kernel has survives the death of the process, but not a power cut:
// there is no fsync. An attacker with the chain's key can forge the chain. An attacker
// who can write the file and FILE.head can restore older copies of both while no process
// writes them: send the trail to another machine as well. Syslog over UDP may lose
// datagrams without an error.
//
// # Life of a record
//
// [AppendRecord] or a [Line] encodes it. [Sink.Put] adds it to the current batch
// (sink.go). The sink's goroutine replaces that batch by an empty one and passes it to the
// output in one write (queue.go). A file output adds the chain's fields first
// (file_chain.go, chain.go).
//
// # Index
//
//   - Sinks: [Sink], [NewFile], [NewSyslog], [NewStderr], [Options], [Counters],
//     [Record], [Timeout], [ErrQueueFull], [ErrStalled], [ErrStopped]
//   - Checks before a start: [CheckFile], [CheckSyslog], [ReadKey]
//   - Space on disk: [Sink.SetReserve], [ParseReserve], [NoReserve]
//   - Records: [AppendRecord], [Line], [NextSeq], [MaxRecord], [MaxLine]
//   - Records about the trail itself: [EventOpened], [EventCheckpoint], [EventGap]
//   - Verification: [Verify], [Report]
package trail
