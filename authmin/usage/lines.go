package usage

import "bytes"

// line is how far a line of events has been read.
type line struct {
	at    int  // bytes of fieldData that it begins with; -1 for a line of another field
	data  bool // it has passed the colon
	space bool // and the space that may follow
	cr    bool // the last byte was a carriage return, which ended the line
	more  bool // the event had a line of data before
	start bool // of the answer is past: a byte order mark may be before the first line
	marks int  // bytes of the mark

	fresh bool // an event begins with the next byte
	datas int  // lines of data in the event
}

// fieldData begins the lines of an event that have its data.
const fieldData = "data:"

var newline = []byte("\n")

const byteOrderMark = "\xef\xbb\xbf"

// readLine reads one line of JSON.
func (s *Scanner) readLine(p []byte) (n int, ended bool) {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		s.add(p)
		return len(p), false
	}
	s.add(p[:end])
	s.end()
	return end + 1, true
}

// readEvent reads one event: https://html.spec.whatwg.org/#event-stream-interpretation.
// Of its fields only the data is of interest.
func (s *Scanner) readEvent(all []byte) (n int, ended bool) {
	l := &s.line
	if l.fresh {
		if n := s.shape.match(all); n > 0 {
			s.texts++
			return n, true
		}
	}
	whole, object := l.fresh, -1
	l.fresh = false
	for p := all; len(p) > 0; {
		if !l.start {
			if p = s.skipMark(p); len(p) == 0 {
				break
			}
		}
		if l.cr && p[0] == '\n' { // of the line end before
			l.cr, p = false, p[1:]
			continue
		}
		l.cr = false
		if p[0] != '\n' && p[0] != '\r' {
			end := lineEnd(p)
			if size := s.addField(p[:end]); size > 0 {
				object = len(all) - len(p) + end - size
			}
			p = p[end:]
			continue
		}
		l.cr, p = p[0] == '\r', p[1:]
		if l.at == 0 && whole && l.datas == 1 && !l.cr {
			s.shape.learn(all[:len(all)-len(p)], object, s)
		}
		if s.endLine() {
			if l.cr && len(p) > 0 && p[0] == '\n' {
				l.cr, p = false, p[1:]
			}
			l.fresh = !l.cr
			return len(all) - len(p), true
		}
	}
	return len(all), false
}

// skipMark skips a byte order mark at the start of an answer.
func (s *Scanner) skipMark(p []byte) []byte {
	l := &s.line
	for len(p) > 0 && l.marks < len(byteOrderMark) && p[0] == byteOrderMark[l.marks] {
		l.marks, p = l.marks+1, p[1:]
	}
	l.start = len(p) > 0 || l.marks == len(byteOrderMark)
	if l.start && 0 < l.marks && l.marks < len(byteOrderMark) {
		l.at = -1 // part of one: a field with another name
	}
	return p
}

// lineEnd is the index of the first end of a line, or the length.
func lineEnd(p []byte) int {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		end = len(p)
	}
	if cr := bytes.IndexByte(p[:end], '\r'); cr >= 0 {
		return cr
	}
	return end
}

// addField reads a part of a line, and returns how many bytes at its end are data.
func (s *Scanner) addField(p []byte) (data int) {
	l := &s.line
	for !l.data {
		if l.at < 0 || len(p) == 0 {
			return 0
		}
		if p[0] != fieldData[l.at] {
			l.at = -1
			return 0
		}
		p = p[1:]
		if l.at++; l.at == len(fieldData) {
			l.data = true
			l.datas++
			if l.more {
				s.add(newline)
			}
		}
	}
	if !l.space && len(p) > 0 {
		if l.space = true; p[0] == ' ' {
			p = p[1:]
		}
	}
	s.add(p)
	return len(p)
}

// endLine ends a line, and reports whether it was an empty one, which ends the event.
func (s *Scanner) endLine() bool {
	l := &s.line
	empty := l.at == 0
	if empty {
		s.end()
		l.more, l.datas = false, 0
	}
	l.more = l.more || l.data
	l.at, l.data, l.space = 0, false, false
	return empty
}
