package staging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// errDigest says that the bytes do not have the catalog's digest.
var errDigest = errors.New("digest mismatch with the catalog")

// validator tells one version of a source from another.
type validator struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"last_modified,omitempty"`
	Length   int64  `json:"length"` // -1 while it is unknown
}

// sidecar says which model and source a partial file is of.
type sidecar struct {
	Digest string `json:"digest"`
	Source string `json:"source"`
	validator
}

// partialFile is an incomplete file with a lock: another process with the same model
// root waits.
type partialFile struct {
	s       *Stager
	hex     string
	file    *os.File
	sum     hash.Hash
	size    int64
	side    sidecar
	resumed bool // its bytes are of more than one answer
}

// openPartial opens or makes the partial file, waits for its lock, and hashes its bytes.
func (s *Stager) openPartial(ctx context.Context, hex, source string) (*partialFile, error) {
	file, err := s.lockPartial(ctx, s.partialPath(hex))
	if err != nil {
		return nil, err
	}
	p := &partialFile{s: s, hex: hex, file: file, sum: sha256.New()}
	wanted := sidecar{Digest: "sha256:" + hex, Source: source, validator: validator{Length: -1}}
	if readJSON(s.sidecarPath(hex), &p.side) != nil || p.side.Digest != wanted.Digest || p.side.Source != wanted.Source {
		p.side = wanted
		return p, p.reset()
	}
	if p.size, err = io.Copy(p.sum, modelref.UntilDone(ctx, file)); err != nil {
		file.Close()
		return nil, fmt.Errorf("%w: hashing the file: %w", ErrStaging, err)
	}
	if p.side.Length >= 0 && p.size > p.side.Length {
		return p, p.reset()
	}
	p.resumed = p.size > 0
	return p, nil
}

func (s *Stager) lockPartial(ctx context.Context, path string) (*os.File, error) {
	for ctx.Err() == nil {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStaging, err)
		}
		if err := checkOwnFile(file); err != nil {
			file.Close()
			return nil, err
		}
		locked := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
		if locked && stillThere(file, path) {
			return file, nil
		}
		file.Close()
		if locked {
			continue // the holder of the lock has renamed the file or removed it
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.times.poll):
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrStaging, context.Cause(ctx))
}

// reset empties the file.
func (p *partialFile) reset() error {
	p.sum, p.size, p.resumed, p.side.validator = sha256.New(), 0, false, validator{Length: -1}
	if err := p.file.Truncate(0); err != nil {
		return fmt.Errorf("%w: %w", ErrStaging, err)
	}
	return nil
}

// remember records which version of the source the bytes are of.
func (p *partialFile) remember(v validator) error {
	if p.side.validator == v && p.size > 0 {
		return nil
	}
	p.side.validator = v
	return writeJSON(p.s.sidecarPath(p.hex), p.side)
}

func (p *partialFile) write(b []byte) error {
	n, err := p.file.WriteAt(b, p.size)
	p.sum.Write(b[:n])
	p.size += int64(n)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", errDiskFull, err)
	}
	return err
}

// finish renames the file to its final name if its digest is right. It is not
// visible under that name before.
func (p *partialFile) finish() (string, error) {
	if got := hex.EncodeToString(p.sum.Sum(nil)); got != p.hex {
		return "", fmt.Errorf("%w: %w: got sha256:%s", ErrStaging, errDigest, got)
	}
	if err := checkOwnFile(p.file); err != nil {
		return "", err
	}
	if err := p.file.Sync(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrStaging, err)
	}
	final := p.s.finalPath(p.hex)
	if err := os.Rename(p.s.partialPath(p.hex), final); err != nil {
		return "", fmt.Errorf("%w: %w", ErrStaging, err)
	}
	_ = os.Remove(p.s.sidecarPath(p.hex)) // one without a partial file means nothing
	for _, dir := range []string{p.s.Root, p.s.stagingDir()} {
		if err := syncDir(dir); err != nil {
			return "", err
		}
	}
	return final, p.s.noteVerified(p.hex, p.file)
}

// discard removes a partial file whose bytes are wrong.
func (p *partialFile) discard() {
	_ = os.Remove(p.s.partialPath(p.hex))
	_ = os.Remove(p.s.sidecarPath(p.hex))
}

func (p *partialFile) close() { p.file.Close() }
