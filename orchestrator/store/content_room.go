package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// minContentRoom is the smallest stream of bodies that is made while replicas of an
	// older version run: room for one request in each of a few dozen calls.
	minContentRoom = 64 << 20
	// roomAnswer is how long the other servers have to say how much they reserve.
	roomAnswer = 400 * time.Millisecond
	// codeNoPeers is JetStream's answer where a server has too little storage left.
	codeNoPeers jetstream.ErrorCode = 10005
)

// fitContent makes the stream of bodies, or changes it as necessary. In a cluster with
// replicas of a version that did not have it, those reserve less storage: then it is made
// as large as fits, and Grow does the rest when they are updated.
func (s *Store) fitContent(ctx context.Context, js jetstream.JetStream) error {
	want := contents(s.replicas, s.contentBytes)
	if !s.shared {
		if err := remakeContent(ctx, js, want); err != nil {
			return err
		}
		return ensure(ctx, js, want)
	}
	if s.system == nil {
		return ensure(ctx, js, want)
	}
	stream, err := js.Stream(ctx, contentStream)
	if err == nil {
		have := stream.CachedInfo().Config.MaxBytes
		if have < want.MaxBytes && !s.roomEverywhere(ctx, want.MaxBytes-have) {
			want.MaxBytes = have
		}
		return ensure(ctx, js, want)
	}
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return err
	}
	err = ensure(ctx, js, want)
	for noRoom(err) && want.MaxBytes/2 >= minContentRoom {
		want.MaxBytes /= 2
		if err = ensure(ctx, js, want); err == nil {
			s.log.Warn("the other replicas reserve too little storage for requests: fewer are kept until all are updated", "content_bytes", want.MaxBytes, "wanted", s.contentBytes)
		}
	}
	return err
}

// Grow makes the room for bodies as large as configured, where it was made smaller while
// replicas of an older version ran, and all servers have that much storage left.
func (s *Store) Grow(ctx context.Context) error {
	if !s.shared || s.system == nil || s.content.stream.CachedInfo().Config.MaxBytes >= s.contentBytes {
		return nil
	}
	stream, err := s.content.js.Stream(ctx, contentStream)
	if err != nil {
		return fmt.Errorf("reading stream %s: %w", contentStream, explain(err))
	}
	want := contents(s.replicas, s.contentBytes)
	if have := stream.CachedInfo().Config.MaxBytes; have < want.MaxBytes {
		if !s.roomEverywhere(ctx, want.MaxBytes-have) {
			return nil
		}
		if _, err = s.content.js.UpdateStream(ctx, want); err != nil {
			return fmt.Errorf("enlarging stream %s: %w", contentStream, explain(err))
		}
	}
	s.log.Info("requests have all the room that is configured", "content_bytes", want.MaxBytes)
	_, err = s.content.stream.Info(ctx) // refreshes what CachedInfo gives
	return err
}

// roomEverywhere asks every server whether it can reserve so much more. A change of a
// stream does not: a server without the room would drop its copy.
func (s *Store) roomEverywhere(ctx context.Context, more int64) bool {
	inbox := s.system.NewRespInbox()
	answers, err := s.system.SubscribeSync(inbox)
	if err != nil {
		return false
	}
	defer func() { _ = answers.Unsubscribe() }()
	if err := s.system.PublishRequest("$SYS.REQ.SERVER.PING.JSZ", inbox, nil); err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, roomAnswer)
	defer cancel()
	for range s.replicas {
		m, err := answers.NextMsgWithContext(ctx)
		if err != nil {
			return false
		}
		var told struct {
			Data struct {
				Config struct {
					MaxStorage int64 `json:"max_storage"`
				}
				Reserved int64 `json:"reserved_storage"`
			}
		}
		if json.Unmarshal(m.Data, &told) != nil || told.Data.Config.MaxStorage-told.Data.Reserved < more {
			return false
		}
	}
	return true
}

func noRoom(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == codeNoPeers
}
