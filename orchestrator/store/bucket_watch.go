package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// watchBeat is the server's heartbeat, and watchSilence the time without one after
	// which a watch is restarted: three are not lost by chance.
	watchBeat    = time.Second
	watchSilence = 3 * watchBeat
	// watchHurry is that time while a replica shuts down, which may be the one that
	// feeds the watch, and watchLeaving how long that is so.
	watchHurry   = watchBeat + watchBeat/4
	watchLeaving = 5 * time.Second
	// watchIdle is when the server drops a watch without a subscriber.
	watchIdle = 30 * time.Second
	// watchRetry is the longest pause between attempts to restart.
	watchRetry = time.Second
)

// Headers of the server that the client library does not name.
const (
	beatLast      = "Nats-Last-Consumer" // of a beat: the last message before it
	beatStalled   = "Nats-Consumer-Stalled"
	statusHeader  = "Status"
	statusControl = "100"
)

var errSilent = errors.New("watch timed out")

// Watch calls begin and f from one goroutine: begin, then f for every present key,
// then f once with a zero Entry ("all there was has been seen"), then f for each
// change in the order of the revisions, own writes included, until ctx ends. Of
// changes of one key that follow each other at once it may tell the last one only.
//
// When the connection to the stream was lost it begins again: begin, present
// keys, the zero Entry, changes. It may be lost at any moment, also before the
// zero Entry. So f takes repeats (a revision it has already), and learns at the
// zero Entry which keys have vanished meanwhile: those that it knows and that have
// not come since the last begin, which may be nil.
func (b *Bucket) Watch(ctx context.Context, begin func(), f func(Entry)) error {
	return b.watch(ctx, false, begin, f)
}

// WatchMeta is Watch without the values; Entry.Size tells their length.
func (b *Bucket) WatchMeta(ctx context.Context, begin func(), f func(Entry)) error {
	return b.watch(ctx, true, begin, f)
}

func (b *Bucket) watch(ctx context.Context, meta bool, begin func(), f func(Entry)) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, watchRetry
	for {
		w := watcher{bucket: b, meta: meta, begin: begin, f: f}
		if err := w.run(ctx); ctx.Err() != nil {
			return b.wrap("watching", "*", ctx.Err())
		} else if errors.Is(err, nats.ErrConnectionClosed) {
			return b.wrap("watching", "*", err) // the store was closed
		}
		if w.complete {
			pause.Reset()
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
		}
	}
}

// watcher is one life of a watch: a consumer that pushes in order and needs no
// acknowledgement, wherever in the cluster it lives.
type watcher struct {
	bucket   *Bucket
	meta     bool
	begin    func() // may be nil
	f        func(Entry)
	once     bool   // only what is present
	complete bool   // all that was present has been seen
	next     uint64 // of the consumer's numbering: a hole means something was lost
}

func (w *watcher) run(ctx context.Context) error {
	conn := w.bucket.js.Conn()
	sub, err := conn.SubscribeSync(conn.NewInbox())
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	stream := w.bucket.in.stream
	consumer, err := w.bucket.js.CreatePushConsumer(ctx, stream, jetstream.ConsumerConfig{
		DeliverSubject: sub.Subject, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, FilterSubject: w.bucket.in.prefix + ">",
		AckPolicy: jetstream.AckNonePolicy, MaxDeliver: 1, MemoryStorage: true, Replicas: 1, HeadersOnly: w.meta,
		FlowControl: true, IdleHeartbeat: watchBeat, InactiveThreshold: watchIdle,
	})
	if err != nil {
		return fmt.Errorf("starting watch: %w", err)
	}
	defer w.forget(ctx, stream, consumer.CachedInfo().Name)
	w.next = 1
	if w.begin != nil {
		w.begin()
	}
	if consumer.CachedInfo().NumPending == 0 {
		w.seen()
	}
	heard := time.Now()
	for !w.once || !w.complete {
		m, err := next(ctx, sub)
		switch {
		case err == nil:
			if err := w.take(m); err != nil {
				return err
			}
			heard = time.Now()
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		case time.Since(heard) > w.bucket.shutdowns.patience():
			return errSilent
		}
	}
	return nil
}

func next(ctx context.Context, sub *nats.Subscription) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, watchBeat/4)
	defer cancel()
	return sub.NextMsgWithContext(ctx)
}

// forget removes the consumer; without a leader it goes by itself (watchIdle).
func (w *watcher) forget(ctx context.Context, stream, name string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), watchBeat)
	defer cancel()
	_ = w.bucket.js.DeleteConsumer(ctx, stream, name)
}

func (w *watcher) seen() {
	if !w.complete {
		w.complete = true
		w.f(Entry{})
	}
}

func (w *watcher) take(m *nats.Msg) error {
	if m.Header.Get(statusHeader) == statusControl {
		return w.control(m)
	}
	info, err := m.Metadata()
	if err != nil {
		return fmt.Errorf("watching: %w", err)
	}
	if info.Sequence.Consumer != w.next {
		return fmt.Errorf("watching: got message %d instead of %d", info.Sequence.Consumer, w.next)
	}
	w.next++
	e := Entry{
		Key: w.bucket.key(m.Subject), Value: m.Data, Revision: info.Sequence.Stream, Created: info.Timestamp,
		Deleted: deleted(m.Header), Size: int64(len(m.Data)),
	}
	if w.meta {
		e.Size, _ = strconv.ParseInt(m.Header.Get(nats.MsgSize), 10, 64)
	}
	if w.complete || !e.Deleted {
		w.f(e)
	}
	if info.NumPending == 0 {
		w.seen()
	}
	return nil
}

// control answers the server's flow control.
func (w *watcher) control(m *nats.Msg) error {
	if m.Reply != "" { // flow control: this message is reached in order, so all before it are done
		return m.Respond(nil)
	}
	if stalled := m.Header.Get(beatStalled); stalled != "" {
		return w.bucket.js.Conn().Publish(stalled, nil)
	}
	if last, err := strconv.ParseUint(m.Header.Get(beatLast), 10, 64); err == nil && last >= w.next {
		return fmt.Errorf("watching: messages %d to %d were lost", w.next, last)
	}
	w.seen() // a beat without a stall: there is nothing left to deliver
	return nil
}
