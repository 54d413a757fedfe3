package caddymodule

import (
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

// A request may be older than the configuration: its own keyring is then not followed any
// more, and that of the configuration which runs decides, too.
func TestACallerOfAnOlderConfigurationFollowsTheKeyringOfTheNewer(t *testing.T) {
	secret := authmin.RandomSecret()
	ring := func(scopes ...authmin.Scope) *authmin.Keyring {
		ring, err := authmin.NewKeyring([]authmin.Token{authmin.NewToken("me", secret, scopes...)})
		if err != nil {
			t.Fatal(err)
		}
		return ring
	}
	digest, _ := authmin.ParseBearer([]string{"Bearer " + secret.Reveal()})
	c := Caller{Name: "me", Scopes: []authmin.Scope{authmin.ScopeAdmin}, digest: digest}
	older := &App{store: &tokenStore{}, state: &processState{live: new(liveSet)}}
	older.store.current.Store(ring(authmin.ScopeAdmin))
	if !older.IsCurrent(c) {
		t.Error("the caller is not current before any sweep")
	}
	older.state.live.sweep(ring(authmin.ScopeAdmin), time.Now())
	if !older.IsCurrent(c) {
		t.Error("the caller is not current")
	}
	older.state.live.sweep(ring(authmin.ScopeInfer), time.Now())
	if older.IsCurrent(c) {
		t.Error("the caller is current with scopes that its token has lost")
	}
}
