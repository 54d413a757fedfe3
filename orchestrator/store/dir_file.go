package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// SaveFile replaces a file of the state directory (mode 0600); after a crash it has the old
// text or the new one. Without a directory of its own, as with an existing NATS cluster, a
// replica keeps no file.
func (s *Store) SaveFile(name string, text []byte) error {
	if s.unlock == nil {
		return nil
	}
	return writeSynced(s.dir, name, text)
}

// LoadFile reads a file of the state directory, of limit bytes at most; fs.ErrNotExist when
// there is none.
func (s *Store) LoadFile(name string, limit int64) ([]byte, error) {
	if s.unlock == nil {
		return nil, fs.ErrNotExist
	}
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err = errors.Join(err, f.Close()); err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("over %d bytes", limit)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return text, nil
}
