package trail

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Records reads the records of audit files, in the order of their writing, and gives each
// to visit: one JSON object without line end, valid during the call. It works without the
// key: broken names where records of a chain are missing, repeated or replaced, as far as
// their numbers and seals show it, and gaps where a gateway could not write all; both have
// at most 100 entries. Who can write a file can make up records; only [Verify] finds that.
func Records(paths []string, visit func(record []byte)) (broken, gaps []string, err error) {
	r := reading{visit: visit}
	for _, path := range paths {
		if err := r.file(path); err != nil {
			return r.broken, r.gaps, err
		}
	}
	return r.broken, r.gaps, nil
}

// reading follows the chain of records that are read without a key.
type reading struct {
	visit        func([]byte)
	head         chainHead
	begun        bool
	broken, gaps []string
}

func (r *reading) file(path string) error {
	f, err := openForReading(path)
	if err != nil {
		return err
	}
	defer f.Close()
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
		if !whole {
			note(&r.gaps, "%s: a torn line of %d bytes: the gateway was killed, or is writing it", at, len(line))
			continue
		}
		r.line(at, line)
	}
}

// line reads one line. A file without a chain has records only.
func (r *reading) line(at string, line []byte) {
	record, err := parseChained(line)
	switch {
	case err != nil && r.begun:
		note(&r.gaps, "%s: it is not a record of the chain: a torn line, or added", at)
		return
	case err == nil:
		r.follows(at, record)
		r.begun, r.head = true, record.chainHead
	}
	if eventOf(line) == EventGap {
		note(&r.gaps, "%s: the gateway could not write every record before it", at)
	}
	r.visit(line)
}

// follows compares a record with the one before.
func (r *reading) follows(at string, record chainedRecord) {
	switch {
	case !r.begun && record.n > 1:
		note(&r.gaps, "%s: the chain begins with record %d: the records before it are in an earlier file", at, record.n)
	case !r.begun:
	case record.n > r.head.n+1:
		note(&r.broken, "%s: record %d: records %d to %d are missing before it", at, record.n, r.head.n+1, record.n-1)
	case record.n <= r.head.n:
		note(&r.broken, "%s: record %d: repeated or reordered, or another chain: record %d should be here; name the oldest file first", at, record.n, r.head.n+1)
	case !record.prev.equal(r.head.seal):
		note(&r.broken, "%s: record %d: it follows another record %d than the one before it", at, record.n, r.head.n)
	}
}

func note(notes *[]string, format string, args ...any) {
	if len(*notes) < maxNotices {
		*notes = append(*notes, fmt.Sprintf(format, args...))
	}
}
