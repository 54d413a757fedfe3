package orchestrator

import (
	"container/list"
	"encoding/json"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// maxKeys bounds the Idempotency-Keys of the last 24 h: at 324 bytes each on disk
// they fill nine tenths of their bucket. One identity alone may make four a second.
const maxKeys = 380_000

// keptKeys counts the Idempotency-Keys that are kept, by identity: the bucket is one
// for all, and a caller that fills it would leave no other a key. What is kept
// without an identity was written by an older version, and is gone within a day.
type keptKeys struct {
	now    func() time.Time
	shares *Shares

	mu    mutex[lockKeys]
	known map[string]bool // by key
	order *list.List      // of kept keys, the oldest first
}

type keptKey struct {
	key, owner string
	until      time.Time
}

func newKeptKeys(now func() time.Time) *keptKeys {
	return &keptKeys{now: now, shares: NewShares(maxKeys), known: make(map[string]bool), order: list.New()}
}

// observe takes over a key from the store.
func (k *keptKeys) observe(e store.Entry) {
	var kept idempotent
	if e.Deleted || json.Unmarshal(e.Value, &kept) != nil {
		return
	}
	k.add(e.Key, kept.Owner, e.Created)
}

// add counts a key that was written at that time.
func (k *keptKeys) add(key, owner string, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if until := at.Add(store.IdempotencyTTL); !k.known[key] && k.now().Before(until) {
		k.known[key] = true
		k.order.PushBack(keptKey{key, owner, until})
		k.shares.Add(owner, 1)
	}
}

// admits reports whether the identity may have one more key.
func (k *keptKeys) admits(owner string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for el := k.order.Front(); el != nil && !now.Before(el.Value.(keptKey).until); el = k.order.Front() {
		expired := k.order.Remove(el).(keptKey)
		delete(k.known, expired.key)
		k.shares.Add(expired.owner, -1)
	}
	return k.shares.Admits(owner, 1)
}

// keyOwner names an identity in what is kept of its keys.
func keyOwner(identity string) string { return keyOf("", identity)[:16] }
