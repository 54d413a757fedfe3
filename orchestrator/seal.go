package orchestrator

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

const (
	// sealedMark begins what is encrypted. What is not is JSON, which never begins so.
	sealedMark = 1
	// sealsPause is how often a replica asks whether all others can read encrypted
	// content, until they can.
	sealsPause = time.Second
	// keyPatience is how long a record of events waits for its key: as long as for the
	// log itself. Without the record, readers get a gap.
	keyPatience = 10 * time.Second
)

// sealer encrypts what tasks contain, each task with a key of its own (AES-256-GCM), so
// that destroying the key erases all of it (see store.Keys).
type sealer struct {
	keys *store.Keys
	key  func(ctx context.Context, name string) ([]byte, error) // of keys; tests have it fail
	on   atomic.Bool                                            // every replica can read it
}

func newSealer(keys *store.Keys) *sealer { return &sealer{keys: keys, key: keys.Key} }

// newKey gives the name of a new key; "" while content is stored as it is.
func (s *sealer) newKey(ctx context.Context) (string, error) {
	if !s.on.Load() {
		return "", nil
	}
	return s.keys.New(ctx)
}

// aead gives the cipher of a key. store.ErrNotFound: it was destroyed.
func (s *sealer) aead(ctx context.Context, key string) (cipher.AEAD, error) {
	secret, err := s.key(ctx, key)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// patientAEAD is aead that waits, within a bound, while the store is unavailable.
func (s *sealer) patientAEAD(ctx context.Context, key string) (cipher.AEAD, error) {
	ctx, cancel := context.WithTimeout(ctx, keyPatience)
	defer cancel()
	again := time.NewTicker(storePause)
	defer again.Stop()
	for {
		a, err := s.aead(ctx, key)
		if !errors.Is(err, store.ErrUnavailable) {
			return a, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// sealed encrypts a text for its place: it can be read at no other.
func sealed(a cipher.AEAD, place string, text []byte) []byte {
	return a.Seal(append(make([]byte, 0, 1+len(text)+a.Overhead()), sealedMark), nil, text, []byte(place))
}

// seal is sealed with a key by its name. Without one the text stays as it is.
func (s *sealer) seal(ctx context.Context, key, place string, text []byte) ([]byte, error) {
	if key == "" {
		return text, nil
	}
	a, err := s.aead(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("encrypting content: %w", err)
	}
	return sealed(a, place, text), nil
}

// open undoes seal. A text that is not encrypted is given as it is.
func (s *sealer) open(ctx context.Context, key, place string, text []byte) ([]byte, error) {
	if len(text) == 0 || text[0] != sealedMark {
		return text, nil
	}
	a, err := s.aead(ctx, key)
	if err == nil {
		text, err = a.Open(nil, nil, text[1:], []byte(place))
	}
	if err != nil {
		return nil, fmt.Errorf("decrypting content: %w", err)
	}
	return text, nil
}

// start begins to encrypt, at once or when every replica can read it.
func (s *sealer) start(o *Orchestrator) {
	ask := func() bool {
		ctx, cancel := context.WithTimeout(o.lifecycle.ctx, lookTimeout)
		defer cancel()
		can, err := o.store.Seals(ctx, leadershipName)
		if err != nil && !errors.Is(err, store.ErrUnavailable) && ctx.Err() == nil {
			o.log.Warn("could not ask whether every replica reads encrypted content", "error", err)
		}
		return can
	}
	if ask() {
		s.on.Store(true)
		return
	}
	o.lifecycle.work.Go(func() {
		again := time.NewTicker(sealsPause)
		defer again.Stop()
		for {
			select {
			case <-o.lifecycle.ctx.Done():
				return
			case <-again.C:
			}
			if ask() {
				s.on.Store(true)
				return
			}
		}
	})
}
