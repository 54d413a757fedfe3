package trail

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/llorch/gateway/authmin"
)

// Report is the result of a verification.
type Report struct {
	Records     int
	First, Last uint64 // numbers of records
	Files       int

	// Notices are not failures: a crash causes them too. There are at most 100.
	Notices []string
}

// verifier follows one chain through files in the order of their writing.
type verifier struct {
	sealer  *sealer
	now     time.Time
	report  Report
	head    chainHead
	begun   bool
	torn    int // length of a line that is not a record, until the next record explains it
	tornAt  string
	whole   bool // that line has a line end
	sealed  bool // nothing may follow the last record in its file
	checked time.Time
}

// Verify checks that files, in the order of their writing, hold one unbroken chain
// under the key. The error names the first bad record. now is compared with the last
// checkpoint of a file that a gateway is writing.
func Verify(paths []string, key authmin.Secret, now time.Time) (Report, error) {
	if len(paths) == 0 {
		return Report{}, errors.New("no audit file given")
	}
	v := &verifier{sealer: newSealer(key), now: now}
	for _, path := range paths {
		if err := v.file(path); err != nil {
			return v.report, err
		}
		v.report.Files++
	}
	return v.report, v.end(paths[len(paths)-1])
}

func (v *verifier) file(path string) error {
	f, err := openForReading(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if v.torn > 0 && !v.whole { // the end of the file before: the gateway that went on had another one
		v.noticeTorn()
	}
	lines := lineReader{r: bufio.NewReaderSize(f, 1<<16)}
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

// line checks one whole line: that it is a record, that its seal is right, and
// that it follows the one before.
func (v *verifier) line(at string, line []byte, rest *lineReader) error {
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
			return fmt.Errorf("%s: edited: it is not a record of a chain, and the next one does not report a torn line", v.tornAt)
		}
		v.noticeTorn()
	}
	if err := v.follows(at, r, rest); err != nil {
		return err
	}
	v.accept(at, r)
	return nil
}

// badSeal distinguishes an edited record from a forged chain: after an edit of one line
// the next one is still valid; seals that were recomputed without the key are all invalid.
func (v *verifier) badSeal(at string, r chainedRecord, rest *lineReader) error {
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
func (v *verifier) follows(at string, r chainedRecord, rest *lineReader) error {
	if !v.begun {
		if r.n > 1 && eventOf(r.body) != EventOpened {
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
