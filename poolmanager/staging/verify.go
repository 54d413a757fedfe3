package staging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/llorch/gateway/poolmanager/modelref"
	"github.com/llorch/gateway/poolmanager/ownfile"
)

// findStaged gives the path of a staged file, "" without one. A file that was touched
// since it was hashed is hashed again, and removed if its digest is wrong.
func (s *Stager) findStaged(ctx context.Context, hex string, f *flight) (string, error) {
	path := s.finalPath(hex)
	file, err := openStaged(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	now, err := ownfile.StateOf(file)
	if err != nil {
		return "", err
	}
	f.done.Store(now.Size)
	f.total.Store(now.Size)
	var then ownfile.State
	if readJSON(s.verifiedPath(hex), &then) == nil && then == now {
		return path, nil
	}
	got, err := digestOf(ctx, file)
	if err != nil {
		return "", fmt.Errorf("%w: hashing the file: %w", ErrStaging, err)
	}
	if got == hex {
		return path, s.noteVerified(hex, file)
	}
	s.Log.Warn("removing a modified staged model", "path", path)
	if err := os.Remove(path); err != nil {
		return "", fmt.Errorf("%w: %w", ErrStaging, err)
	}
	return "", nil
}

func openStaged(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if os.IsNotExist(err) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStaging, err)
	}
	if err := checkOwnFile(file); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (s *Stager) noteVerified(hex string, file *os.File) error {
	now, err := ownfile.StateOf(file)
	if err != nil {
		return err
	}
	return writeJSON(s.verifiedPath(hex), now)
}

func digestOf(ctx context.Context, r io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, modelref.UntilDone(ctx, r)); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
