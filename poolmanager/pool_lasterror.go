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
		text = fmt.Sprintf("draining: no new task is taken, %d still run", len(p.taken))
	case StateStopping:
		text = "stopping: it was told to stop"
		if p.unloading {
			text = "stopping: the engine is being unloaded, it was idle or another needs its memory"
		}
	case StateStopped:
		text = p.stoppedText()
	}
	if p.lastErr != "" {
		text += "; it last failed with " + p.lastErr
	}
	return text
}

func (p *pool) startingText() string {
	switch {
	case p.progress != nil && p.progress.Phase == nodeapi.PhaseDownloading && p.progress.TotalBytes > 0:
		return fmt.Sprintf("its model is being downloaded, %d of %d bytes are here", p.progress.DoneBytes, p.progress.TotalBytes)
	case p.progress != nil && p.progress.Phase == nodeapi.PhaseDownloading:
		return "its model is being downloaded"
	case p.waitsForMemory:
		return "it waits for memory that other engines hold"
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
		return "stopped: it was told to stop; a preload starts it"
	}
	return "stopped: it was not started; a preload starts it"
}

// failedText is the failure, and the state of an open breaker. The end of an ordinary
// wait is in next_start.
func (p *pool) failedText() string {
	text := p.lastErr
	if text == "" {
		text = "failed"
	}
	if p.breaker == breakerOpen {
		text += fmt.Sprintf("; it failed %d times within %v, or again at its one new try: the next start is at %s, or at a preload",
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
