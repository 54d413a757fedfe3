package store

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// keyspace is the part of a stream that is a bucket: each key is a subject, and the last
// message of the subject is its value. The headers are those of NATS key-value buckets,
// which replicas of earlier versions, and the nats command, read and write.
type keyspace struct {
	name    string        // of the bucket
	stream  string        // that it is in
	prefix  string        // of its subjects, with the last dot
	ttl     time.Duration // that each write gives its key; 0: the stream has the limit, or there is none
	markers bool          // the markers of deletions expire by themselves
}

// keyspace is the bucket as a stream of its own.
func (b bucket) keyspace() keyspace {
	return keyspace{name: b.name, stream: bucketPrefix + b.name, prefix: "$KV." + b.name + ".", markers: b.markers}
}

// Headers of a key's message that the client library does not name.
const (
	markerReason  = "Nats-Marker-Reason" // of a key that a limit has removed
	keyOperation  = "KV-Operation"       // DEL or PURGE
	keyPurged     = "PURGE"
	messageTTL    = "Nats-TTL"
	messageRollup = "Nats-Rollup"
	rollupSubject = "sub"
)

// keyText is what a key may be: a part of a subject, without wildcards.
var keyText = regexp.MustCompile(`^[-/_=a-zA-Z0-9]+(\.[-/_=a-zA-Z0-9]+)*$`)

func checkKey(key string) error {
	if !keyText.MatchString(key) {
		return fmt.Errorf("key %q: want letters, digits and - / _ = with dots between them", key)
	}
	return nil
}

func deleted(h nats.Header) bool { return h.Get(keyOperation) != "" || h.Get(markerReason) != "" }

// open finds the stream of the bucket.
func (s *Store) openBucket(ctx context.Context, js jetstream.JetStream, in keyspace) (*Bucket, error) {
	stream, err := js.Stream(ctx, in.stream)
	if err != nil {
		return nil, fmt.Errorf("opening bucket %s: %w", in.name, err)
	}
	return &Bucket{js: js, stream: stream, in: in, shutdowns: s.shutdowns, reach: s.reach()}, nil
}

// last reads the last message of the key, also one that says that it is deleted.
func (b *Bucket) last(ctx context.Context, key string) (Entry, error) {
	if err := checkKey(key); err != nil {
		return Entry{}, err
	}
	m, err := readWithin(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return b.stream.GetLastMsgForSubject(ctx, b.in.prefix+key)
	})
	if err != nil {
		return Entry{}, err
	}
	return Entry{Key: key, Value: m.Data, Revision: m.Sequence, Created: m.Time, Deleted: deleted(m.Header), Size: int64(len(m.Data))}, nil
}

// create is one attempt: the key must be absent, or its last message a deletion, which is
// then what it replaces.
func (b *Bucket) create(ctx context.Context, key string, value []byte, ttl time.Duration) (uint64, error) {
	rev, err := b.publish(ctx, key, value, ttl, jetstream.WithExpectLastSequencePerSubject(0))
	if !hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence) && !hasCode(err, codeWrongLastInFlight) {
		return rev, err
	}
	if e, last := b.last(ctx, key); last == nil && e.Deleted {
		return b.publish(ctx, key, value, ttl, jetstream.WithExpectLastSequencePerSubject(e.Revision))
	}
	return rev, err
}

func (b *Bucket) publish(ctx context.Context, key string, value []byte, ttl time.Duration, options ...jetstream.PublishOpt) (uint64, error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	if ttl > 0 {
		options = append(options, jetstream.WithMsgTTL(ttl))
	}
	ack, err := b.js.Publish(ctx, b.in.prefix+key, value, options...)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// purge writes the marker of a deletion, which replaces the key's value.
func (b *Bucket) purge(ctx context.Context, key string) (uint64, error) {
	if err := checkKey(key); err != nil {
		return 0, err
	}
	m := nats.NewMsg(b.in.prefix + key)
	m.Header.Set(keyOperation, keyPurged)
	m.Header.Set(messageRollup, rollupSubject)
	if b.in.markers {
		m.Header.Set(messageTTL, markerTTL.String())
	}
	ack, err := b.js.PublishMsg(ctx, m)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// key is the key of a subject.
func (b *Bucket) key(subject string) string { return strings.TrimPrefix(subject, b.in.prefix) }
