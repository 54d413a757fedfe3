package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	eventStream = "events"
	eventPrefix = "events."
	// barrierSubject is no task: task ids are UUIDs.
	barrierSubject = eventPrefix + "_barrier"
	// livePrefix is where each stored record is published again, by whichever
	// replica leads the stream. No stream keeps it.
	livePrefix   = "live."
	eventMaxAge  = time.Hour // how long after its end a task's stream can be read again
	eventMaxSize = 1 << 30
	// eventsPerTask bounds one task's messages. A message is a few
	// milliseconds of tokens, so this is more than ten minutes of steady output.
	eventsPerTask = 65_536
	// appendPatience is how long records wait for an unavailable log: an election of
	// its leader takes up to 9 s in an existing NATS cluster. After that each is tried once, until one is stored
	// again. appendTry bounds one attempt, which may never be answered.
	appendPatience = 10 * time.Second
	appendTry      = 2 * time.Second
)

// EventLog is the stream of task events, one subject a task, limited by age,
// size and number. The oldest go first: a late reader finds a gap
// and must report it.
type EventLog struct {
	js     jetstream.JetStream
	reach  *quorumLink
	stream jetstream.Stream
	shared bool
	away   logOutage
}

// logOutage is since when the log is unavailable.
type logOutage struct {
	mu           sync.Mutex
	since, again time.Time // when a record was not stored for the first and the last time
}

// missed notes that a record was not stored, and gives how long that has been so. A
// failure long ago, without an attempt since, belongs to another outage.
func (a *logOutage) missed(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.again) > appendPatience {
		a.since = now
	}
	a.again = now
	return now.Sub(a.since)
}

// over notes that a record was stored.
func (a *logOutage) over() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since, a.again = time.Time{}, time.Time{}
}

// events is the stream. With one replica it is written asynchronously; JetStream
// has no such mode for more. With three it is a file on each all the same, not
// memory: measured on two cores with three servers on one disk, both take 40 to
// 60 thousand records a second from a writer that does not wait (the raft log
// is synced for many at a time); a file's record can be read after 0.9 ms
// instead of 0.1 ms, which is little beside the 5 ms that tokens wait for company;
// and a file is there after all replicas were down, and may be a gigabyte.
func events(replicas int) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name: eventStream, Subjects: []string{eventPrefix + "*"},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxAge: eventMaxAge, MaxBytes: eventMaxSize, MaxMsgsPerSubject: eventsPerTask, MaxMsgs: -1, MaxMsgSize: -1, MaxConsumers: -1,
		Replicas: replicas, AllowDirect: replicas == 1, Duplicates: duplicates,
		RePublish: &jetstream.RePublish{Source: eventPrefix + "*", Destination: livePrefix + "{{wildcard(1)}}"},
	}
	if replicas == 1 {
		c.PersistMode = jetstream.AsyncPersistMode
	}
	return c
}

// Append hands a record to the log without waiting for it to be stored.
// Records of one task keep their order.
func (l *EventLog) Append(taskID string, record []byte) error {
	if err := l.js.Conn().Publish(eventPrefix+taskID, record); err != nil {
		return fmt.Errorf("appending event of task %s: %w", taskID, err)
	}
	return nil
}

// Store is Append that returns, where other replicas read too, when most of them
// have the record. It retries while the log has no leader, and gives up in the
// end: then readers on other replicas get a gap. A record may be stored twice; the
// event ids in it show that.
func (l *EventLog) Store(ctx context.Context, taskID string, record []byte) error {
	if !l.shared {
		return l.Append(taskID, record)
	}
	for {
		err := l.try(ctx, taskID, record)
		if err == nil {
			l.away.over()
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, ErrUnavailable) || l.away.missed(time.Now()) > appendPatience {
			return fmt.Errorf("storing event of task %s: %w", taskID, err)
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *EventLog) try(ctx context.Context, taskID string, record []byte) error {
	ctx, cancel := context.WithTimeout(ctx, appendTry)
	defer cancel()
	_, err := writeWithin(ctx, l.reach, func(ctx context.Context) (*jetstream.PubAck, error) {
		return l.js.Publish(ctx, eventPrefix+taskID, record)
	})
	return explain(err)
}

// Barrier returns when everything appended before it can be read.
func (l *EventLog) Barrier(ctx context.Context) error {
	_, err := writeWithin(ctx, l.reach, func(ctx context.Context) (*jetstream.PubAck, error) { return l.js.Publish(ctx, barrierSubject, nil) })
	if err != nil {
		return fmt.Errorf("waiting for the event log: %w", explain(err))
	}
	return nil
}

// Read gives the task's first record at or after the cursor and the cursor that
// follows it; begin with 0. ErrNotFound: there is no more.
func (l *EventLog) Read(ctx context.Context, taskID string, cursor uint64) (record []byte, next uint64, err error) {
	m, err := readWithin(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return l.stream.GetMsg(ctx, max(cursor, 1), jetstream.WithGetMsgSubject(eventPrefix+taskID))
	})
	if err != nil {
		return nil, cursor, fmt.Errorf("reading events of task %s: %w", taskID, explain(err))
	}
	return m.Data, m.Sequence + 1, nil
}

// Last gives the task's newest record; ErrNotFound when it has none.
func (l *EventLog) Last(ctx context.Context, taskID string) ([]byte, error) {
	m, err := readWithin(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return l.stream.GetLastMsgForSubject(ctx, eventPrefix+taskID)
	})
	if err != nil {
		return nil, fmt.Errorf("reading last event of task %s: %w", taskID, explain(err))
	}
	return m.Data, nil
}

// Forget removes a task's events.
func (l *EventLog) Forget(ctx context.Context, taskID string) error {
	_, err := writeWithin(ctx, l.reach, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, l.stream.Purge(ctx, jetstream.WithPurgeSubject(eventPrefix+taskID))
	})
	if err != nil {
		return fmt.Errorf("purging events of task %s: %w", taskID, explain(err))
	}
	return nil
}

// Subscribe calls f, from one goroutine, with every record that is stored for
// the task from now on, in order, until stop is called; a call that is under way
// then may still finish. It costs a subscription and no consumer, and is no
// guarantee: a disconnected replica, or a slow f, misses records. The event ids show
// that, and the log has what was missed. With an error the log is unavailable: more
// records may be missed, later ones arrive, and stop has to be called all the same.
func (l *EventLog) Subscribe(taskID string, f func(record []byte)) (stop func(), err error) {
	sub, err := l.js.Conn().Subscribe(livePrefix+taskID, func(m *nats.Msg) { f(m.Data) })
	if err != nil {
		return func() {}, fmt.Errorf("following events of task %s: %w", taskID, err)
	}
	stop = func() { _ = sub.Unsubscribe() }
	// The stream's leader gets the subscription before the barrier that follows it on
	// the same connection: so "now" is when this returns.
	ctx, cancel := context.WithTimeout(context.Background(), operationTimeout)
	defer cancel()
	return stop, l.Barrier(ctx)
}
