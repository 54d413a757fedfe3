package authmin

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// SecretInterval is how often a process polls the files of its secrets. A changed
// file is read when two polls find the same state, so that it is not read while it
// is being written: the new secret is in use within a second.
const SecretInterval = 250 * time.Millisecond

// SecretEvent is a change or a problem of one source.
type SecretEvent struct {
	Source *SecretSource
	// Err is why the last valid secret stays in use, or why changes of the file
	// cannot be seen; nil when a new secret is in use. It never contains a secret.
	Err error
}

// SecretWatch polls the files of secrets. The last valid secret stays in use while a
// file is missing, half-written, empty or not a regular file, and while its secret
// conflicts with another one.
type SecretWatch struct {
	sources []*SecretSource
	take    func(next func(*SecretSource) Secret) error
	report  func(SecretEvent)
	fresh   bool // a candidate was read and not tried yet
}

// NewSecretWatch watches the sources that are files. take puts a set of secrets into
// use as a whole or refuses it, for example because two that must differ are equal.
// report is called for every change and once for every problem.
func NewSecretWatch(sources []*SecretSource, take func(next func(*SecretSource) Secret) error, report func(SecretEvent)) *SecretWatch {
	w := &SecretWatch{take: take, report: report}
	for _, s := range sources {
		if s != nil && s.path != "" {
			w.sources = append(w.sources, s)
		}
	}
	return w
}

// HasFiles reports whether there is anything to watch.
func (w *SecretWatch) HasFiles() bool { return len(w.sources) > 0 }

// Run polls until ctx ends.
func (w *SecretWatch) Run(ctx context.Context) {
	if !w.HasFiles() {
		<-ctx.Done()
		return
	}
	ticker := time.NewTicker(SecretInterval)
	defer ticker.Stop()
	w.CheckMounts()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			w.Look()
		}
	}
}

// CheckMounts reports files that are mounted by themselves; see [DetachedError].
func (w *SecretWatch) CheckMounts() {
	for _, s := range w.sources {
		w.checkMount(s, FileStateOf(s.path))
	}
}

func (w *SecretWatch) checkMount(s *SecretSource, state FileState) {
	err := DetachedError(s.path, state)
	if err == nil {
		s.detached = ""
		return
	}
	if s.detached != err.Error() {
		s.detached = err.Error()
		w.report(SecretEvent{s, err})
	}
}

// Unusable counts the sources whose file is not in use as it is now: it cannot be read,
// its content is refused, or its replacement cannot be seen. It is for the goroutine that
// calls [SecretWatch.Look].
func (w *SecretWatch) Unusable() int {
	count := 0
	for _, s := range w.sources {
		if s.problem != "" || s.detached != "" {
			count++
		}
	}
	return count
}

// Look reads the files that have changed, and reports whether a secret in use
// changed. It is not safe for concurrent use.
func (w *SecretWatch) Look() bool {
	for _, s := range w.sources {
		now := FileStateOf(s.path)
		if now == s.seen {
			s.noticed = now
			continue
		}
		if now != s.noticed {
			s.noticed = now
			w.checkMount(s, now)
			continue
		}
		w.read(s, now)
	}
	return w.fresh && w.Retry()
}

// ReadAll reads every file at once, without waiting for a second poll: for a reload
// that an operator asks for.
func (w *SecretWatch) ReadAll() bool {
	for _, s := range w.sources {
		now := FileStateOf(s.path)
		s.noticed = now
		w.checkMount(s, now)
		w.read(s, now)
	}
	return w.Retry()
}

// read reads a file and makes its secret the candidate of the source.
func (w *SecretWatch) read(s *SecretSource, state FileState) {
	s.seen = state
	if state.recent(time.Now()) {
		s.seen = FileState{}
	}
	secret, err := SecretFromFile(s.path)
	if err != nil {
		s.candidate = Secret{}
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			s.seen = FileState{} // an error of the system can end without a change of the file
		}
		w.refuse(s, err)
		return
	}
	if secret.Equal(s.Secret()) {
		s.candidate, s.problem = Secret{}, ""
		return
	}
	s.candidate, w.fresh = secret, true
}

// Retry puts the candidates into use: all of them, or, if take refuses that, each one
// that it accepts alone. It reports whether a secret in use changed. Refused
// candidates are tried again when another file changes and at the next Retry.
func (w *SecretWatch) Retry() bool {
	w.fresh = false
	var waiting []*SecretSource
	for _, s := range w.sources {
		if !s.candidate.IsZero() {
			waiting = append(waiting, s)
		}
	}
	if len(waiting) == 0 {
		return false
	}
	if w.try(waiting) == nil {
		return true
	}
	taken := false
	for again := true; again; {
		again = false
		for _, s := range waiting {
			if s.candidate.IsZero() {
				continue
			}
			if err := w.try([]*SecretSource{s}); err != nil {
				w.refuse(s, err)
				continue
			}
			taken, again = true, true
		}
	}
	return taken
}

// try offers the candidates of these sources, with the secrets in use of the others.
func (w *SecretWatch) try(with []*SecretSource) error {
	err := w.take(func(s *SecretSource) Secret {
		for _, candidate := range with {
			if candidate == s {
				return s.candidate
			}
		}
		return s.Secret()
	})
	if err != nil {
		return err
	}
	for _, s := range with {
		secret := s.candidate
		s.current.Store(&secret)
		s.candidate, s.problem = Secret{}, ""
		w.report(SecretEvent{Source: s})
	}
	return nil
}

// refuse reports a problem once.
func (w *SecretWatch) refuse(s *SecretSource, err error) {
	if s.problem == err.Error() {
		return
	}
	s.problem = err.Error()
	w.report(SecretEvent{s, err})
}
