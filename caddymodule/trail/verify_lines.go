package trail

import (
	"bufio"
	"errors"
	"io"
	"os"
	"syscall"
)

func openForReading(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := checkRegular(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lineReader reads lines of any length in bounded memory. Of a line that is too long for
// a record it keeps only the beginning.
type lineReader struct {
	r      *bufio.Reader
	number int
	line   []byte
}

// next returns a line without its end, and whether it has one.
func (l *lineReader) next() (line []byte, whole bool, err error) {
	l.line = l.line[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if space := 2*MaxRecord - len(l.line); len(part) <= space {
			l.line = append(l.line, part...)
		} else {
			l.line = append(l.line, part[:max(space, 0)]...)
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

// holds reports whether a record with this number comes later in the file. It consumes the
// rest of the file, so it is only for the last error.
func (l *lineReader) holds(n uint64) bool {
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
