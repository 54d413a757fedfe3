package poolmanager

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// partialsKept is how long a partial file, or what the catalog said, stays that
// nobody touched: a week, so that a download outlives a weekend's outage.
const partialsKept = 7 * 24 * time.Hour

// verified is what a staged file looked like when its bytes had been hashed.
type verified struct {
	Size, Inode, Modified, Changed int64
}

// staged gives the path of a file that is here and right. One that does not look
// as it did when it was hashed is hashed again; wrong bytes are removed.
func (s *stager) staged(ctx context.Context, hex string, f *flight) (string, error) {
	path := s.finalPath(hex)
	file, err := openStaged(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	now, err := look(file)
	if err != nil {
		return "", err
	}
	f.done.Store(now.Size)
	f.total.Store(now.Size)
	var then verified
	if readJSON(s.verifiedPath(hex), &then) == nil && then == now {
		return path, nil
	}
	got, err := digestOf(ctx, file)
	if err != nil {
		return "", fmt.Errorf("%w: reading what is here: %w", errStaging, err)
	}
	if got == hex {
		return path, s.noteVerified(hex, file)
	}
	s.log.Warn("a staged model has changed; removing it", "path", path)
	if err := os.Remove(path); err != nil {
		return "", fmt.Errorf("%w: %w", errStaging, err)
	}
	return "", nil
}

func openStaged(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if os.IsNotExist(err) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStaging, err)
	}
	if err := checkOwnFile(file); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// look is what tells whether a file was touched: its change time moves with
// every write, link, rename and change of mode, and cannot be set back.
func look(file *os.File) (verified, error) {
	info, err := file.Stat()
	if err != nil {
		return verified{}, fmt.Errorf("%w: %w", errStaging, err)
	}
	stat := info.Sys().(*syscall.Stat_t)
	return verified{Size: info.Size(), Inode: int64(stat.Ino), Modified: info.ModTime().UnixNano(), Changed: changeTime(stat)}, nil
}

func (s *stager) noteVerified(hex string, file *os.File) error {
	now, err := look(file)
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

// clean removes what an interrupted download left long ago, unless somebody
// works at it, and notes that belong to no file.
func (s *stager) clean(now time.Time) {
	entries, err := os.ReadDir(s.stagingDir())
	if err != nil {
		return
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || now.Sub(info.ModTime()) < partialsKept {
			continue
		}
		path := filepath.Join(s.stagingDir(), entry.Name())
		if hex, ok := strings.CutSuffix(entry.Name(), ".ok"); ok && sizeOf(filepath.Join(s.root, hex)) > 0 {
			continue // it spares a staged file from being hashed at each start
		}
		var record catalogModel
		if strings.HasPrefix(entry.Name(), "id-") && readJSON(path, &record) == nil && modelref.ValidDigest(record.Digest) && sizeOf(s.finalPath(record.hex())) > 0 {
			continue // it lets a node come up without its orchestrator
		}
		if strings.HasSuffix(entry.Name(), ".part") && s.inUse(path) {
			continue
		}
		if err := os.Remove(path); err == nil {
			s.log.Info("removed a leftover of staging", "path", path)
		}
	}
}

func (s *stager) inUse(path string) bool {
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer file.Close()
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}
