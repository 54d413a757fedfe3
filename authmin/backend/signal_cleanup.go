package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Cleanups undo the steps of a start: the last step first. Each has a name, for
// errors, and is waited for until its context has ended and a second more.
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
		for _, step := range slices.Backward(c.steps) {
			if err := bounded(ctx, step.f); err != nil {
				c.err = errors.Join(c.err, fmt.Errorf("stopping %s: %w", step.name, err))
			}
		}
	})
	return c.err
}
