package authmin

import (
	"fmt"
	"sync/atomic"
	"time"
)

// SecretSource is one secret of a running process and its source. A secret from a
// file follows the file, by a [SecretWatch]; any other does not change. It is safe
// for concurrent use.
type SecretSource struct {
	kind    string
	name    string
	path    string // empty if the source is not a file
	current atomic.Pointer[Secret]

	// The fields below are used by the watch only.
	seen      FileState // state of the file when it was last read
	noticed   FileState // a changed state; the file is read if the next poll finds the same
	candidate Secret    // read from the file, not in use yet
	problem   string    // last reported reason why the file's content is not in use
	detached  string    // last reported reason why changes of the file cannot be seen
}

// FixedSecret makes the source of a secret that does not change while the process
// runs. The kind is a metric label from a closed set; the name is for messages.
func FixedSecret(kind, name string, secret Secret) *SecretSource {
	s := &SecretSource{kind: kind, name: name}
	s.current.Store(&secret)
	return s
}

// FileSecret reads a secret from a file, as [SecretFromFile] does.
func FileSecret(kind, name, path string) (*SecretSource, error) {
	seen, now := FileStateOf(path), time.Now()
	secret, err := SecretFromFile(path)
	if err != nil {
		return nil, err
	}
	s := FixedSecret(kind, name, secret)
	if s.path = path; !seen.recent(now) {
		s.seen = seen
	}
	return s, nil
}

// SecretSourceFromEnv is [SecretFromEnv] for a secret that follows its file, if it is
// in one. With neither variable set the source has the zero Secret.
func SecretSourceFromEnv(getenv func(string) (string, bool), name string) (*SecretSource, error) {
	secret, err := SecretFromEnv(getenv, name)
	if err != nil {
		return nil, err
	}
	path, inFile := getenv(name + "_FILE")
	if !inFile {
		return FixedSecret(name, name, secret), nil
	}
	s, err := FileSecret(name, name+"_FILE", path)
	if err != nil {
		return nil, fmt.Errorf("%s_FILE: %w", name, err)
	}
	return s, nil
}

// Secret returns the secret in use, for a nil source the zero Secret.
func (s *SecretSource) Secret() Secret {
	if s == nil {
		return Secret{}
	}
	return *s.current.Load()
}

// Kind returns the label of the source.
func (s *SecretSource) Kind() string { return s.kind }

// Name returns the name of the source, for messages.
func (s *SecretSource) Name() string { return s.name }

// Path returns the source's file, or "" if the source is not a file.
func (s *SecretSource) Path() string { return s.path }
