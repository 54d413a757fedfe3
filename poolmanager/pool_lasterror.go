package poolmanager

import (
	"fmt"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// lastErrorText is the last_error of the status: for a pool that is not ready, the cause
// and what it waits for; for a ready one its last failure, if any. The caller holds the
// lock.
func (p *pool) lastErrorText() string {
	text := ""
	switch p.state {
	case StateReady:
		return p.lastErr
	case StateFailed:
		return p.failedText()
	case StateStarting:
		text = "starting: " + p.startingText()
	case StateDraining:
		text = fmt.Sprintf("draining: no new tasks are admitted, %d still run", len(p.taken))
	case StateStopping:
		text = "stopping: a stop was requested"
		if p.unloading {
			text = "stopping: unloading the engine, it was idle or another engine needs its memory"
		}
	case StateStopped:
		text = p.stoppedText()
	}
	if p.lastErr != "" {
		text += "; last failure: " + p.lastErr
	}
	return text
}

func (p *pool) startingText() string {
	switch {
	case p.progress != nil && p.progress.Phase == nodeapi.PhaseDownloading && p.progress.TotalBytes > 0:
		return fmt.Sprintf("downloading the model, %d of %d bytes", p.progress.DoneBytes, p.progress.TotalBytes)
	case p.progress != nil && p.progress.Phase == nodeapi.PhaseDownloading:
		return "downloading the model"
	case p.waitsForMemory:
		return "waiting for memory that other engines hold"
	case p.unanswered != "":
		return "the engine is not ready yet: " + p.unanswered
	}
	return "the engine is being started"
}

func (p *pool) stoppedText() string {
	switch {
	case p.takes():
		return "stopped: the first task starts the engine"
	case p.ending:
		return "stopped: a stop was requested; a preload starts it"
	}
	return "stopped: not started yet; a preload starts it"
}

// failedText is the failure, and the state of an open breaker. The end of an ordinary
// wait is in next_start.
func (p *pool) failedText() string {
	text := p.lastErr
	if text == "" {
		text = "failed"
	}
	if p.breaker == breakerOpen {
		text += fmt.Sprintf("; circuit breaker open (%d failures within %v, or a failed retry): next start at %s, or at a preload",
			breakerCount, breakerWindow, p.nextStart.Format(time.RFC3339))
	}
	return text
}

// nextStartTime is when a failed pool tries again; nil when it does not wait for that.
// The caller holds the lock.
func (p *pool) nextStartTime() *time.Time {
	if p.state != StateFailed || p.nextStart.IsZero() {
		return nil
	}
	at := p.nextStart
	return &at
}

// noteUnanswered records why a start is not finished yet.
func (p *pool) noteUnanswered(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unanswered = err.Error()
}
