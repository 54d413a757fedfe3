package authmin

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"
)

// Bounds of the search for tokens in text. Only digests of tokens are known, so every
// candidate has to be cut out of the text and hashed. A candidate begins at the start
// of the text, after a byte that no token has, or after one of [separators], and ends
// likewise.
//
// A run is a maximal sequence of bytes that a token can have. A run with n separators
// has at most n+1 starts, with maxInner+1 ends each, and edgeCuts² longer candidates.
// Each costs one SHA-256 and one look-up in a bitmap, 100 to 200 ns. Text without a run as
// long as a token costs no hash, a traceparent six, the path of a task about ten;
// maxCandidates, 16 KiB of the worst text, about 2 ms.
const (
	// maxInner is how many separators a candidate holds, = aside, anywhere in a
	// run. Of the tokens of `openssl rand -base64 32` one in 50,000 has more.
	maxInner = 8
	// edgeCuts is how many words may come before and after a token with more
	// separators in the same run. Of tokens known in clear the lengths are known, so
	// those are found anywhere: see [sought].
	edgeCuts = 4
	// maxCandidates bounds the work for one text. Text with more candidates counts as
	// holding a token.
	maxCandidates = 8 << 10
	// maxRings is how many keyrings one search uses: the clients' and the gateway's.
	maxRings = 2
	// maxDecodings is how often escapes are decoded, one in another.
	maxDecodings = 3
)

// separators are bytes of tokens that also delimit them: sk-TOKEN, v1_TOKEN, k=TOKEN,
// Bearer+TOKEN, /TOKEN/x, TOKEN.example.
const separators = "-_+~./="

var separatorBytes, runBytes = func() (separator, run [256]bool) {
	run = token68Bytes
	run['='] = true
	for i := range len(separators) {
		separator[separators[i]] = true
	}
	return separator, run
}()

// search looks for the tokens of some keyrings.
type search struct {
	rings  [maxRings]*Keyring
	count  int // of rings
	now    time.Time
	usable bool // find only tokens that are valid at now; otherwise every known token
	fold   bool // the text may have been changed to lower case
	quoted bool // the text may have escapes of JSON or Go: in \nTOKEN the token begins after n
	left   int  // candidates left; at 0 the rest counts as a token
}

// add adds a keyring, unless it is empty.
func (s *search) add(k *Keyring) {
	if k.Len() > 0 {
		s.rings[s.count] = k
		s.count++
	}
}

// find returns the first token in text: of several that begin there, the longest.
func (s *search) find(text string) (start, end int, found bool) {
	for at := 0; len(text)-at >= MinTokenLength; at++ {
		begin := at
		for at < len(text) && runBytes[text[at]] {
			at++
		}
		if at-begin < MinTokenLength {
			continue
		}
		if start, end, found = s.findIn(text, begin, at); found {
			return start, end, true
		}
	}
	return 0, 0, false
}

// run is one run of a text, and where candidates may begin and end in it.
type run struct {
	text, small  []byte // as it is; in lower case, or nil
	starts, ends []int32
}

// findIn searches the run text[begin:end].
func (s *search) findIn(text string, begin, end int) (from, to int, found bool) {
	var room [256]byte // the usual run stays on the stack
	var starts, ends [48]int32
	r := run{text: append(room[:0], text[begin:end]...), starts: append(starts[:0], 0), ends: ends[:0]}
	if s.fold && strings.ContainsFunc(text[begin:end], isCapital) {
		r.small = []byte(strings.ToLower(text[begin:end]))
	}
	if s.quoted && begin > 0 && text[begin-1] == '\\' {
		r.starts = appendEscapes(r.starts, r.text[0])
	}
	r.starts = appendGlued(r.starts, r.text, 0)
	for i, c := range r.text {
		if separatorBytes[c] {
			r.ends = append(r.ends, int32(i))
			r.starts = append(r.starts, int32(i+1))
			r.starts = appendGlued(r.starts, r.text, i+1)
		}
	}
	r.ends = append(r.ends, int32(len(r.text)))
	for i, start := range r.starts {
		if to = s.longest(&r, i); to > 0 {
			return begin + int(start), begin + to, true
		}
		if s.left <= 0 {
			return begin + int(start), len(text), true
		}
	}
	return 0, 0, false
}

// scheme is a prefix that needs no delimiter: programs that strip blanks write
// BearerTOKEN.
const scheme = "bearer"

// appendGlued adds the start of a token that directly follows the scheme.
func appendGlued(starts []int32, text []byte, at int) []int32 {
	if len(text)-at < len(scheme)+MinTokenLength || !strings.EqualFold(string(text[at:at+len(scheme)]), scheme) {
		return starts
	}
	return append(starts, int32(at+len(scheme)))
}

// appendEscapes adds where a token may begin after an escape that includes the first
// bytes of the run: \n, \x41, \u0041.
func appendEscapes(starts []int32, first byte) []int32 {
	switch first {
	case 'u':
		return append(starts, 1, 5)
	case 'x':
		return append(starts, 1, 3)
	}
	return append(starts, 1)
}

// longest returns the end of the longest token that begins at a start, or 0.
func (s *search) longest(r *run, i int) (end int) {
	start, inner := int(r.starts[i]), 0
	next, _ := slices.BinarySearch(r.ends, r.starts[i]+1)
	for ; next < len(r.ends) && inner <= maxInner; next++ {
		to := int(r.ends[next])
		end = s.longer(r, start, to, end)
		if to < len(r.text) && r.text[to] != '=' {
			inner++
		}
	}
	if i < edgeCuts { // and at the other edge
		for _, to := range r.ends[max(next, len(r.ends)-edgeCuts):] {
			end = s.longer(r, start, int(to), end)
		}
	}
	for _, ring := range s.rings[:s.count] {
		for _, length := range ring.sought.lengths {
			if to := start + length; to <= len(r.text) {
				end = s.longer(r, start, to, end)
			}
		}
	}
	return end
}

// longer returns the larger of to and end if the candidate is a token, else end.
func (s *search) longer(r *run, start, to, end int) int {
	if to-start < MinTokenLength || to-start > MaxTokenLength || s.left <= 0 {
		return end
	}
	if s.hit(r.text[start:to]) || r.small != nil && s.hit(r.small[start:to]) {
		return max(end, to)
	}
	return end
}

func (s *search) hit(candidate []byte) bool {
	s.left--
	digest := Digest(sha256.Sum256(candidate))
	for _, ring := range s.rings[:s.count] {
		if ring.leaked(&digest, s) {
			return true
		}
	}
	return false
}

func isCapital(r rune) bool { return r >= 'A' && r <= 'Z' }
