package caddymodule

import (
	"cmp"
	"slices"
	"time"
)

// WatchedToken describes a token for the page, without its secret or hash.
type WatchedToken struct {
	tokenEntry
	LastSeen *time.Time `json:"last_seen,omitempty"` // since this process started
}

// Watch returns what is remembered for the page; nil if the configuration has none.
func (a *App) Watch() *Watch { return a.watched }

// WatchedTokens returns at most limit tokens, those that were used last first, and how
// many there are. With a name it returns the tokens of that name alone.
func (a *App) WatchedTokens(name string, limit int) (tokens []WatchedToken, total int) {
	now := time.Now()
	unseen := 0
	for t := range a.store.keyring().Tokens {
		if name != "" && t.Name != name {
			continue
		}
		total++
		at := a.watched.lastSeen(tokenID{t.Name, t.Fingerprint()})
		if at.IsZero() {
			if unseen++; unseen > limit {
				continue // of a large keyring, those that are used
			}
		}
		entry := WatchedToken{tokenEntry: entryOf(t, now)}
		if !at.IsZero() {
			entry.LastSeen = new(at.UTC())
		}
		tokens = append(tokens, entry)
	}
	slices.SortFunc(tokens, func(a, b WatchedToken) int {
		return cmp.Or(-compareTimes(a.LastSeen, b.LastSeen), cmp.Compare(a.Name, b.Name), cmp.Compare(a.FP6, b.FP6))
	})
	return tokens[:min(len(tokens), limit)], total
}

// compareTimes compares two times; none is before every other.
func compareTimes(a, b *time.Time) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.Compare(*b)
}

// LockedClient is a client that is locked out, and until when.
type LockedClient = lockedClient

// LockedClients returns at most limit clients that are locked out, and how many there are.
func (a *App) LockedClients(limit int) (clients []LockedClient, total int) {
	return a.state.lockouts.list(time.Now(), limit)
}
