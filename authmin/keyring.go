package authmin

import (
	"crypto/subtle"
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
	"time"
)

// MaxTokens bounds a keyring. The cost of a look-up is constant up to here; a token
// takes about 180 bytes plus its name.
const MaxTokens = 1 << 20

// window is how many neighbouring tokens every look-up compares. With one
// bucket a token the fullest of 2^20 buckets holds 8 or 9, so that the window
// covers the bucket of nearly every digest, known or not.
const window = 8

// Keyring finds tokens by digest. It is immutable and safe for concurrent use. The
// zero value and nil contain no token and refuse every request.
//
// The digests are one slice, ordered by a keyed hash, with an index of where each
// hash bucket begins. A look-up compares every digest of the bucket, and at least a
// window of them, in constant time and without stopping at a match: the work depends
// neither on which token matches nor on whether one does. The hash is seeded for
// each process, so a client cannot aim at a bucket.
type Keyring struct {
	seed    maphash.Seed
	shift   uint
	starts  []uint32
	digests []Digest // side by side, so that a window is few cache lines
	tokens  []Token  // in the order of the digests
	sought  sought
}

// NewKeyring builds a keyring. It refuses one token under two names, two tokens of
// one name unless all but one of them expire or are revoked, and more than
// [MaxTokens].
func NewKeyring(tokens []Token) (*Keyring, error) {
	if len(tokens) > MaxTokens {
		return nil, fmt.Errorf("building keyring: %d tokens are over the limit of %d", len(tokens), MaxTokens)
	}
	nothing := Secret{}.Digest()
	for i := range tokens {
		if d := tokens[i].digest; d.Equal(Digest{}) || d.Equal(nothing) {
			return nil, fmt.Errorf("building keyring: %s has no token", tokens[i].Name)
		}
	}
	k := placed(tokens)
	if err := refuseSharedNames(tokens); err != nil {
		return nil, err
	}
	if err := k.refuseDoubles(); err != nil {
		return nil, err
	}
	k.fillSpellings(tokens)
	if err := k.checkSearch(); err != nil {
		return nil, err
	}
	return k, nil
}

// placed puts tokens into their buckets.
func placed(tokens []Token) *Keyring {
	order := bits.Len(uint(max(len(tokens)-1, 0))) // buckets: the next power of two
	k := &Keyring{
		seed:    maphash.MakeSeed(),
		shift:   uint(64 - order),
		starts:  make([]uint32, 1<<order+1),
		digests: make([]Digest, len(tokens)),
		tokens:  make([]Token, len(tokens)),
	}
	for i := range tokens {
		k.starts[k.bucket(&tokens[i].digest)+1]++
	}
	for b := 1; b < len(k.starts); b++ {
		k.starts[b] += k.starts[b-1]
	}
	next := slices.Clone(k.starts)
	for i := range tokens {
		b := k.bucket(&tokens[i].digest)
		k.digests[next[b]], k.tokens[next[b]] = tokens[i].digest, tokens[i]
		next[b]++
	}
	k.fillFilter()
	return k
}

// refuseSharedNames refuses two tokens of one name that neither expire nor are
// revoked. During a rotation the old token has an expiry.
func refuseSharedNames(tokens []Token) error {
	lasting := make(map[string]bool, len(tokens))
	for i := range tokens {
		t := &tokens[i]
		if t.Revoked || t.Expires != 0 {
			continue
		}
		if lasting[t.Name] {
			return fmt.Errorf("building keyring: two tokens are named %s; give the old one an expiry", t.Name)
		}
		lasting[t.Name] = true
	}
	return nil
}

// refuseDoubles refuses equal digests, which are always in one bucket.
func (k *Keyring) refuseDoubles() error {
	for b := range len(k.starts) - 1 {
		bucket := k.tokens[k.starts[b]:k.starts[b+1]]
		for i := range bucket {
			for j := range i {
				if bucket[i].digest.Equal(bucket[j].digest) {
					return fmt.Errorf("building keyring: tokens %s and %s are the same token (fp6 %s); every name needs a token of its own",
						bucket[j].Name, bucket[i].Name, bucket[i].Fingerprint())
				}
			}
		}
	}
	return nil
}

// Lookup returns the token with this digest and its verdict at a time. The token is
// nil exactly when the verdict is [VerdictUnknown].
func (k *Keyring) Lookup(digest Digest, now time.Time) (*Token, Verdict) {
	if k.Len() == 0 {
		return nil, VerdictUnknown
	}
	b := k.bucket(&digest)
	end := max(int(k.starts[b+1]), int(k.starts[b])+window)
	start := max(0, min(int(k.starts[b]), len(k.tokens)-window))
	found := -1
	for i := start; i < min(end, len(k.tokens)); i++ {
		same := subtle.ConstantTimeCompare(digest[:], k.digests[i][:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 {
		return nil, VerdictUnknown
	}
	return &k.tokens[found], k.tokens[found].VerdictAt(now)
}

// Len returns the number of tokens, the unusable ones included.
func (k *Keyring) Len() int {
	if k == nil {
		return 0
	}
	return len(k.tokens)
}

// Tokens calls yield for every token, in no particular order.
func (k *Keyring) Tokens(yield func(*Token) bool) {
	for i := range k.Len() {
		if !yield(&k.tokens[i]) {
			return
		}
	}
}

func (k *Keyring) bucket(d *Digest) uint64 { return k.hash(d) >> k.shift }

func (k *Keyring) hash(d *Digest) uint64 { return maphash.Bytes(k.seed, d[:]) }
