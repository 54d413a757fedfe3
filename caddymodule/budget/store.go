package budget

import (
	"errors"
	"time"
)

// syncInterval is how often the journal is synced, and so what a power cut may lose.
const syncInterval = time.Second

// Start locks the directory, reads the journal, and begins to sync it once a second. A
// started ledger is left as it is. The first Reserve does the same, since Caddy may serve
// before it starts the app.
func (l *Ledger) Start() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start()
}

// begin is start for a request. It logs why the journal cannot be opened, when the reason
// changes: the client's answer does not say it.
func (l *Ledger) begin() error {
	err := l.start()
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	if reason != l.closed && err != nil && l.options.Log != nil {
		l.options.Log().Error("cannot open the journal of budgets; requests with a budget are refused", "error", err)
	}
	l.closed = reason
	return err
}

func (l *Ledger) start() error {
	if l.journal != nil || l.ended {
		return nil
	}
	j, err := openJournal(l.options.Directory)
	if err != nil {
		return err
	}
	if err := l.load(j); err != nil {
		_ = j.close()
		return err
	}
	l.journal, l.stop, l.stopped = j, make(chan struct{}), make(chan struct{})
	go l.run(l.stop, l.stopped)
	return nil
}

// load reads the counts of a journal.
func (l *Ledger) load(j *journal) error {
	l.accounts, l.named = map[string]*account{}, 0
	torn, err := j.read(func(at int64, a *account) {
		if seen := time.Unix(at, 0); seen.After(l.latest) {
			l.latest = seen
		}
		l.accounts[a.key] = a
	})
	if err != nil {
		return err
	}
	for _, a := range l.accounts {
		if a.named {
			l.named++
		}
	}
	if torn > 0 && l.options.Log != nil {
		l.options.Log().Warn("the last write to the journal of budgets was torn and is dropped", "path", j.path, "bytes", torn)
	}
	if ahead := l.latest.Sub(l.options.Now()); ahead > time.Minute && l.options.Log != nil {
		l.options.Log().Warn("the journal of budgets is ahead of the clock: its windows stay until the clock reaches them", "path", j.path, "ahead", ahead.Round(time.Second).String())
	}
	return nil
}

// run syncs the journal until stop is closed.
func (l *Ledger) run(stop <-chan struct{}, stopped chan<- struct{}) {
	defer close(stopped)
	ticker := time.NewTicker(syncInterval)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			_ = l.tick() // logged
		}
	}
}

// tick maintains the journal. It keeps the outcome, and logs the first error of several.
func (l *Ledger) tick() error {
	l.ticking.Lock()
	defer l.ticking.Unlock()
	err := l.maintain()
	l.mu.Lock()
	before := l.broken
	l.broken = err
	l.mu.Unlock()
	if err != nil && before == nil && l.options.Log != nil {
		l.options.Log().Error("cannot write the journal of budgets; requests with a budget are refused", "error", err)
	}
	return err
}

// maintain writes what could not be written before, syncs the file, and replaces it when it has
// grown, or was deleted, or could not be synced: after a failed sync the kernel may have
// dropped what was written before. No request waits for a sync.
func (l *Ledger) maintain() error {
	l.mu.Lock()
	if len(l.accounts) > l.options.Accounts/2 {
		l.forgetIdle(l.now())
	}
	writing := l.write(nil)
	j, f, size, synced := l.journal, l.journal.f, l.journal.size, l.synced
	l.mu.Unlock()
	var err error
	if size != synced {
		err = j.sync(f)
	}
	l.mu.Lock()
	if err != nil {
		l.failing = err
	}
	replaces := l.failing != nil || hasGrown(size, l.replaced) || !j.isInPlace()
	if !replaces {
		l.synced = size
	}
	l.mu.Unlock()
	if !replaces {
		return writing
	}
	err = l.replace()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing = err
	return err
}

// write appends the counts that changed: those of a request, and those of earlier writes
// that failed.
func (l *Ledger) write(shares []share) error {
	if l.journal == nil {
		return errors.New("it is not open")
	}
	for i := range shares {
		if a := shares[i].account; !a.dirty {
			a.dirty = true
			l.unwritten = append(l.unwritten, a)
		}
		if a := shares[i].account; l.replacing && !a.changed {
			a.changed = true
			l.changed = append(l.changed, a)
		}
	}
	if l.failing != nil || len(l.unwritten) == 0 {
		return l.failing
	}
	l.lines = l.lines[:0]
	for _, a := range l.unwritten {
		l.lines = appendLine(l.lines, l.latest, a)
	}
	if err := l.journal.append(l.lines); err != nil {
		return err
	}
	l.clean()
	return nil
}

// clean notes that the journal has all counts.
func (l *Ledger) clean() {
	for _, a := range l.unwritten {
		a.dirty = false
	}
	l.unwritten = l.unwritten[:0]
}

// Stop syncs and closes the journal. Reservations that have not ended stay charged in it.
func (l *Ledger) Stop() error {
	l.mu.Lock()
	j := l.journal
	l.ended = true
	l.mu.Unlock()
	if j == nil {
		return nil
	}
	close(l.stop)
	<-l.stopped
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.write(nil)
	l.journal = nil
	if closing := j.close(); err == nil {
		err = closing
	}
	return err
}
