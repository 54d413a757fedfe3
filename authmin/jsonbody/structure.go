package jsonbody

// readStructure reads white space, punctuation and values up to a value that
// goes on in the next piece.
func (s *Scanner) readStructure(p []byte, i int) (_ int, err error) {
	for err == nil && i < len(p) && s.state <= atEnd {
		c := p[i]
		if c <= ' ' && (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
			i++
			continue
		}
		switch s.state {
		case atComma:
			i, err = s.readComma(p, i)
		case atColon:
			if c != ':' {
				return s.fail(Syntax, i, "not valid JSON")
			}
			s.state = atValue
			i++
		case atValue:
			i, err = s.startValue(p, i)
		case atName:
			i, err = s.startName(p, i)
		case atMember:
			if c == '}' {
				i, err = s.pop(p, i)
			} else {
				i, err = s.startName(p, i)
			}
		case atElement:
			if c == ']' {
				i, err = s.pop(p, i)
			} else {
				i, err = s.startValue(p, i)
			}
		case atStart:
			i, err = s.startDocument(p, i)
		default:
			return s.fail(Syntax, i, "more after the end of the JSON object")
		}
	}
	return i, err
}

// startDocument begins the top-level object.
func (s *Scanner) startDocument(p []byte, i int) (int, error) {
	if p[i] == '{' {
		return s.push(frame{node: 0, capture: none}, i)
	}
	if kindOf(p[i]) != 0 {
		return s.fail(NotObject, i, "not a JSON object")
	}
	return s.fail(Syntax, i, "not valid JSON")
}

// readComma reads what follows a member or element.
func (s *Scanner) readComma(p []byte, i int) (int, error) {
	switch p[i] {
	case ',':
		s.state = atName
		if s.stack[len(s.stack)-1].array {
			s.state = atValue
		}
		return i + 1, nil
	case '}', ']':
		return s.pop(p, i)
	}
	return s.fail(Syntax, i, "not valid JSON")
}

// push enters an object or array whose bracket is p[i].
func (s *Scanner) push(f frame, i int) (int, error) {
	if len(s.stack) == s.maxDepth {
		return s.fail(TooDeep, i, "JSON is nested too deeply")
	}
	s.stack = append(s.stack, f)
	s.state = atMember
	if f.array {
		s.state = atElement
	}
	return i + 1, nil
}

// pop leaves the object or array whose closing bracket is p[i].
func (s *Scanner) pop(p []byte, i int) (int, error) {
	last := len(s.stack) - 1
	f := s.stack[last]
	if f.array != (p[i] == ']') {
		return s.fail(Syntax, i, "not valid JSON")
	}
	s.stack = s.stack[:last]
	if f.capture != none {
		s.end(p, i+1)
	}
	s.state = atComma
	if last == 0 {
		s.state = atEnd
	}
	return i + 1, nil
}

// startName begins a member name, and reads the colon if it is next.
func (s *Scanner) startName(p []byte, i int) (int, error) {
	if p[i] != '"' {
		return s.fail(Syntax, i, "not valid JSON")
	}
	s.isName = true
	i, err := s.startText(p, i)
	if err == nil && s.state == atColon && i < len(p) && p[i] == ':' {
		s.state = atValue
		i++
	}
	return i, err
}

// startValue begins the value whose first byte is p[i].
func (s *Scanner) startValue(p []byte, i int) (int, error) {
	n, watched, kind := s.next, none, kindOf(p[i])
	s.next = none
	if in := s.stack[len(s.stack)-1]; in.array && in.capture != none {
		s.nodes[in.capture].member.Elements[kind]++
	}
	s.counts = s.counts && kind == String
	if n != none && s.nodes[n].watched {
		watched = n
		s.begin(n, kind, i)
	}
	if n != none && len(s.nodes[n].children) == 0 {
		n = none
	}
	s.value = watched
	switch kind {
	case Object:
		return s.push(frame{node: n, capture: watched}, i)
	case Array:
		return s.push(frame{array: true, node: none, capture: watched}, i)
	case String:
		s.isName = false
		return s.startText(p, i)
	case Number:
		s.state, s.number = inNumber, numStart
		return s.readNumber(p, i)
	case True:
		s.word = "true"
	case False:
		s.word = "false"
	case Null:
		s.word = "null"
	default:
		return s.fail(Syntax, i, "not valid JSON")
	}
	s.state = inWord
	return s.readWord(p, i)
}

// endScalar ends a string, number or word before p[i].
func (s *Scanner) endScalar(p []byte, i int) {
	if s.value != none {
		s.end(p, i)
		s.value = none
	}
	s.state = atComma
}

// readWord reads true, false or null.
func (s *Scanner) readWord(p []byte, i int) (int, error) {
	if whole := p[i:]; len(whole) >= len(s.word) && string(whole[:len(s.word)]) == s.word {
		i, s.word = i+len(s.word), ""
	}
	for ; i < len(p) && s.word != ""; i++ {
		if p[i] != s.word[0] {
			return s.fail(Syntax, i, "not valid JSON")
		}
		s.word = s.word[1:]
	}
	if s.word == "" {
		s.endScalar(p, i)
	}
	return i, nil
}

// A numberState is how far a number has been read.
type numberState uint8

const (
	numBad      numberState = iota
	numStart                // nothing
	numSign                 // -
	numZero                 // 0, after which no digit may come
	numInt                  // 12
	numPoint                // 12.
	numFraction             // 12.5
	numE                    // 12e
	numESign                // 12e+
	numExponent             // 12e+5
)

// after returns the state after one more byte, numBad if it cannot be part of
// the number.
func (n numberState) after(c byte) numberState {
	switch {
	case '0' <= c && c <= '9':
		switch n {
		case numStart, numSign:
			if c == '0' {
				return numZero
			}
			return numInt
		case numInt, numFraction, numExponent:
			return n
		case numPoint:
			return numFraction
		case numE, numESign:
			return numExponent
		}
	case c == '-' && n == numStart:
		return numSign
	case c == '.' && (n == numZero || n == numInt):
		return numPoint
	case (c == 'e' || c == 'E') && (n == numZero || n == numInt || n == numFraction):
		return numE
	case (c == '+' || c == '-') && n == numE:
		return numESign
	}
	return numBad
}

// complete reports whether a number may end here.
func (n numberState) complete() bool {
	return n == numZero || n == numInt || n == numFraction || n == numExponent
}

// readNumber reads a number up to the first byte that is no part of it.
func (s *Scanner) readNumber(p []byte, i int) (int, error) {
	for ; i < len(p); i++ {
		if c := p[i]; '0' <= c && c <= '9' && s.number == numInt {
			continue
		}
		next := s.number.after(p[i])
		if next == numBad {
			if !s.number.complete() {
				return s.fail(Syntax, i, "not valid JSON")
			}
			s.endScalar(p, i)
			return i, nil
		}
		s.number = next
	}
	return i, nil
}
