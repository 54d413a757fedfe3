package authmin

import (
	"fmt"
	"slices"
	"strings"
)

// maxManyCuts bounds the lengths of [sought]: each adds one candidate for every place
// where a token could begin.
const maxManyCuts = 16

// filterBits is how many bits the filter has for each digest. One in filterBits
// candidates that are no token passes the filter.
const filterBits = 16

// spelling is what is known about a token that was known in clear: its digest in
// lower case, as in a Host or the name of a header field, and its length.
type spelling struct {
	others []Digest
	// length is set for a token with more separators than the search tries
	// everywhere; otherwise 0.
	length int
}

// spellingOf returns nil for a token without capitals and with few separators, such
// as hexadecimal digits.
func spellingOf(secret Secret) *spelling {
	text := secret.Reveal()
	var others []Digest
	if small := digestOf(strings.ToLower(text)); !small.Equal(secret.Digest()) {
		others = append(others, small)
	}
	s := &spelling{others: others}
	if cutsOf(strings.TrimRight(text, "=")) > maxInner {
		s.length = len(text)
	}
	if others == nil && s.length == 0 {
		return nil
	}
	return s
}

func cutsOf(text string) (n int) {
	for i := range len(text) {
		if separatorBytes[text[i]] {
			n++
		}
	}
	return n
}

// sought is the index of a keyring by which its tokens are found in text.
type sought struct {
	filter  []uint64 // a bit for each digest, by its keyed hash
	shift   uint
	others  *Keyring // other spellings, each under its token's name
	lengths []int    // of tokens with many separators
}

// checkSearch refuses tokens that the search could not recognize.
func (k *Keyring) checkSearch() error {
	if n := len(k.sought.lengths); n > maxManyCuts {
		return fmt.Errorf("building keyring: tokens with more than %d of %s in them have %d different lengths, over the limit of %d, and could not all be recognised in a log; make new ones with `openssl rand -hex 32`",
			maxInner, separators, n, maxManyCuts)
	}
	return nil
}

// fillSpellings adds the other spellings of tokens that were known in clear.
func (k *Keyring) fillSpellings(tokens []Token) {
	var others []Token
	for i := range tokens {
		s := tokens[i].spelling
		if s == nil {
			continue
		}
		for _, d := range s.others {
			other := tokens[i]
			other.digest, other.spelling = d, nil
			others = append(others, other)
		}
		if s.length > 0 && !slices.Contains(k.sought.lengths, s.length) {
			k.sought.lengths = append(k.sought.lengths, s.length)
		}
	}
	if len(others) > 0 {
		k.sought.others = placed(others)
	}
}

// fillFilter fills the filter after the digests are in their buckets. Its size is a
// power of two, in proportion to the number of buckets.
func (k *Keyring) fillFilter() {
	const word = 64
	k.sought.filter = make([]uint64, max(1, (len(k.starts)-1)*filterBits/word))
	k.sought.shift = k.shift
	for size := len(k.starts) - 1; size < len(k.sought.filter)*word; size *= 2 {
		k.sought.shift--
	}
	for i := range k.digests {
		bit := k.hash(&k.digests[i]) >> k.sought.shift
		k.sought.filter[bit/word] |= 1 << (bit % word)
	}
}

// leaked reports whether a digest is that of a token of the keyring: with fold also in
// lower case, with usable only if the token is valid now. Unlike [Keyring.Lookup] it
// may return early for an unknown digest: the filter is indexed by a hash with a
// secret key, so the time reveals nothing about the tokens.
func (k *Keyring) leaked(digest *Digest, s *search) bool {
	for ; k.Len() > 0; k = k.sought.others {
		bit := k.hash(digest) >> k.sought.shift
		if k.sought.filter[bit/64]&(1<<(bit%64)) != 0 {
			_, verdict := k.Lookup(*digest, s.now)
			if verdict == VerdictValid || !s.usable && verdict != VerdictUnknown {
				return true
			}
		}
		if !s.fold {
			break
		}
	}
	return false
}
