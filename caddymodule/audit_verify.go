package caddymodule

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/llorch/gateway/authmin"
)

// liveSlack is how much older than its interval the last checkpoint of a file
// that is being written may be: a busy machine is no attack.
const liveSlack = 15 * time.Second

// trailReport is what a verification found. Notices are no failures: a crash
// leaves them too.
type trailReport struct {
	records int
	first   uint64
	last    uint64
	files   int
	notices []string
}

// verifier follows one chain through files in the order of their writing.
type verifier struct {
	sealer  *sealer
	now     time.Time
	report  trailReport
	head    chainHead
	begun   bool
	torn    int // length of a line that is no record, until the next one explains it
	tornAt  string
	whole   bool // that line has a line end
	sealed  bool // nothing may follow the last record in its file
	checked time.Time
}

// verifyTrail checks that files hold one unbroken chain under the key. The error
// names the first bad record.
func verifyTrail(paths []string, key authmin.Secret, now time.Time) (trailReport, error) {
	v := &verifier{sealer: newSealer(key), now: now}
	for _, path := range paths {
		if err := v.file(path); err != nil {
			return v.report, err
		}
		v.report.files++
	}
	return v.report, v.end(paths[len(paths)-1])
}

func (v *verifier) file(path string) error {
	f, err := openTrail(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if v.torn > 0 && !v.whole { // the end of the file before: the gateway that went on had another one
		v.noticeTorn()
	}
	lines := trailLines{r: bufio.NewReaderSize(f, 1<<16)}
	for {
		line, whole, err := lines.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		at := path + ":" + strconv.Itoa(lines.number)
		if !whole { // the end of the file
			v.torn, v.tornAt, v.whole = len(line), at, false
			continue
		}
		if err := v.line(at, line, &lines); err != nil {
			return err
		}
	}
}

func openTrail(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := checkRegular(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// line checks one whole line: that it is a record, that its seal is right, and
// that it follows the one before.
func (v *verifier) line(at string, line []byte, rest *trailLines) error {
	r, err := parseChained(line)
	if err != nil {
		if v.torn > 0 || len(line) == 0 {
			return fmt.Errorf("%s: edited: %w", at, err)
		}
		// A crash may have left it. If so, the next record says so.
		v.torn, v.tornAt, v.whole = len(line), at, true
		return nil
	}
	if !v.sealer.of(purposeRecord, r.body).equal(r.seal) {
		return v.badSeal(at, r, rest)
	}
	if v.torn > 0 {
		if tornOf(r.body) != v.torn {
			return fmt.Errorf("%s: edited: it is not a record of a chain, and the next one does not tell of a torn line", v.tornAt)
		}
		v.noticeTorn()
	}
	if err := v.follows(at, r, rest); err != nil {
		return err
	}
	v.accept(at, r)
	return nil
}

// badSeal tells an edited record from a forged chain: whoever edits one line
// leaves the next one valid, whoever computes all seals anew without the key
// does not.
func (v *verifier) badSeal(at string, r chainedRecord, rest *trailLines) error {
	line, whole, err := rest.next()
	if err == nil && whole {
		next, err := parseChained(line)
		if err == nil && next.prev.equal(r.seal) && !v.sealer.of(purposeRecord, next.body).equal(next.seal) {
			return fmt.Errorf("%s: record %d: recomputed without the key: its seal and those after it are of another key; if this is the first record, check --key", at, r.n)
		}
	}
	return fmt.Errorf("%s: record %d: edited: its seal does not fit its text", at, r.n)
}

// follows checks a record against its predecessor.
func (v *verifier) follows(at string, r chainedRecord, rest *trailLines) error {
	if !v.begun {
		if r.n > 1 && eventOf(r.body) != eventOpened {
			return fmt.Errorf("%s: record %d: deleted: the records before it are missing; if they are in an earlier file, name that first", at, r.n)
		}
		if r.n > 1 {
			v.notice("%s: the chain begins with record %d: the records before it are in an earlier file", at, r.n)
		}
		return nil
	}
	want := v.head.n + 1
	switch {
	case r.n == want && r.prev.equal(v.head.seal):
		return nil
	case r.n == want:
		return fmt.Errorf("%s: record %d: it follows another record %d than the one before it: records were replaced, or two gateways wrote one chain", at, r.n, v.head.n)
	case r.n > want && rest.holds(want):
		return fmt.Errorf("%s: record %d: reordered: record %d should be here, and comes later", at, r.n, want)
	case r.n > want:
		return fmt.Errorf("%s: record %d: deleted: records %d to %d are missing before it", at, r.n, want, r.n-1)
	}
	return fmt.Errorf("%s: record %d: reordered or repeated: record %d should be here", at, r.n, want)
}

func (v *verifier) accept(at string, r chainedRecord) {
	if !v.begun {
		v.report.first = r.n
	}
	v.begun, v.head = true, r.chainHead
	v.report.records++
	v.report.last = r.n
	v.sealed = isFinal(r.body)
	switch eventOf(r.body) {
	case eventCheckpoint:
		v.checked, _ = time.Parse(auditTime, fieldOf(r.body, "time"))
	case eventOpened:
		v.checked, _ = time.Parse(auditTime, fieldOf(r.body, "time"))
		if why := fieldOf(r.body, "cause"); why == causeUnclosed || why == causeTruncated || why == causeUnverified || why == causeBehind {
			v.notice("%s: record %d: the gateway found the file %s", at, r.n, why)
		}
	case eventGap:
		v.notice("%s: record %d: the gateway could not write every record before it", at, r.n)
	}
}

// end judges the end of the last file: a chain that was not closed may have been
// cut.
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
	const most = 100 // an attacker could fill a terminal
	if len(v.report.notices) < most {
		v.report.notices = append(v.report.notices, fmt.Sprintf(format, args...))
	}
}

// beingWritten asks for the lock that a gateway holds.
func beingWritten(path string) bool {
	f, err := openTrail(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

func eventOf(body []byte) string { return fieldOf(body, "event") }

// tornOf is the length of the torn line that a record tells of.
func tornOf(body []byte) int {
	if eventOf(body) != eventOpened {
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

// trailLines reads lines of any length in bounded memory: of one that is too long
// for a record, the beginning is enough to see that it is none.
type trailLines struct {
	r      *bufio.Reader
	number int
	line   []byte
}

// next returns a line without its end, and whether it has one.
func (l *trailLines) next() (line []byte, whole bool, err error) {
	l.line = l.line[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if room := 2*maxRecord - len(l.line); len(part) <= room {
			l.line = append(l.line, part...)
		} else {
			l.line = append(l.line, part[:max(room, 0)]...)
			l.line = append(l.line, part[len(part)-1])
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(l.line) > 0:
			l.number++
			return l.line, false, nil
		case err != nil:
			return nil, false, err
		}
		l.number++
		return l.line[:len(l.line)-1], true, nil
	}
}

// holds reports whether a record with this number comes later in the file. It
// reads on, so it is for the last words only.
func (l *trailLines) holds(n uint64) bool {
	for {
		line, whole, err := l.next()
		if err != nil || !whole {
			return false
		}
		if r, err := parseChained(line); err == nil && r.n == n {
			return true
		}
	}
}
