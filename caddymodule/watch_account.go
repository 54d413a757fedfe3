package caddymodule

import (
	"slices"
	"time"

	"github.com/llorch/gateway/authmin"
)

// WatchedAccount is what the holder of a token may know of it at the guards of the
// configuration: the same that each of them answers at /_llorch/me.
type WatchedAccount struct {
	Models  []string        `json:"models,omitempty"`  // none: every model
	Expires string          `json:"expires,omitempty"` // RFC 3339; none: never
	Guards  int             `json:"guards"`            // that answer
	Shown   int             `json:"shown"`             // of them, whose limits and budgets are here
	Limits  []WatchedLimit  `json:"limits"`
	Budgets []WatchedBudget `json:"budgets"`
}

// WatchedLimit is the limit of a guard for each identity.
type WatchedLimit struct {
	Guard string `json:"guard"`
	meLimit
}

// WatchedBudget is a budget of an identity.
type WatchedBudget struct {
	Identity string `json:"identity,omitempty"` // "" for the reader's own
	meBudget
}

// WatchedAccount returns what the holder of a token may know of it, at no more than limit
// guards. Guards in shadow mode answer nothing; those of pages have neither limits nor
// budgets.
func (a *App) WatchedAccount(c Caller, limit int) *WatchedAccount {
	now := time.Now()
	account := &WatchedAccount{Limits: []WatchedLimit{}, Budgets: []WatchedBudget{}}
	token, verdict := a.store.keyring().Lookup(c.digest, now)
	if verdict != authmin.VerdictValid {
		return account
	}
	d := &authmin.Decision{Allow: true, Name: token.Name, Scopes: token.Scopes, Models: token.Models, Budgets: token.Budgets, Token: token}
	for _, g := range a.guards.all() {
		if g.Shadow {
			continue
		}
		if account.Guards++; account.Guards > limit {
			continue
		}
		account.Shown++
		me := g.me(d, now)
		account.Models, account.Expires = me.Models, me.Expires
		if me.Limit != nil {
			account.Limits = append(account.Limits, WatchedLimit{g.Name, *me.Limit})
		}
		for _, b := range me.Budgets {
			if b.Of == ofGuard {
				b.Of += " " + g.Name
			}
			if !slices.ContainsFunc(account.Budgets, func(o WatchedBudget) bool { return o.isCount(&b) }) {
				account.Budgets = append(account.Budgets, WatchedBudget{meBudget: b})
			}
		}
	}
	return account
}

// isCount reports whether two budgets are one count: that of a token or a scope is the same
// at every guard.
func (b *meBudget) isCount(other *meBudget) bool {
	return b.Of == other.Of && b.Unit == other.Unit && b.Period == other.Period && b.Shadow == other.Shadow
}
