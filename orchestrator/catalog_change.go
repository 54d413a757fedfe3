package orchestrator

import (
	"context"
	"time"
)

// named reports whether a model's id or one of its aliases is another model's. mu is
// held, in full as well.
func (c *catalog) named(r ModelRequest) bool {
	for _, name := range append([]string{r.ID}, r.Aliases...) {
		_, isID := c.models[name]
		if of, isAlias := c.aliases[name]; isID || isAlias && of != r.ID {
			return true
		}
	}
	return false
}

// add enters a model.
func (c *catalog) add(ctx context.Context, who Who, r ModelRequest) (Model, error) {
	if err := checkModel(r); err != nil {
		return Model{}, err
	}
	m := Model{
		ModelRequest: r, State: ModelActive, Verification: Verification{Status: Unverified},
		CreatedBy: who.Identity, CreatedAt: c.now().UTC(),
	}
	return c.modify(ctx, modelKey(r.ID), func(next *cached[Model], found bool) (bool, error) {
		if found || next.revision > 0 || c.named(r) {
			return false, modelExists()
		}
		if c.full(who) {
			return false, fail(Busy, "CATALOG_FULL", "the catalog takes %d models, and is full or your share of it is; DELETE some", MaxModels)
		}
		next.value = m
		return true, nil
	})
}

// full reports whether the caller may enter no more models.
func (c *catalog) full(who Who) bool {
	own := int64(0)
	for _, m := range c.models {
		if m.value.CreatedBy == who.Identity {
			own++
		}
	}
	return !admits(MaxModels, int64(len(c.models)), own, 1)
}

func modelExists() *Error {
	return fail(Conflict, "MODEL_EXISTS", "the catalog has a model of this id or alias; DELETE it first")
}

func encodeModel(m Model) ([]byte, error) {
	value, err := encodePlain(m)
	if err == nil && len(value) > maxModelRecord {
		err = fail(TooLarge, "MODEL_TOO_LARGE", "the model's record is over %d bytes", maxModelRecord)
	}
	return value, err
}

// change writes a model down in its new form.
func (c *catalog) change(ctx context.Context, id string, f func(*Model)) (Model, error) {
	if _, err := c.find(ctx, id); err != nil {
		return Model{}, err
	}
	return c.modify(ctx, modelKey(id), func(next *cached[Model], found bool) (bool, error) {
		if !found {
			return false, noSuchModel()
		}
		f(&next.value)
		return true, nil
	})
}

// removeModel takes a model out and ends a check of it.
func (c *catalog) removeModel(ctx context.Context, id string) error {
	if _, err := c.find(ctx, id); err != nil {
		return err
	}
	return c.remove(ctx, modelKey(id))
}

// setState retires a model, after a while if asked, or brings it back.
func (c *catalog) setState(ctx context.Context, id string, state ModelState, in time.Duration) (Model, error) {
	return c.change(ctx, id, func(m *Model) {
		m.State, m.RetiredFrom = state, nil
		if state == ModelRetired {
			from := c.now().UTC().Add(in)
			m.RetiredFrom = &from
		}
	})
}
