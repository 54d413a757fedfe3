package caddymodule

import (
	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
)

// watch prepares the store for polling, and reports files whose replacement cannot be
// detected because of how they are mounted. It is called once, when the configuration
// comes into use.
func (s *tokenStore) watch() {
	s.watchSecrets()
	for _, f := range s.files {
		s.checkMount(f, authmin.FileStateOf(f.path))
	}
	s.noteProblems()
}

// checkMount reports once that a keyring file is a mount point itself, or was replaced
// behind its mount.
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
	s.log.Error("changes of the keyring are not detected", zap.String("path", f.path), zap.Error(err))
}

// noteProblems publishes the problems of keyring files for the admin API, which runs on
// other goroutines.
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
