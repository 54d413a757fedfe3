package authmin

import (
	"fmt"
	"sync/atomic"
	"time"
)

// SecretSource is one secret of a running process and where it came from. One
// from a file follows the file, in a [SecretWatch]; any other stays as it is. It
// is safe for concurrent use.
type SecretSource struct {
	kind    string
	name    string
	path    string // empty: it is not from a file
	current atomic.Pointer[Secret]

	// What follows belongs to the watch.
	seen      FileState // when the file was last read
	noticed   FileState // a change that is taken if the next look finds no further one
	candidate Secret    // read from the file, and not in use yet
	problem   string    // why what is there now is not in use
	detached  string    // why changes of the file are not seen
}

// FixedSecret is a secret that does not change while the process runs. The kind
// is a label from a closed set; the name is for people.
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

// SecretSourceFromEnv is [SecretFromEnv] for a secret that is followed when it is
// in a file. With neither variable set the source holds the zero Secret.
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

// Secret is the secret in use. It is the zero Secret for a nil source.
func (s *SecretSource) Secret() Secret {
	if s == nil {
		return Secret{}
	}
	return *s.current.Load()
}

// Kind is the label that the source was made with.
func (s *SecretSource) Kind() string { return s.kind }

// Name is the source's name, for people.
func (s *SecretSource) Name() string { return s.name }

// Path is the source's file; empty when it is not from a file.
func (s *SecretSource) Path() string { return s.path }
