package staging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

const (
	// maxEmptyTries is how many attempts in a row may give no bytes: with the waits
	// between them a source has about half a minute to come back.
	maxEmptyTries = 5
	// retryLongest is the longest wait between two tries.
	retryLongest = 30 * time.Second
	// readBytes is how much is read at once.
	readBytes = 256 << 10
	// diskCheckEvery is how many bytes are written between two checks of the disk: a
	// sixteenth of the reserve.
	diskCheckEvery = diskReserve / 16
)

// errStalled says that the source sent no bytes for too long.
var errStalled = errors.New("model source stalled")

// download runs one flight, and gives the path of the complete, verified file.
func (s *Stager) download(ctx context.Context, m catalogModel, f *flight) (string, error) {
	if err := s.prepare(); err != nil {
		return "", err
	}
	from, err := s.source(m.SourceURL)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrStaging, err)
	}
	if s.knownBad(m) {
		return "", fmt.Errorf("%w: %w; the next download is tried after %v", ErrStaging, errDigest, s.times.badFor)
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return "", fmt.Errorf("%w: %w", ErrStaging, context.Cause(ctx))
	}
	s.removeLeftovers(time.Now())
	p, err := s.openPartial(ctx, m.hex(), m.SourceURL)
	if err != nil {
		return "", err
	}
	defer p.close()
	// Checked with the lock held: another process may have finished it.
	if path, err := s.findStaged(ctx, m.hex(), f); path != "" || err != nil {
		if err == nil {
			p.discard()
		}
		return path, err
	}
	defer s.quota.release(f)
	began := time.Now()
	path, err := s.fetchWhole(ctx, p, from, f)
	if errors.Is(err, errDigest) {
		s.noteBad(m)
	}
	if err != nil {
		return "", err
	}
	s.Log.Info("model staged", "model_id", m.ID, "digest", m.Digest, "bytes", p.size, "took_ms", time.Since(began).Milliseconds())
	return path, nil
}

// fetchWhole retries until the file is complete. Attempts that give bytes are not
// limited in number.
func (s *Stager) fetchWhole(ctx context.Context, p *partialFile, from source, f *flight) (string, error) {
	restarted := false
	for empty := 0; ; {
		before := p.size
		err := s.fetch(ctx, p, from, f)
		if err == nil {
			path, err := p.finish()
			if !errors.Is(err, errDigest) {
				return path, err
			}
			if !p.resumed || restarted {
				p.discard()
				return "", err
			}
			restarted = true
			s.Log.Warn("discarding corrupt partial download", "digest", p.side.Digest)
			if err := p.reset(); err != nil {
				return "", err
			}
			continue
		}
		switch {
		case ctx.Err() != nil:
			return "", fmt.Errorf("%w: %w", ErrStaging, context.Cause(ctx))
		case errors.Is(err, errSource), errors.Is(err, errDiskFull):
			return "", fmt.Errorf("%w: %w", ErrStaging, err)
		case errors.Is(err, errStartAgain):
			if err := p.reset(); err != nil {
				return "", err
			}
			empty++
		case p.size > before:
			empty = 0
		default:
			empty++
		}
		if empty >= maxEmptyTries {
			return "", fmt.Errorf("%w: no bytes in %d tries: %w", ErrStaging, empty, err)
		}
		s.Log.Info("resuming model download", "digest", p.side.Digest, "from_byte", p.size, "error", err)
		if err := s.pause(ctx, empty); err != nil {
			return "", err
		}
	}
}

// pause waits longer after each empty try, with jitter.
func (s *Stager) pause(ctx context.Context, empty int) error {
	wait := min(s.times.retryFirst<<empty, retryLongest)
	timer := time.NewTimer(wait/2 + rand.N(wait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrStaging, context.Cause(ctx))
	}
}

// fetch reads the missing bytes; nil means that the source has no more.
func (s *Stager) fetch(ctx context.Context, p *partialFile, from source, f *flight) error {
	if p.side.Length > 0 && p.size == p.side.Length {
		return nil // only the rename was missing
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body, at, v, err := from.open(ctx, p.size, p.side.validator)
	if err != nil {
		return err
	}
	defer body.Close()
	if at != p.size {
		if err := p.reset(); err != nil {
			return err
		}
	}
	p.resumed = p.size > 0
	if v.Length > s.limit {
		return fmt.Errorf("%w: it has %d bytes, over %d", errSource, v.Length, s.limit)
	}
	f.done.Store(p.size)
	f.total.Store(max(v.Length, 0))
	if err := s.quota.claim(s.Root, f); err != nil {
		return err
	}
	if err := p.remember(v); err != nil {
		return err
	}
	stalled := time.AfterFunc(s.times.stall, func() { cancel(errStalled) })
	defer stalled.Stop()
	err = s.copyBody(p, body, f, stalled)
	if errors.Is(context.Cause(ctx), errStalled) {
		return errStalled
	}
	if err == nil && v.Length >= 0 && p.size < v.Length {
		return io.ErrUnexpectedEOF
	}
	return err
}

// copyBody writes the answer, and checks its length and the disk.
func (s *Stager) copyBody(p *partialFile, body io.Reader, f *flight, stalled *time.Timer) error {
	buffer := make([]byte, readBytes)
	looked := p.size
	for {
		n, err := body.Read(buffer)
		stalled.Reset(s.times.stall)
		if p.size+int64(n) > s.limit {
			return fmt.Errorf("%w: it sent more than %d bytes", errSource, s.limit)
		}
		if total := p.side.Length; total >= 0 && p.size+int64(n) > total {
			return fmt.Errorf("%w: it sent more bytes than announced", errSource)
		}
		if n > 0 {
			if err := p.write(buffer[:n]); err != nil {
				return err
			}
			f.done.Store(p.size)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if p.size-looked >= diskCheckEvery {
			looked = p.size
			if err := s.quota.check(s.Root); err != nil {
				return err
			}
		}
	}
}
