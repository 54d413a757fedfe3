package caddymodule

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
)

// errElsewhere stands for what this module does not get to see.
var errElsewhere = errors.New("another part of it was refused; the gateway's log says which")

// configurations numbers the configurations of this process.
var configurations atomic.Uint64

// rejection remembers why a configuration is refused, for the trail of the one that
// stays in force.
type rejection struct {
	number uint64 // of the configuration

	mu    sync.Mutex
	cause error
}

// because notes the first error, if there is one.
func (r *rejection) because(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == nil {
		r.cause = err
	}
}

// tellRejected writes to the trail in force that a newer configuration is given up
// before it was in force. Without a running gateway (`validate`, a first start)
// there is none, and the command's own message says why.
func (a *App) tellRejected() {
	running, err := caddy.ActiveContext().AppIfConfigured(AppName)
	if err != nil {
		return
	}
	app, ok := running.(*App)
	if !ok || app.rejection.number >= a.rejection.number { // that is how a configuration ends that was in force
		return
	}
	a.rejection.mu.Lock()
	defer a.rejection.mu.Unlock()
	if a.rejection.cause == nil {
		a.rejection.cause = errElsewhere
	}
	app.audit.configRejected("configuration", a.rejection.cause)
}
