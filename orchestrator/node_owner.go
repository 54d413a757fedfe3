package orchestrator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/store"
)

// observeOwner takes over who owns a node id.
func (ns *nodes) observeOwner(e store.Entry) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if e.Deleted {
		if n := ns.byID[e.Key]; n != nil && n.info.Owner == ns.owners[e.Key] {
			ns.forget(e.Key) // an administrator has freed the id
		}
		delete(ns.owners, e.Key)
		delete(ns.awaited, e.Key)
		return
	}
	if _, known := ns.owners[e.Key]; !known && ns.byID[e.Key] == nil {
		ns.awaited[e.Key] = true
	}
	ns.owners[e.Key] = string(e.Value)
	if n := ns.byID[e.Key]; n != nil && ns.disowned(e.Key, n.said) {
		ns.forget(e.Key) // the id was freed and claimed; a watch gives the last value alone
	}
}

// returning is how long nodes that were registered before the start may still take to
// register again; 0 when all have, or that time is over.
func (ns *nodes) returning() time.Duration {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if len(ns.awaited) == 0 {
		return 0
	}
	return max(0, returnWithin-ns.now().Sub(ns.started))
}

func (ns *nodes) ownedIDs() []string {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return slices.Collect(maps.Keys(ns.owners))
}

// tokenFor gives the credential for a node: its own, or the shared one if the
// operator has named this very address.
func (ns *nodes) tokenFor(own, base string) (token authmin.Secret, shared bool, err error) {
	if own != "" {
		if _, presented := authmin.ParseBearer([]string{"Bearer " + own}); presented != authmin.PresentedToken {
			return authmin.Secret{}, false, fail(Invalid, "INVALID_NODE", "dispatch_token is not a bearer token")
		}
		return authmin.NewSecret(own), false, nil
	}
	if slices.Contains(ns.fallbacks, base) && ns.fallback != nil && !ns.fallback().IsZero() {
		return ns.fallback(), true, nil
	}
	return authmin.Secret{}, false, fail(Invalid, "NODE_WITHOUT_TOKEN",
		"send a dispatch_token, or have the operator put this address on node_addresses")
}

// credentialOf returns a function that gives a node's token at each call: the shared
// token may change while the node stays registered.
func (ns *nodes) credentialOf(said sharedNode) func() authmin.Secret {
	token := authmin.NewSecret(said.Token)
	return func() authmin.Secret {
		if said.SharedToken && ns.fallback != nil && slices.Contains(ns.fallbacks, said.Address) {
			return ns.fallback()
		}
		return token
	}
}

// claim makes the caller the owner of the id, or refuses.
func (ns *nodes) claim(ctx context.Context, who Who, id string) error {
	ns.mu.Lock()
	owner, taken := ns.owners[id]
	if n := ns.byID[id]; !taken && n != nil {
		// Another replica has claimed it, and its message was faster than the record.
		taken = n.info.Owner == who.Identity
		owner = n.info.Owner
	}
	count := 0
	for _, o := range ns.owners {
		if o == who.Identity {
			count++
		}
	}
	full := len(ns.owners) >= maxOwners || count >= maxOwned
	ns.mu.Unlock()
	if taken {
		return owns(owner, who)
	}
	if full {
		return fail(Busy, "TOO_MANY_NODES", "an administrator can DELETE node ids that are no longer used")
	}
	_, err := ns.owned.Create(ctx, id, []byte(who.Identity))
	if errors.Is(err, store.ErrExists) { // a concurrent call created it
		e, err := ns.owned.Get(ctx, id)
		if err != nil {
			return err
		}
		return owns(string(e.Value), who)
	}
	if err != nil {
		return err
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.owners[id] = who.Identity
	return nil
}

func owns(owner string, who Who) error {
	if owner == who.Identity {
		return nil
	}
	return fail(Forbidden, "NODE_OWNED", "another identity registered this node_id first; choose another, or have an administrator DELETE it")
}
