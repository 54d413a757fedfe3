package caddymodule

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
)

// errOtherModule stands for an error of another module, which this one cannot see.
var errOtherModule = errors.New("another part of the configuration was refused; see the gateway's log")

// configurations numbers the configurations of this process.
var configurations atomic.Uint64

// rejection holds why a configuration is refused, for the audit trail of the
// configuration that stays in use.
type rejection struct {
	number uint64 // of the configuration

	mu    sync.Mutex
	cause error
}

// setCause keeps the first error.
func (r *rejection) setCause(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == nil {
		r.cause = err
	}
}

// recordRejection records in the running configuration's audit trail that a newer
// configuration was refused. Without a running gateway (`validate`, a first start) there
// is no trail, and the command prints the error.
func (a *App) recordRejection() {
	running, err := caddy.ActiveContext().AppIfConfigured(AppName)
	if err != nil {
		return
	}
	app, ok := running.(*App)
	if !ok || app.rejection.number >= a.rejection.number { // this configuration was in use, and a newer one replaced it
		return
	}
	a.rejection.mu.Lock()
	defer a.rejection.mu.Unlock()
	if a.rejection.cause == nil {
		a.rejection.cause = errOtherModule
	}
	app.audit.configRejected("configuration", a.rejection.cause)
}
