package authmin

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"
)

// Bounds of the search for tokens in text. Only digests of tokens are known, so
// that what could be a token has to be cut out of its surroundings and hashed: a
// candidate begins where the text does, or after a byte that no token has or after
// one of [separators], and ends likewise.
//
// A run is a longest sequence of bytes that a token can have. In one with n
// separators there are at most n+1 places to begin, with maxInner+1 ends each, and
// edgeCuts² longer candidates. Each costs one SHA-256 and a look into a bitmap,
// 100 to 200 ns. Text without a run as long as a token costs no hash, a traceparent
// six, the path of a task about ten; maxCandidates, 16 KiB of the worst text,
// about 2 ms.
const (
	// maxInner is how many separators a candidate holds, = aside, anywhere in a
	// run. Of the tokens of `openssl rand -base64 32` one in 50,000 has more.
	maxInner = 8
	// edgeCuts is how many words before and after a token with more separators may
	// be in the same run. The lengths of those that are known in clear are, so that
	// theirs are found anywhere: see [sought].
	edgeCuts = 4
	// maxCandidates bounds the work for one text. What has more counts as holding
	// a token: nothing says that it does not.
	maxCandidates = 8 << 10
	// maxRings is how many keyrings one search takes: the clients', the gateway's own.
	maxRings = 2
	// maxDecodings is how often escapes are decoded, one in another.
	maxDecodings = 3
)

// separators are the bytes of a token that also stand beside one: sk-TOKEN,
// v1_TOKEN, k=TOKEN, Bearer+TOKEN, /TOKEN/x, TOKEN.example.
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
	usable bool // only tokens that are valid now; otherwise every one that is known
	fold   bool // text in which letters may have become small ones
	quoted bool // text with escapes of JSON or Go: \nTOKEN is no word of its own
	left   int  // candidates, until all counts as a token
}

// add takes a keyring that has tokens; without any there is nothing to search for.
func (s *search) add(k *Keyring) {
	if k.Len() > 0 {
		s.rings[s.count] = k
		s.count++
	}
}

// find returns the first place of a token, as long as the longest one there.
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

// run is one run of a text, and where in it candidates may begin and end.
type run struct {
	text, small  []byte // as it is, and nil or in small letters
	starts, ends []int32
}

// findIn looks into the run of text[begin:end].
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

// scheme is what a token stands behind without a byte between them, where a program or
// a header field has no room for the blank: BearerTOKEN.
const scheme = "bearer"

// appendGlued adds where a token begins behind the scheme.
func appendGlued(starts []int32, text []byte, at int) []int32 {
	if len(text)-at < len(scheme)+MinTokenLength || !strings.EqualFold(string(text[at:at+len(scheme)]), scheme) {
		return starts
	}
	return append(starts, int32(at+len(scheme)))
}

// appendEscapes adds where a run begins if an escape before it has taken some of its
// bytes: \n, \x41, \u0041. A backslash could also mean itself.
func appendEscapes(starts []int32, first byte) []int32 {
	switch first {
	case 'u':
		return append(starts, 1, 5)
	case 'x':
		return append(starts, 1, 3)
	}
	return append(starts, 1)
}

// longest returns the end of the longest token that begins at a start, 0 for none.
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

// longer returns the end of a candidate if it is a token, otherwise the one so far.
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
