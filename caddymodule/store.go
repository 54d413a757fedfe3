package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
)

// PollInterval is how often the keyring files are looked at: twice a second, so
// that a change is live within one.
const PollInterval = 500 * time.Millisecond

// maxTokenFiles bounds the keyring files of one configuration.
const maxTokenFiles = 16

// tokenStore holds the current keyring, and replaces it as a whole when a
// keyring file changes. There is no moment without tokens: what cannot be read
// leaves the last good keyring in place.
type tokenStore struct {
	fixed     []authmin.Token
	tokens    []sourcedToken
	upstreams []*upstreamCredential
	chains    []*authmin.SecretSource // keys of audit files: watched, never changed
	secrets   *authmin.SecretWatch    // nil until the configuration is in use
	files     []*keyringFile
	current   atomic.Pointer[authmin.Keyring]
	// generations are the SHA-256 of the files that the current keyring is made of.
	generations atomic.Pointer[[]string]
	// problems are why files of secrets are not in use as they are now.
	problems atomic.Pointer[[]string]
	leaks    *leakFinder

	log     *zap.Logger
	audit   *auditLog
	metrics *metrics
	restate time.Time // when a token changes its state by itself
}

// keyringFile is one file and how it looked when it was last read.
type keyringFile struct {
	path       string
	seen       authmin.FileState
	tokens     []authmin.Token
	generation authmin.Digest
	problem    string // why what is there now is not in use
	detached   string // why its replacement is not seen
}

// newTokenStore reads the keyring files, and puts their tokens together with the
// fixed ones and those that follow a source.
func newTokenStore(fixed []authmin.Token, paths []string, log *zap.Logger, audit *auditLog, m *metrics, sourced ...sourcedToken) (*tokenStore, error) {
	if len(paths) > maxTokenFiles {
		return nil, fmt.Errorf("token_file: %d files are over the limit of %d", len(paths), maxTokenFiles)
	}
	s := &tokenStore{fixed: fixed, tokens: sourced, log: log, audit: audit, metrics: m}
	s.problems.Store(new([]string))
	s.leaks = newLeakFinder(s.keyring)
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			return nil, fmt.Errorf("token_file: %q is not an absolute path", path)
		}
		f := &keyringFile{path: path, seen: authmin.FileStateOf(path)}
		var err error
		if f.tokens, f.generation, err = authmin.ReadKeyringGeneration(path); err != nil {
			return nil, fmt.Errorf("token_file: %w", err)
		}
		s.files = append(s.files, f)
	}
	return s, s.rebuild((*authmin.SecretSource).Secret)
}

// keyring returns the current keyring; never nil.
func (s *tokenStore) keyring() *authmin.Keyring { return s.current.Load() }

// rebuild puts all tokens into a new keyring and makes it the current one. The
// secrets of sources are those that next gives.
func (s *tokenStore) rebuild(next func(*authmin.SecretSource) authmin.Secret) error {
	sourced, err := s.sourcedTokens(next)
	if err != nil {
		return err
	}
	all := append(slices.Clone(s.fixed), sourced...)
	for _, f := range s.files {
		all = append(all, f.tokens...)
	}
	ring, err := authmin.NewKeyring(all)
	if err != nil {
		return err
	}
	for _, u := range s.upstreams {
		if err := distinct(ring, u, next(u.source)); err != nil {
			return err
		}
	}
	generations := make([]string, 0, len(s.files))
	for _, f := range s.files {
		generations = append(generations, f.generation.Hex())
	}
	for _, u := range s.upstreams {
		u.set(next(u.source))
	}
	s.leaks.setOwn(s.upstreams, next)
	s.current.Store(ring)
	s.generations.Store(&generations)
	return nil
}

// show puts the states of the tokens into the metrics: not before the
// configuration is in use, since the one that it replaces may stay.
func (s *tokenStore) show() { s.restate = s.metrics.setTokens(s.keyring(), time.Now()) }

// poll reads the keyring files that have changed. Whether two files fit together
// may be known only when both are read: so those that did not are tried again.
func (s *tokenStore) poll() {
	loaded := s.readChanged(false)
	for loaded {
		loaded = s.readChanged(true) || s.secrets != nil && s.secrets.Retry()
	}
	s.noteProblems()
	if !s.restate.IsZero() && time.Now().After(s.restate) {
		s.show()
	}
}

// pollSecrets reads the files of single secrets that have changed, and reports
// whether one did.
func (s *tokenStore) pollSecrets() bool {
	if s.secrets == nil || !s.secrets.Look() {
		return false
	}
	for s.readChanged(true) || s.secrets.Retry() {
	}
	s.noteProblems()
	return true
}

// readChanged reports whether a file was loaded.
func (s *tokenStore) readChanged(again bool) (loaded bool) {
	for _, f := range s.files {
		now := authmin.FileStateOf(f.path)
		if now == f.seen && (!again || f.problem == "") {
			continue
		}
		if now != f.seen {
			s.checkMount(f, now)
		}
		f.seen = now
		generation := f.generation
		if err := s.reload(f); err != nil {
			s.reject(f, err)
			continue
		}
		if f.problem == "" && f.generation.Equal(generation) {
			continue // the same content in another file, or with other times
		}
		f.problem, loaded = "", true
		s.show()
		s.log.Info("keyring loaded", zap.String("path", f.path), zap.Int("tokens", len(f.tokens)))
	}
	return loaded
}

// reject notes why a file was not loaded, once. What the system refused can pass
// without a trace in the file: that is tried again each time.
func (s *tokenStore) reject(f *keyringFile, err error) {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		f.seen = authmin.FileState{}
	}
	if f.problem == err.Error() {
		return
	}
	f.problem = err.Error()
	s.metrics.sourceErrors.WithLabelValues(sourceTokenFile).Inc()
	s.audit.configRejected("keyring", err)
	s.log.Error("keyring not loaded; the last good one stays in use", zap.String("path", f.path), zap.Error(err))
}

func (s *tokenStore) reload(f *keyringFile) error {
	last, was := *f, s.keyring()
	tokens, generation, err := authmin.ReadKeyringGeneration(f.path)
	if err != nil {
		return err
	}
	f.tokens, f.generation = tokens, generation
	if err := s.rebuild((*authmin.SecretSource).Secret); err != nil {
		*f = last
		return err
	}
	s.reportChanges(last.tokens, tokens, was, byKeyring)
	return nil
}
