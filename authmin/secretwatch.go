package authmin

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// SecretInterval is how often a process looks at the files of its secrets. A
// change is taken at the second look that finds it, so that a file which is
// being written is not read halfway: it is in use within two intervals, well
// within a second.
const SecretInterval = 250 * time.Millisecond

// SecretEvent is what a look has found at one source.
type SecretEvent struct {
	Source *SecretSource
	// Err is why the last good secret stays in use, or why changes of the file
	// will not be seen; nil when a new secret is in use. It never holds a secret.
	Err error
}

// SecretWatch follows the files of secrets. There is no moment without a secret:
// a file that is gone, half-written, empty, or no regular file, and a secret that
// does not fit to the others, leave the last good one in use.
type SecretWatch struct {
	sources []*SecretSource
	take    func(next func(*SecretSource) Secret) error
	report  func(SecretEvent)
	fresh   bool // a candidate was read that has not been tried
}

// NewSecretWatch watches those of the sources that are files. take puts a set of
// secrets into use as a whole, or refuses it: two that must differ may be equal,
// or have to change together. report is told of every change and, once, of every
// problem.
func NewSecretWatch(sources []*SecretSource, take func(next func(*SecretSource) Secret) error, report func(SecretEvent)) *SecretWatch {
	w := &SecretWatch{take: take, report: report}
	for _, s := range sources {
		if s != nil && s.path != "" {
			w.sources = append(w.sources, s)
		}
	}
	return w
}

// Run looks until ctx ends.
func (w *SecretWatch) Run(ctx context.Context) {
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

// CheckMounts reports the files that are mounted by themselves; see
// [DetachedError].
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

// Look reads the files that have changed, and reports whether a secret that is in
// use did. It is not safe for concurrent use.
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

// ReadAll is Look, and reads every file at once: for an operator who says that
// they are ready.
func (w *SecretWatch) ReadAll() bool {
	for _, s := range w.sources {
		now := FileStateOf(s.path)
		s.noticed = now
		w.checkMount(s, now)
		w.read(s, now)
	}
	return w.Retry()
}

// read makes what is in a file the candidate of its source.
func (w *SecretWatch) read(s *SecretSource, state FileState) {
	s.seen = state
	if state.recent(time.Now()) {
		s.seen = FileState{}
	}
	secret, err := SecretFromFile(s.path)
	if err != nil {
		s.candidate = Secret{}
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			s.seen = FileState{} // what the system refused can pass without a trace in the file
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

// Retry puts what has been read into use: all of it, or, if that is refused, as
// much as fits, and reports whether a secret that is in use changed. What does
// not fit is tried again when another file changes, or when Retry is called
// because something else did.
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

// try offers the candidates of these sources together with the secrets that the
// others have in use.
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

// refuse reports a problem, once.
func (w *SecretWatch) refuse(s *SecretSource, err error) {
	if s.problem == err.Error() {
		return
	}
	s.problem = err.Error()
	w.report(SecretEvent{s, err})
}
