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
func (c *catalog) verify(ctx context.Context, id string) (Model, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.checks[id] != nil {
		return c.models[id].Model, nil // it is being done
	}
	if len(c.checks) >= maxChecks {
		return Model{}, fail(Busy, "TOO_MANY_VERIFICATIONS", "%d models are being verified", maxChecks)
	}
	m, err := c.change(ctx, id, func(m *Model) { m.Verification = Verification{Status: Verifying} })
	if err == nil {
		c.begin(m)
	}
	return m, err
}

// check is one verification that waits or runs.
type check struct{ cancel context.CancelFunc }

// begin starts the check of a model. mu is held.
func (c *catalog) begin(m Model) {
	ctx, cancel := context.WithCancel(c.ctx)
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

// finish writes down what a check found, unless the model is gone. A check that a stop interrupts stays open in the record, and
// is taken up at the next start.
func (c *catalog) finish(ctx context.Context, job *check, m Model, v Verification) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil || c.checks[m.ID] != job {
		return
	}
	delete(c.checks, m.ID)
	at := c.now().UTC()
	v.CheckedAt = &at
	if _, err := c.change(context.WithoutCancel(ctx), m.ID, func(m *Model) { m.Verification = v }); err != nil {
		c.log.Error("writing down a verification", "model_id", m.ID, "error", err)
		return
	}
	c.checked(string(v.Status))
	c.log.Info("model checked", "model_id", m.ID, "status", v.Status, "reason", v.Reason, "read_bytes", v.ReadBytes)
}
