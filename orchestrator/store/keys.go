package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	keyStream = "keys"
	keyPrefix = "keys."
	// erasedSubject has a message from the first destroyed key to the compaction that
	// removes its bytes; fillSubject has what a compaction fills blocks with. Neither is
	// a batch: those are UUIDs.
	erasedSubject = keyPrefix + "_erased"
	fillSubject   = keyPrefix + "_fill"
	// KeyBytes is a key for AES-256. batchKeys are written at once, so that a new key
	// costs no write of its own; what is left of a batch after batchAge is not used.
	KeyBytes  = 32
	batchKeys = 256
	batchAge  = 10 * time.Minute
	// keyBytes bounds the stream: at 34 bytes each and the headers of a batch,
	// over 500,000 keys. It also decides the size of JetStream's blocks, see fillBytes.
	keyBytes = 24 << 20
	// keyReserve is what new keys leave of that: a stream that is full refuses to destroy
	// keys, and to compact them, as both write before anything goes.
	keyReserve = 2 << 20
	// cachedBatches are kept in memory: 9 KiB each.
	cachedBatches = 128
)

// Keys are secrets, each for the content of one task. A task's content is stored
// encrypted with its key, in records, pieces and events; so destroying the key erases all
// of it at once, wherever JetStream still has the bytes: in blocks that it has not
// compacted, and in the raft logs of every replica.
type Keys struct {
	js     jetstream.JetStream
	reach  *quorumLink
	stream jetstream.Stream
	told   func(sequence uint64) // tells replicas that a compaction is done
	cached *lru.Cache[string, keyBatch]

	mu     sync.Mutex
	batch  string    // the one that new keys are taken from
	next   int       // of its keys
	made   time.Time // wall clock only: the monotonic clock stops during suspend
	making *making   // a new one, on its way to the disk
}

// making is a batch that is being written; err is set when done is closed.
type making struct {
	done chan struct{}
	err  error
}

// keys is the stream, one subject a batch.
func keys(replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: keyStream, Subjects: []string{keyPrefix + "*"},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		MaxBytes: keyBytes, MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxMsgSize: MaxPieceBytes + 4<<10, MaxConsumers: -1,
		Replicas: replicas, AllowDirect: replicas == 1, Duplicates: duplicates,
	}
}

func newKeys(js jetstream.JetStream, reach *quorumLink, stream jetstream.Stream, told func(uint64)) *Keys {
	cached, err := lru.New[string, keyBatch](cachedBatches)
	if err != nil {
		panic("store: " + err.Error()) // the size is not positive
	}
	return &Keys{js: js, reach: reach, stream: stream, told: told, cached: cached}
}

// New gives a new key's name. The key is on disk before its name is given. ErrFull: there
// are too many.
func (k *Keys) New(ctx context.Context) (name string, err error) {
	for {
		k.mu.Lock()
		if k.next < batchKeys && k.batch != "" && time.Since(k.made).Abs() < batchAge {
			name = k.batch + "." + strconv.Itoa(k.next)
			k.next++
			k.mu.Unlock()
			return name, nil
		}
		m, first := k.making, k.making == nil
		if first {
			m = &making{done: make(chan struct{})}
			k.making = m
		}
		k.mu.Unlock()
		if first {
			k.refill(ctx, m)
		}
		select {
		case <-m.done:
		case <-ctx.Done():
			return "", fmt.Errorf("making keys: %w", ctx.Err())
		}
		if m.err != nil {
			return "", m.err
		}
	}
}

// refill makes a batch, for all who wait.
func (k *Keys) refill(ctx context.Context, m *making) {
	id, batch := uuid.Must(uuid.NewV7()).String(), newKeyBatch()
	ctx = context.WithoutCancel(ctx) // others wait for it too
	if m.err = k.room(ctx); m.err == nil {
		m.err = k.put(ctx, keyPrefix+id, batch)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.making = nil; m.err == nil {
		k.batch, k.next, k.made = id, 0, time.Now().Round(0)
		k.cached.Add(id, batch)
	}
	close(m.done)
}

// room refuses a new batch in what is reserved: ErrFull.
func (k *Keys) room(ctx context.Context) error {
	info, err := readWithin(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) { return k.stream.Info(ctx) })
	if err == nil && info.State.Bytes >= keyBytes-keyReserve {
		err = ErrFull
	}
	if err != nil {
		return fmt.Errorf("making keys: %w", explain(err))
	}
	return nil
}

// Key gives a key; ErrNotFound when it was destroyed.
func (k *Keys) Key(ctx context.Context, name string) ([]byte, error) {
	id, n, err := splitKeyName(name)
	if err != nil {
		return nil, err
	}
	batch, ok := k.cached.Get(id)
	if !ok {
		if batch, _, err = k.read(ctx, id); err != nil {
			return nil, fmt.Errorf("reading key: %w", err)
		}
		k.cached.Add(id, batch)
	}
	if key := batch.key(n); key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("reading key: %w", ErrNotFound)
}

// Batches names the batches that are there, and when each was made.
func (k *Keys) Batches(ctx context.Context) (map[string]time.Time, error) {
	info, err := readWithin(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) {
		return k.stream.Info(ctx, jetstream.WithSubjectFilter(keyPrefix+">"))
	})
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", explain(err))
	}
	made := make(map[string]time.Time)
	for subject := range info.State.Subjects {
		id := strings.TrimPrefix(subject, keyPrefix)
		if u, err := uuid.Parse(id); err == nil {
			seconds, nanoseconds := u.Time().UnixTime()
			made[id] = time.Unix(seconds, nanoseconds)
		}
	}
	return made, nil
}

// Names lists the keys of a batch.
func (k *Keys) Names(ctx context.Context, id string) ([]string, error) {
	batch, _, err := k.read(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("listing keys: %w", err)
	}
	var names []string
	for _, n := range batch.numbers() {
		names = append(names, id+"."+strconv.Itoa(n))
	}
	return names, nil
}

func (k *Keys) read(ctx context.Context, id string) (batch keyBatch, sequence uint64, err error) {
	m, err := readWithin(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return k.stream.GetLastMsgForSubject(ctx, keyPrefix+id)
	})
	if err != nil {
		return nil, 0, explain(err)
	}
	return m.Data, m.Sequence, nil
}

func (k *Keys) put(ctx context.Context, subject string, value []byte, o ...jetstream.PublishOpt) error {
	_, err := writeWithin(ctx, k.reach, func(ctx context.Context) (*jetstream.PubAck, error) {
		return k.js.Publish(ctx, subject, value, o...)
	})
	if full(err) {
		err = ErrFull
	}
	if hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence) || hasCode(err, codeWrongLastInFlight) {
		err = ErrConflict
	}
	if err != nil {
		return fmt.Errorf("writing keys: %w", explain(err))
	}
	return nil
}

func splitKeyName(name string) (id string, n int, err error) {
	id, number, ok := strings.Cut(name, ".")
	if n, err = strconv.Atoi(number); !ok || err != nil || n < 0 || n >= batchKeys {
		return "", 0, errors.New("not the name of a key")
	}
	return id, n, nil
}

// keyBatch is some keys as they are stored: of each its number, one byte, and the key, in
// the order of the numbers.
type keyBatch []byte

const keyEntry = 1 + KeyBytes

func newKeyBatch() keyBatch {
	batch := make(keyBatch, 0, batchKeys*keyEntry)
	for n := range batchKeys {
		batch = append(batch, byte(n))
		batch = batch[:len(batch)+KeyBytes]
		_, _ = rand.Read(batch[len(batch)-KeyBytes:]) // never fails
	}
	return batch
}

// key gives one key; nil when it is not there.
func (b keyBatch) key(n int) []byte {
	for ; len(b) >= keyEntry; b = b[keyEntry:] {
		if int(b[0]) == n {
			return b[1:keyEntry:keyEntry]
		}
	}
	return nil
}

func (b keyBatch) numbers() (all []int) {
	for ; len(b) >= keyEntry; b = b[keyEntry:] {
		all = append(all, int(b[0]))
	}
	return all
}

// without gives the batch without these keys.
func (b keyBatch) without(numbers map[int]bool) keyBatch {
	left := keyBatch{}
	for ; len(b) >= keyEntry; b = b[keyEntry:] {
		if !numbers[int(b[0])] {
			left = append(left, b[:keyEntry]...)
		}
	}
	return left
}

// copyKeys copies every batch that the target does not have: there it may have fewer keys.
func copyKeys(ctx context.Context, from, to *Keys) error {
	batches, err := from.Batches(ctx)
	if err != nil {
		return err
	}
	for id := range batches {
		batch, _, err := from.read(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("copying keys: %w", err)
		}
		err = to.put(ctx, keyPrefix+id, batch, jetstream.WithExpectLastSequencePerSubject(0))
		if err != nil && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("copying keys: %w", err)
		}
	}
	return nil
}
