package adapter

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// errTooLong says that an event, or a line of one, is over the bound of a call.
var errTooLong = errors.New("an event is larger than a call's events may be")

// lineReader reads the lines of a stream. They end with a line feed, with or without a
// carriage return before it, or with a carriage return alone.
type lineReader struct {
	in   *bufio.Reader
	most int
	long []byte // a line that is longer than the reader's buffer
	rest []byte // lines after a carriage return within what was read
	cut  bool   // the last line has no end
}

func newLineReader(body io.Reader, most int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(body, 4096), most: most}
}

// next gives a line without its end, valid until the next one is read.
func (l *lineReader) next() ([]byte, error) {
	line := l.rest
	if line == nil {
		var err error
		if line, err = l.read(); err != nil {
			return nil, err
		}
	}
	if at := bytes.IndexByte(line, '\r'); at >= 0 {
		line, l.rest = line[:at], line[at+1:]
		return line, nil
	}
	l.rest = nil
	return line, nil
}

// emptyNext skips the next line if it is empty, and was read already: the line before
// it stays valid.
func (l *lineReader) emptyNext() bool {
	if l.rest != nil || l.in.Buffered() == 0 {
		return false
	}
	if next, err := l.in.Peek(1); err != nil || next[0] != '\n' {
		return false
	}
	_, err := l.in.Discard(1)
	return err == nil
}

// read gives what is before the next line feed.
func (l *lineReader) read() ([]byte, error) {
	if cap(l.long) > maxKept {
		l.long = nil
	}
	l.long = l.long[:0]
	for {
		part, err := l.in.ReadSlice('\n')
		if len(l.long) == 0 && err == nil {
			return ended(part), nil
		}
		if len(l.long)+len(part) > l.most {
			return nil, errTooLong
		}
		l.long = append(l.long, part...)
		switch {
		case err == nil:
			return ended(l.long), nil
		case errors.Is(err, io.EOF) && len(l.long) > 0:
			l.cut = true
			return l.long, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// ended takes the end off a line.
func ended(line []byte) []byte {
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
}
