package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// peersPrefix begins the subjects of messages between replicas.
	peersPrefix = "llorch.peers."
	// senderHeader names the replica that sent a message.
	senderHeader = "Llorch-Replica"
	// peersPending and peersPendingBytes bound the messages that wait for one subscriber;
	// later ones are dropped until it has caught up.
	peersPending      = 4096
	peersPendingBytes = 64 << 20
	// flushTimeout bounds the wait until the server knows of a subscription.
	flushTimeout = time.Second
)

// Errors of messages between replicas.
var (
	// ErrTooLarge is returned for a message over MaxRecordBytes, which was not sent.
	ErrTooLarge = errors.New("message too large")
	// ErrNoPeers is returned by Ask when no replica that is known here listens.
	ErrNoPeers = errors.New("no other replica listens")
)

// Peers passes messages between the replicas, those of embedded servers over the routes'
// mutual TLS. It is best effort: a message reaches the replicas that are connected now, may
// be lost, needs no quorum and no leader, and is never on a disk.
type Peers struct {
	conn    *nats.Conn
	replica string
}

// PeerMessage is a message of another replica.
type PeerMessage struct {
	From string // the other replica's name
	Body []byte // MaxRecordBytes at most
	in   *nats.Msg
}

// Peers gives the way to the other replicas; nil where there are none.
func (s *Store) Peers() *Peers {
	if !s.shared {
		return nil
	}
	return &Peers{conn: s.conn, replica: s.replica}
}

// Others counts the other replicas that are connected now; known is false where the
// servers are not embedded, and their number cannot be told.
func (s *Store) Others() (connected int, known bool) {
	if s.srv == nil || !s.shared {
		return 0, false
	}
	return s.srv.NumRemotes(), true
}

func (p *Peers) message(subject string, body []byte) (*nats.Msg, error) {
	if len(body) > MaxRecordBytes {
		return nil, fmt.Errorf("sending to other replicas: %d bytes: %w", len(body), ErrTooLarge)
	}
	m := nats.NewMsg(subject)
	m.Header.Set(senderHeader, p.replica)
	m.Data = body
	return m, nil
}

// Publish sends a message to the other replicas; ErrTooLarge if it is over MaxRecordBytes.
func (p *Peers) Publish(topic string, body []byte) error {
	m, err := p.message(peersPrefix+topic, body)
	if err != nil {
		return err
	}
	if err := p.conn.PublishMsg(m); err != nil {
		return fmt.Errorf("sending to other replicas: %w", explain(err))
	}
	return nil
}

// Subscribe calls f, from one goroutine, for each message of another replica on the topic
// until stop is called or the store is closed.
func (p *Peers) Subscribe(topic string, f func(PeerMessage)) (stop func(), err error) {
	sub, err := p.conn.Subscribe(peersPrefix+topic, func(in *nats.Msg) {
		if m := p.received(in); m.From != "" {
			f(m)
		}
	})
	if err == nil {
		err = sub.SetPendingLimits(peersPending, peersPendingBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("subscribing to messages of other replicas: %w", err)
	}
	_ = p.conn.FlushTimeout(flushTimeout) // a server that is away learns of it when it is back
	return func() { _ = sub.Unsubscribe() }, nil
}

// received gives a message without a sender when it is this replica's own, or has none.
func (p *Peers) received(in *nats.Msg) PeerMessage {
	from := in.Header.Get(senderHeader)
	if from == p.replica || !clusterName.MatchString(from) {
		return PeerMessage{}
	}
	return PeerMessage{From: from, Body: in.Data, in: in}
}

// Answer sends a part of the answer to a question. To a message that asks nothing it
// sends nothing.
func (m PeerMessage) Answer(p *Peers, body []byte) error {
	if m.in == nil || m.in.Reply == "" {
		return nil
	}
	out, err := p.message(m.in.Reply, body)
	if err != nil {
		return err
	}
	if err := p.conn.PublishMsg(out); err != nil {
		return fmt.Errorf("answering another replica: %w", explain(err))
	}
	return nil
}

// Ask sends a question to the other replicas and calls f for each message of their
// answers, from this goroutine, until f returns true (nil) or ctx ends (its error).
// ErrNoPeers: no replica listens, as far as this one's server knows.
func (p *Peers) Ask(ctx context.Context, topic string, body []byte, f func(PeerMessage) (enough bool)) error {
	question, err := p.message(peersPrefix+topic, body)
	if err != nil {
		return err
	}
	question.Reply = p.conn.NewInbox()
	sub, err := p.conn.SubscribeSync(question.Reply)
	if err != nil {
		return fmt.Errorf("asking other replicas: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := sub.SetPendingLimits(peersPending, peersPendingBytes); err != nil {
		return fmt.Errorf("asking other replicas: %w", err)
	}
	if err := p.conn.PublishMsg(question); err != nil {
		return fmt.Errorf("asking other replicas: %w", explain(err))
	}
	for {
		in, err := sub.NextMsgWithContext(ctx)
		switch {
		case errors.Is(err, nats.ErrNoResponders):
			return ErrNoPeers
		case errors.Is(err, nats.ErrSlowConsumer): // parts were dropped; f sees that they are missing
			continue
		case err != nil:
			return fmt.Errorf("asking other replicas: %w", err)
		}
		if m := p.received(in); m.From != "" && f(m) {
			return nil
		}
	}
}
