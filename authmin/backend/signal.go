package backend

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// StopSignals is a context that ends at SIGTERM or SIGINT. After stop they end the
// process again.
func StopSignals(parent context.Context) (ctx context.Context, stop context.CancelFunc) {
	return signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
}

// IgnoreHangUps is for a program that has nothing to reload: a terminal that closes,
// or pkill -HUP, must not end it.
func IgnoreHangUps() { signal.Ignore(syscall.SIGHUP) }

// hangUps passes SIGHUP on. One that waits says all that several would.
func hangUps() (hangUps <-chan os.Signal, done func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// serve starts the daemon and stops it when ctx ends, or when it fails.
func (p Program) serve(ctx context.Context, hangUps <-chan os.Signal, r *reloader) error {
	service, err := r.started.daemon.Start(ctx, r.log)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped while it started
	}
	if err != nil {
		return err
	}
	r.service = service
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	ended := make(chan struct{})
	go func() { defer close(ended); r.run(watching, hangUps) }()
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-service.Failed():
	}
	stopWatching()
	<-ended
	r.log.Info("stopping")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), service.StopLimit())
	defer cancel()
	var stop Cleanups
	stop.Push(p.Name, service.Stop)
	return errors.Join(failed, stop.Run(stopping))
}
