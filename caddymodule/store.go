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

// PollInterval is the interval at which keyring files are checked: twice a second, so
// that a change takes effect within one second.
const PollInterval = 500 * time.Millisecond

// maxTokenFiles bounds the keyring files of one configuration.
const maxTokenFiles = 16

// tokenStore holds the current keyring, and replaces it as a whole when a keyring file
// changes. If a file cannot be read, the last good keyring stays in use.
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
	// problems are the reasons why the current content of files is not in use.
	problems atomic.Pointer[[]string]
	leaks    *leakFinder

	log        *zap.Logger
	audit      *auditLog
	metrics    *metrics
	nextChange time.Time // when a token becomes valid or expires
}

// keyringFile is one file, with its state and content when it was last read.
type keyringFile struct {
	path       string
	seen       authmin.FileState
	tokens     []authmin.Token
	generation authmin.Digest
	problem    string // why the current content is not in use
	detached   string // why a replacement of the file is not detected
}

// newTokenStore reads the keyring files, and merges their tokens with the fixed ones and
// those from watched sources.
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

// rebuild makes a keyring of all tokens, and replaces the current one. next returns the
// secret of a source.
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

// updateMetrics sets the metrics of token states. It is not called before the
// configuration is in use, since the previous one may stay.
func (s *tokenStore) updateMetrics() { s.nextChange = s.metrics.setTokens(s.keyring(), time.Now()) }

// poll reads the keyring files that have changed. Two changed files may be valid only
// together, so a file that was refused is tried again after another was loaded.
func (s *tokenStore) poll() {
	loaded := s.readChanged(false)
	for loaded {
		loaded = s.readChanged(true) || s.secrets != nil && s.secrets.Retry()
	}
	s.noteProblems()
	if !s.nextChange.IsZero() && time.Now().After(s.nextChange) {
		s.updateMetrics()
	}
}

// pollSecrets reads the files of single secrets that have changed, and reports whether
// there were any.
func (s *tokenStore) pollSecrets() bool {
	if s.secrets == nil || !s.secrets.Look() {
		return false
	}
	for s.readChanged(true) || s.secrets.Retry() {
	}
	s.noteProblems()
	return true
}

// readChanged reads the files that have changed and, with again, those that were refused.
// It reports whether a file was loaded.
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
			continue // the same content: a new file, or new times
		}
		f.problem, loaded = "", true
		s.updateMetrics()
		s.log.Info("keyring loaded", zap.String("path", f.path), zap.Int("tokens", len(f.tokens)))
	}
	return loaded
}

// reject records once why a file was not loaded. An error of the system can end without a
// change of the file, so that file is read again at every poll.
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
