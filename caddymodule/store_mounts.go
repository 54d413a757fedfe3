package caddymodule

import (
	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
)

// watch makes the store ready to be polled, and says which files are mounted so
// that their replacement will not be seen. It is called once, when the
// configuration goes into use.
func (s *tokenStore) watch() {
	s.watchSecrets()
	for _, f := range s.files {
		s.checkMount(f, authmin.FileStateOf(f.path))
	}
	s.noteProblems()
}

// checkMount says, once, that a keyring file is mounted by itself, or has been
// replaced behind its mount.
func (s *tokenStore) checkMount(f *keyringFile, state authmin.FileState) {
	err := authmin.DetachedError(f.path, state)
	if err == nil {
		f.detached = ""
		return
	}
	if f.detached == err.Error() {
		return
	}
	f.detached = err.Error()
	s.metrics.sourceErrors.WithLabelValues(sourceTokenFile).Inc()
	s.audit.configRejected("keyring", err)
	s.log.Error("changes of the keyring are not seen", zap.String("path", f.path), zap.Error(err))
}

// noteProblems keeps what is wrong with keyring files for the admin endpoint,
// which answers on other goroutines.
func (s *tokenStore) noteProblems() {
	var problems []string
	for _, f := range s.files {
		for _, problem := range []string{f.problem, f.detached} {
			if problem != "" {
				problems = append(problems, problem)
			}
		}
	}
	s.problems.Store(&problems)
}
