package trail

import (
	"os"
	"syscall"
	"time"
)

// ready ensures that a file is open and has the size of the last write. It takes one
// system call per batch.
func (o *fileOutput) ready() error {
	if o.f == nil {
		return o.reopen("")
	}
	info, err := o.f.Stat()
	if err != nil {
		return err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Nlink == 0 {
		return o.rotate(causeDeleted)
	}
	if info.Size() < o.size {
		o.size, o.opening = info.Size(), causeTruncated
	}
	return nil
}

// tick implements [output]: it detects that the path names another file, and writes
// checkpoints.
func (o *fileOutput) tick(now time.Time) {
	if o.f == nil {
		return // the next record tries again
	}
	o.reserve.measure(o.f, 0)
	ours, err := o.f.Stat()
	if err != nil {
		return
	}
	if named, err := os.Lstat(o.path); err != nil || !os.SameFile(ours, named) {
		if err := o.rotate(causeRotated); err == nil {
			_, _ = o.write(nil, 0)
		}
		return
	}
	if o.chain != nil && o.chain.due(now) {
		o.addCheckpoint(causePeriodic)
	}
}

// rotate closes the old file and opens the path anew. No record is lost in between:
// this goroutine is the only writer.
func (o *fileOutput) rotate(cause string) error {
	if o.chain != nil {
		o.addCheckpoint(causeRotated)
	}
	o.release()
	return o.reopen(cause)
}
