package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// fillBytes is what a compaction writes so that JetStream begins a new block: its
	// blocks have 4 MiB in a stream of keyBytes, and in the raft log.
	fillBytes = 4<<20 + MaxPieceBytes
	// erasedNotice is where a replica says that a compaction is done. No stream has it.
	erasedNotice = "erased.keys"
	// catchUpPatience is how long a replica may need to have what the notice names, and
	// catchUpPause how often it looks.
	catchUpPatience = time.Minute
	catchUpPause    = 250 * time.Millisecond
)

// Destroy removes keys: from then on nothing that was encrypted with them can be read.
// Their bytes are on the disks until the next Compact. A key that is not there is no
// error.
func (k *Keys) Destroy(ctx context.Context, names ...string) error {
	batches := make(map[string]map[int]bool)
	for _, name := range names {
		id, n, err := splitKeyName(name)
		if err != nil {
			return err
		}
		if batches[id] == nil {
			batches[id] = make(map[int]bool)
		}
		batches[id][n] = true
	}
	marked := false
	for id, numbers := range batches {
		if err := k.remove(ctx, id, numbers, &marked); err != nil {
			return err
		}
	}
	if !marked {
		return nil
	}
	return k.put(ctx, erasedSubject, nil) // a compaction at the same time may have removed the first mark
}

// remove removes keys of one batch. Before the first the stream says that it has to be
// compacted, so that a crash between the two leaves nothing behind.
func (k *Keys) remove(ctx context.Context, id string, numbers map[int]bool, marked *bool) error {
	for {
		batch, sequence, err := k.read(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("destroying keys: %w", err)
		}
		left := batch.without(numbers)
		if len(left) == len(batch) {
			return nil
		}
		if !*marked {
			if err := k.put(ctx, erasedSubject, nil); err != nil {
				return err
			}
			*marked = true
		}
		err = k.put(ctx, keyPrefix+id, left, jetstream.WithExpectLastSequencePerSubject(sequence))
		if errors.Is(err, ErrConflict) && ctx.Err() == nil {
			continue // another replica has removed other keys
		}
		if err != nil {
			return err
		}
		k.cached.Remove(id)
		if len(left) > 0 {
			return nil
		}
		return k.purge(ctx, id)
	}
}

// purge removes a batch that has no key left.
func (k *Keys) purge(ctx context.Context, id string) error {
	_, err := writeWithin(ctx, k.reach, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, k.stream.Purge(ctx, jetstream.WithPurgeSubject(keyPrefix+id))
	})
	if err != nil {
		return fmt.Errorf("destroying keys: %w", explain(err))
	}
	return nil
}

// Compact removes the bytes of destroyed keys from the disks of all replicas, if there are
// any (done). JetStream never rewrites its newest block, so the block is filled; then every batch
// is written again, and what was before that has no message left, and its files go. The
// raft logs go when each replica has heard of it.
func (k *Keys) Compact(ctx context.Context) (done bool, err error) {
	mark, err := readWithin(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return k.stream.GetLastMsgForSubject(ctx, erasedSubject)
	})
	if err = explain(err); errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("compacting keys: %w", err)
	}
	fill := make([]byte, MaxPieceBytes)
	for range fillBytes / len(fill) {
		_, _ = rand.Read(fill) // what can be compressed fills nothing
		if err := k.put(ctx, fillSubject, fill); err != nil {
			return false, err
		}
	}
	if err := k.rewrite(ctx); err != nil {
		return false, err
	}
	// A mark that is newer stays.
	_, err = writeWithin(ctx, k.reach, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, k.stream.DeleteMsg(ctx, mark.Sequence)
	})
	if err = explain(err); errors.Is(err, ErrUnavailable) {
		return false, fmt.Errorf("compacting keys: %w", err)
	}
	info, err := readWithin(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) { return k.stream.Info(ctx) })
	if err != nil {
		return false, fmt.Errorf("compacting keys: %w", explain(err))
	}
	k.told(info.State.LastSeq)
	return true, nil
}

// rewrite writes every batch again, but removes those without a key: a crash may have left
// them.
func (k *Keys) rewrite(ctx context.Context) error {
	batches, err := k.Batches(ctx)
	if err != nil {
		return err
	}
	for id := range batches {
		for {
			batch, sequence, err := k.read(ctx, id)
			if errors.Is(err, ErrNotFound) {
				break
			}
			if err == nil && len(batch) == 0 {
				err = k.purge(ctx, id)
			} else if err == nil {
				err = k.put(ctx, keyPrefix+id, batch, jetstream.WithExpectLastSequencePerSubject(sequence))
			}
			if err == nil {
				break
			}
			if !errors.Is(err, ErrConflict) || ctx.Err() != nil {
				return fmt.Errorf("compacting keys: %w", err)
			}
		}
	}
	return nil
}

// tellErased tells every replica, this one too, that the keys were compacted up to there.
func (s *Store) tellErased(sequence uint64) {
	_ = s.conn.Publish(erasedNotice, binary.BigEndian.AppendUint64(nil, sequence))
}

// followErased has this replica's raft log compacted when the keys were, and once now: the
// replica may have been away. It ends with the connection.
func (s *Store) followErased(ctx context.Context) error {
	if s.srv == nil || s.replicas == 1 {
		return nil
	}
	info, err := s.keys.stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("reading keys: %w", err)
	}
	sub, err := s.conn.Subscribe(erasedNotice, func(m *nats.Msg) {
		if len(m.Data) == 8 {
			s.compactLog(binary.BigEndian.Uint64(m.Data))
		}
	})
	if err != nil {
		return fmt.Errorf("subscribing to compactions: %w", err)
	}
	if err := sub.SetPendingLimits(64, -1); err != nil { // there is about one a minute
		return fmt.Errorf("subscribing to compactions: %w", err)
	}
	s.tellErased(info.State.LastSeq)
	return nil
}

// compactLog waits until this replica has the sequence, and replaces its raft log by a
// snapshot.
func (s *Store) compactLog(sequence uint64) {
	end := time.Now().Add(catchUpPatience)
	for s.keySequence() < sequence && time.Now().Before(end) && !s.conn.IsClosed() {
		time.Sleep(catchUpPause)
	}
	if s.conn.IsClosed() {
		return
	}
	if err := s.srv.JetStreamSnapshotStream(server.DEFAULT_GLOBAL_ACCOUNT, keyStream); err != nil {
		s.log.Warn("could not compact the raft log of the keys", "error", err) // the server does it by itself later
	}
}

// keySequence is the newest message that this replica has of the keys.
func (s *Store) keySequence() uint64 {
	info, err := s.srv.Jsz(&server.JSzOptions{Account: server.DEFAULT_GLOBAL_ACCOUNT, Streams: true})
	if err != nil {
		return 0
	}
	for _, account := range info.AccountDetails {
		for _, stream := range account.Streams {
			if stream.Name == keyStream {
				return stream.State.LastSeq
			}
		}
	}
	return 0
}
