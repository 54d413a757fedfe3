package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// stopGrace is how long a stop goes on after its context has ended: its steps have to
// notice that.
const stopGrace = 500 * time.Millisecond

// errAbandoned is the error of a step that did not end within the limit.
var errAbandoned = errors.New("did not end in time")

// Cleanups undo the steps of a start, the last step first. Each has a name, for errors.
// Run waits for all of them until its context ends, and for half a second more.
type Cleanups struct {
	steps []cleanup
	once  sync.Once
	err   error
}

type cleanup struct {
	name string
	f    func(context.Context) error
}

// Push adds what undoes the step that was just taken.
func (c *Cleanups) Push(name string, f func(context.Context) error) {
	c.steps = append(c.steps, cleanup{name, f})
}

// Run undoes all of them, whatever fails, and joins the errors. A further call returns
// what the first one did.
func (c *Cleanups) Run(ctx context.Context) error {
	c.once.Do(func() {
		end := make(chan struct{})
		forget := context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, func() { close(end) }) })
		defer forget()
		for _, step := range slices.Backward(c.steps) {
			if err := step.run(ctx, end); err != nil {
				c.err = errors.Join(c.err, fmt.Errorf("stopping %s: %w", step.name, err))
			}
		}
	})
	return c.err
}

// run waits for a step, until end at the latest.
func (s cleanup) run(ctx context.Context, end <-chan struct{}) error {
	done := make(chan error, 1)
	go func() { done <- s.f(ctx) }()
	select {
	case err := <-done:
		return err
	case <-end:
		return errAbandoned
	}
}
