package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/llorch/gateway/authmin"
	"go.uber.org/zap"
)

// pollInterval is how often the keyring files are looked at: twice a second, so
// that a change is live within one.
const pollInterval = 500 * time.Millisecond

// maxTokenFiles bounds the keyring files of one configuration.
const maxTokenFiles = 16

// tokenStore holds the current keyring, and replaces it as a whole when a
// keyring file changes. There is no moment without tokens: what cannot be read
// leaves the last good keyring in place.
type tokenStore struct {
	fixed   []authmin.Token
	files   []*keyringFile
	current atomic.Pointer[authmin.Keyring]
	// generations are the SHA-256 of the files that the current keyring is made of.
	generations atomic.Pointer[[]string]

	log     *zap.Logger
	audit   *auditLog
	metrics *metrics
	restate time.Time // when a token changes its state by itself
}

// keyringFile is one file and how it looked when it was last read.
type keyringFile struct {
	path       string
	seen       signature
	tokens     []authmin.Token
	generation authmin.Digest
	problem    string // why what is there now is not in use
}

// signature tells a changed file from an unchanged one, through renames and
// symlink swaps.
type signature struct {
	device, inode uint64
	size          int64
	modified      time.Time
	mode          os.FileMode // a file with the wrong one is refused until it is mended
	problem       string      // why there is nothing to compare
}

func newTokenStore(fixed []authmin.Token, paths []string, log *zap.Logger, audit *auditLog, m *metrics) (*tokenStore, error) {
	if len(paths) > maxTokenFiles {
		return nil, fmt.Errorf("token_file: %d files are over the limit of %d", len(paths), maxTokenFiles)
	}
	s := &tokenStore{fixed: fixed, log: log, audit: audit, metrics: m}
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			return nil, fmt.Errorf("token_file: %q is not an absolute path", path)
		}
		f := &keyringFile{path: path, seen: signatureOf(path)}
		var err error
		if f.tokens, f.generation, err = authmin.ReadKeyringGeneration(path); err != nil {
			return nil, fmt.Errorf("token_file: %w", err)
		}
		s.files = append(s.files, f)
	}
	return s, s.rebuild()
}

// keyring returns the current keyring; never nil.
func (s *tokenStore) keyring() *authmin.Keyring { return s.current.Load() }

// rebuild puts all tokens into a new keyring and makes it the current one.
func (s *tokenStore) rebuild() error {
	all := slices.Clone(s.fixed)
	for _, f := range s.files {
		all = append(all, f.tokens...)
	}
	ring, err := authmin.NewKeyring(all)
	if err != nil {
		return err
	}
	generations := make([]string, 0, len(s.files))
	for _, f := range s.files {
		generations = append(generations, f.generation.Hex())
	}
	s.current.Store(ring)
	s.generations.Store(&generations)
	return nil
}

// show puts the states of the tokens into the metrics: not before the
// configuration is in use, since the one that it replaces may stay.
func (s *tokenStore) show() { s.restate = s.metrics.setTokens(s.keyring(), time.Now()) }

// poll reads the files that have changed. Whether two files fit together may be
// known only when both are read: so those that did not are tried again.
func (s *tokenStore) poll() {
	for again := false; s.readChanged(again); again = true {
	}
	if !s.restate.IsZero() && time.Now().After(s.restate) {
		s.show()
	}
}

// readChanged reports whether a file was loaded.
func (s *tokenStore) readChanged(again bool) (loaded bool) {
	for _, f := range s.files {
		now := signatureOf(f.path)
		if now == f.seen && (!again || f.problem == "") {
			continue
		}
		f.seen = now
		if err := s.reload(f); err != nil {
			s.reject(f, err)
			continue
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
		f.seen = signature{}
	}
	if f.problem == err.Error() {
		return
	}
	f.problem = err.Error()
	s.metrics.sourceErrors.WithLabelValues("token_file").Inc()
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
	if err := s.rebuild(); err != nil {
		*f = last
		return err
	}
	s.reportChanges(last.tokens, tokens, was)
	return nil
}

func signatureOf(path string) signature {
	info, err := os.Stat(path)
	if err != nil {
		return signature{problem: err.Error()}
	}
	sig := signature{size: info.Size(), modified: info.ModTime(), mode: info.Mode()}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		sig.device, sig.inode = uint64(stat.Dev), stat.Ino
	}
	return sig
}
