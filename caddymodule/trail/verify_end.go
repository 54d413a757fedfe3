package trail

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// liveSlack is how much older than its interval the last checkpoint of a file that is
// being written may be, for a busy machine.
const liveSlack = 15 * time.Second

// maxNotices bounds what is said of one file or several: an attacker could fill a terminal.
const maxNotices = 100

func (v *verifier) accept(at string, r chainedRecord) {
	if !v.begun {
		v.report.First = r.n
	}
	v.begun, v.head = true, r.chainHead
	v.report.Records++
	v.report.Last = r.n
	v.sealed = isFinal(r.body)
	switch eventOf(r.body) {
	case EventCheckpoint:
		v.checked, _ = time.Parse(timeLayout, fieldOf(r.body, "time"))
	case EventOpened:
		v.checked, _ = time.Parse(timeLayout, fieldOf(r.body, "time"))
		if why := fieldOf(r.body, "cause"); why == causeUnclosed || why == causeTruncated || why == causeUnverified || why == causeBehind {
			v.notice("%s: record %d: the gateway found the file %s", at, r.n, why)
		}
	case EventGap:
		v.notice("%s: record %d: the gateway could not write every record before it", at, r.n)
	}
}

// end checks the end of the last file: a chain without a final checkpoint may have been
// truncated.
func (v *verifier) end(path string) error {
	if !v.begun {
		return fmt.Errorf("%s: cut: there is no record", path)
	}
	if saved, ok := readHead(path+headSuffix, v.sealer); ok && saved.n > v.head.n {
		return fmt.Errorf("%s: cut: it ends with record %d, but %s%s has sealed record %d", path, v.head.n, path, headSuffix, saved.n)
	}
	switch {
	case v.torn > 0 && v.whole:
		return fmt.Errorf("%s: edited: it is not a record of a chain", v.tornAt)
	case v.torn > 0:
		return fmt.Errorf("%s: cut: a torn line of %d bytes after record %d: the gateway was killed and has not run since, or the end was cut off", v.tornAt, v.torn, v.head.n)
	case v.sealed:
		return nil
	case !beingWritten(path):
		return fmt.Errorf("%s: cut: no checkpoint closes it after record %d: the end was cut off, or the gateway was killed and has not run since", path, v.head.n)
	case v.now.Sub(v.checked) > checkpointIdle+liveSlack:
		return fmt.Errorf("%s: cut: the gateway is writing it, but its last checkpoint is of %s", path, v.checked.Format(time.RFC3339))
	}
	v.notice("%s: the gateway is writing it: what came after its last checkpoint could have been cut off", path)
	return nil
}

func (v *verifier) noticeTorn() {
	v.notice("%s: a torn line of %d bytes: the gateway was killed, or the disk was full", v.tornAt, v.torn)
	v.torn = 0
}

func (v *verifier) notice(format string, args ...any) {
	note(&v.report.Notices, format, args...)
}

// beingWritten reports whether a gateway holds the lock of the file.
func beingWritten(path string) bool {
	f, err := openForReading(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
