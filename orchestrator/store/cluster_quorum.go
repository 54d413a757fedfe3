package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// quorumPause is how often a starting replica looks for a quorum, and quorumLogPause
	// how often it logs that there is none.
	quorumPause    = 250 * time.Millisecond
	quorumLogPause = 5 * time.Second
	// quorumAnswer is how long a question waits for its answer, and quorumSlow
	// how long when it goes on for twice as long: a disk may be slow.
	quorumAnswer = time.Second
	quorumSlow   = 5 * time.Second
)

// layOut creates the buckets and the event stream, or opens them. In a cluster it
// waits for a quorum of replicas (for all, when the cluster is new).
func (s *Store) layOut(ctx context.Context) error {
	js, err := jetstream.New(s.conn, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return fmt.Errorf("connecting to jetstream: %w", err)
	}
	if !s.shared {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, startTimeout)
		defer cancel()
	}
	// First that there is a leader at all, then everything at once: each stream
	// of a new cluster elects a leader of its own.
	if err := s.ensureStream(ctx, js, events(s.replicas)); err != nil {
		return err
	}
	var all sync.WaitGroup
	failed := make([]error, len(layout)+2)
	all.Go(func() {
		failed[len(layout)] = s.untilQuorum(ctx, "making stream "+contentStream, func(ctx context.Context) error { return s.fitContent(ctx, js) })
	})
	all.Go(func() { failed[len(layout)+1] = s.ensureStream(ctx, js, keys(s.replicas)) })
	for i, b := range layout {
		all.Go(func() { failed[i] = s.ensureStream(ctx, js, b.stream(s.replicas)) })
	}
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return err // the first is enough
		}
	}
	if err := s.untilQuorum(ctx, "opening the buckets", func(ctx context.Context) error { return s.bind(ctx, js) }); err != nil {
		return err
	}
	return s.untilQuorum(ctx, "announcing this version", s.announce)
}

// bind finds the streams that there are now.
func (s *Store) bind(ctx context.Context, js jetstream.JetStream) error {
	leaving, err := watchShutdownNotices(s.conn)
	if err != nil {
		return err
	}
	s.shutdowns = leaving
	for _, b := range layout {
		if s.buckets[b.name], err = s.openBucket(ctx, js, b.keyspace()); err != nil {
			return err
		}
	}
	stream, err := js.Stream(ctx, eventStream)
	if err != nil {
		return fmt.Errorf("opening stream %s: %w", eventStream, err)
	}
	s.events = &EventLog{js: js, reach: s.reach(), stream: stream, shared: s.shared}
	if stream, err = js.Stream(ctx, contentStream); err != nil {
		return fmt.Errorf("opening stream %s: %w", contentStream, err)
	}
	s.content = &Content{js: js, reach: s.reach(), stream: stream, read: make(chan struct{}, pieceReads), memory: newHeapPacer()}
	if stream, err = js.Stream(ctx, keyStream); err != nil {
		return fmt.Errorf("opening stream %s: %w", keyStream, err)
	}
	s.keys = newKeys(js, s.reach(), stream, s.tellErased)
	return nil
}

// ensureStream creates or changes the stream as necessary.
func (s *Store) ensureStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	return s.untilQuorum(ctx, "making stream "+want.Name, func(ctx context.Context) error { return ensure(ctx, js, want) })
}

// untilQuorum does f; a replica of a cluster retries, and logs it, until there is a
// quorum.
func (s *Store) untilQuorum(ctx context.Context, doing string, f func(context.Context) error) error {
	if !s.shared { // there is no other replica to wait for
		if err := f(ctx); err != nil {
			return fmt.Errorf("%s: %w", doing, explain(err))
		}
		return nil
	}
	began := time.Now()
	told := began
	for {
		answer := quorumAnswer
		if time.Since(began) > 2*quorumSlow {
			answer = quorumSlow
		}
		err := withTimeout(ctx, answer, f)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: waiting for a quorum: %w (%w)", doing, ctx.Err(), err)
		case !transient(err):
			return fmt.Errorf("%s: %w", doing, explain(err))
		}
		if time.Since(told) >= quorumLogPause {
			told = time.Now()
			s.log.Warn("waiting for the other replicas: a quorum is needed, and all of them when the cluster is new", "replica", s.replica,
				"replicas", s.replicas, "quorum", s.replicas/2+1, "connected", s.connected(), "doing", doing, "reason", err.Error())
		}
		select {
		case <-time.After(quorumPause):
		case <-ctx.Done():
		}
	}
}

// transient errors are those of a cluster that is not ready yet. "Not found" is
// one: a stream that one replica has created may reach another a moment later.
func transient(err error) bool {
	return unavailable(err) || errors.Is(err, jetstream.ErrStreamNotFound)
}

// withTimeout bounds one attempt: a request from before there was a leader is never
// answered.
func withTimeout(ctx context.Context, answer time.Duration, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	return f(ctx)
}

// connected counts the connected replicas, this one included.
func (s *Store) connected() int {
	if s.srv == nil {
		return 0
	}
	return len(s.srv.ActivePeers())
}

// errOtherCopies is a stream with other replicas or storage than configured.
var errOtherCopies = errors.New("stream exists with other replicas or storage")

// ensure compares before it writes: when all replicas start, one change is enough.
// Settings that decide about durability are never changed silently.
func ensure(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig) error {
	stream, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, want)
	}
	if err != nil {
		return err
	}
	have := stream.CachedInfo().Config
	if have.Replicas != want.Replicas || have.Storage != want.Storage {
		return fmt.Errorf("%w: %s has %d in %s storage, wanted are %d in %s", errOtherCopies,
			want.Name, have.Replicas, have.Storage, want.Replicas, want.Storage)
	}
	if same(have, want) {
		return nil
	}
	want.PersistMode = have.PersistMode // cannot be changed
	_, err = js.UpdateStream(ctx, want)
	return err
}

func same(a, b jetstream.StreamConfig) bool {
	return a.MaxBytes == b.MaxBytes && a.MaxAge == b.MaxAge && a.MaxMsgSize == b.MaxMsgSize && a.MaxMsgsPerSubject == b.MaxMsgsPerSubject &&
		a.AllowDirect == b.AllowDirect && a.AllowMsgTTL == b.AllowMsgTTL && a.SubjectDeleteMarkerTTL == b.SubjectDeleteMarkerTTL &&
		(a.RePublish == nil) == (b.RePublish == nil)
}
