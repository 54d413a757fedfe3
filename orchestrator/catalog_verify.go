package orchestrator

import (
	"context"
	"errors"
	"fmt"
)

const (
	// maxReading is how many sources are read at once: a disk or a link is the
	// limit, and tasks need the processors.
	maxReading = 2
	// maxChecks is how many checks may wait or run.
	maxChecks = 64
)

// verify has a model's bytes read in the background; the record says how it went.
// The scheduler's replica reads them: it sees what is asked for in the record.
func (c *catalog) verify(ctx context.Context, id string) (Model, error) {
	m, err := c.find(ctx, id)
	switch {
	case err != nil:
		return Model{}, err
	case m.Verification.Status == Verifying:
		return m, nil // it is being done
	case c.verifying() >= maxChecks:
		return Model{}, fail(Busy, "TOO_MANY_VERIFICATIONS", "%d models are being verified", maxChecks)
	}
	return c.change(ctx, id, func(m *Model) { m.Verification = Verification{Status: Verifying} })
}

func (c *catalog) verifying() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.models {
		if m.value.Verification.Status == Verifying {
			n++
		}
	}
	return n
}

// lead makes this replica the one that verifies models, until leaderCtx ends. It resumes
// what a stop or another replica left unfinished.
func (c *catalog) lead(leaderCtx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.checks {
		c.stopCheck(id)
	}
	c.leaderCtx = leaderCtx
	for _, m := range c.models {
		c.consider(m.value)
	}
}

// consider begins the check of a model that waits for one. mu is held, here and
// below.
func (c *catalog) consider(m Model) {
	if c.leaderCtx != nil && c.leaderCtx.Err() == nil && m.Verification.Status == Verifying && c.checks[m.ID] == nil {
		c.begin(m)
	}
}

func (c *catalog) stopCheck(id string) {
	if job := c.checks[id]; job != nil {
		job.cancel()
		delete(c.checks, id)
	}
}

// check is one verification that waits or runs.
type check struct{ cancel context.CancelFunc }

// begin starts the check of a model.
func (c *catalog) begin(m Model) {
	ctx, cancel := context.WithCancel(c.leaderCtx)
	job := &check{cancel}
	c.checks[m.ID] = job
	c.work.Go(func() {
		defer cancel()
		select {
		case c.reading <- struct{}{}:
			c.finish(ctx, job, m, c.compare(ctx, m))
			<-c.reading
		case <-ctx.Done():
		}
	})
}

// compare reads the source to its end.
func (c *catalog) compare(ctx context.Context, m Model) Verification {
	digest, size, err := c.sources.digest(ctx, m.SourceURL)
	v := Verification{Status: NotVerified, ReadBytes: size}
	told, forRecord := errors.AsType[errSource](err)
	switch {
	case forRecord:
		v.Reason = told.reason
	case err != nil:
		c.log.Warn("model could not be read", "model_id", m.ID, "error", err)
		v.Reason = "the source could not be read to its end; the log says why"
	case digest != m.Digest:
		v.Reason = fmt.Sprintf("the digest of what was read is %s", digest)
	case m.TrustPolicy != "" && m.TrustPolicy != "digest":
		v.Reason = "the digest is right, but trust_policy asks for more than the digest, and nothing else is checked"
	default:
		v.Status = Verified
	}
	return v
}

// finish writes down what a check found, unless the model is gone. A check that a
// stop interrupts stays open in the record, and is taken up at the next start.
func (c *catalog) finish(ctx context.Context, job *check, m Model, v Verification) {
	c.mu.Lock()
	current := ctx.Err() == nil && c.checks[m.ID] == job
	c.mu.Unlock()
	if !current {
		return
	}
	at := c.now().UTC()
	v.CheckedAt = &at
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), persistTimeout)
	defer cancel()
	_, err := c.change(writing, m.ID, func(now *Model) {
		if now.CreatedAt.Equal(m.CreatedAt) { // else it is another model
			now.Verification = v
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.checks[m.ID] == job {
		delete(c.checks, m.ID)
	}
	if err != nil {
		c.log.Error("could not persist verification", "model_id", m.ID, "error", err)
		if again := c.models[m.ID]; again != nil {
			c.consider(again.value)
		}
		return
	}
	c.checked(string(v.Status))
	c.log.Info("model checked", "model_id", m.ID, "status", v.Status, "reason", v.Reason, "read_bytes", v.ReadBytes)
}
