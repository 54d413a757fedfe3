package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	contentStream = "content"
	contentPrefix = "content."
	// DefaultContentBytes bounds the bodies of requests that are kept in pieces
	// (ORCHD_CONTENT_BYTES).
	DefaultContentBytes = 4 << 30
	// MaxPieceBytes is the largest piece of one.
	MaxPieceBytes = 512 << 10
)

// Content is what is too large for a record: bodies in pieces, numbered from 0, each
// body under an id of its own. A piece that Put has acknowledged was fsynced, in a
// cluster by most replicas. Nothing here expires: the record that names a body decides
// how long it is kept, and a body that no record names is for the caller to remove.
type Content struct {
	js     jetstream.JetStream
	reach  *quorumLink
	stream jetstream.Stream
	read   chan struct{} // has a place for each read under way
	memory *heapPacer
}

// pieceReads bounds the pieces that are read at one time: for each of them the server
// loads its block, which has 8 MiB where the bodies could not have small ones.
const pieceReads = 2

// contents is the stream, one subject a piece.
func contents(replicas int, maxBytes int64) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: contentStream, Subjects: []string{contentPrefix + "*.*"},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew,
		MaxBytes: maxBytes, MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxMsgSize: MaxPieceBytes + 4<<10, MaxConsumers: -1,
		Replicas: replicas, AllowDirect: replicas == 1, Duplicates: duplicates,
	}
}

// reservedContent is what the stream was made for at the last start. The server reserves
// that much when it starts, and only then can the stream be made smaller. Without a
// stream, or where its file cannot be read, it is 0.
func reservedContent(dir string) int64 {
	var stream struct {
		MaxBytes int64 `json:"max_bytes"`
	}
	text, err := os.ReadFile(filepath.Join(jetstreamDir(dir), server.JetStreamStoreDir, server.DEFAULT_GLOBAL_ACCOUNT, "streams", contentStream, server.JetStreamMetaFile))
	if err != nil || json.Unmarshal(text, &stream) != nil {
		return 0
	}
	return stream.MaxBytes
}

func pieceSubject(id string, n int) string { return contentPrefix + id + "." + strconv.Itoa(n) }

// Put keeps one piece. ErrFull: there is no more room.
func (c *Content) Put(ctx context.Context, id string, n int, piece []byte) error {
	if len(piece) > MaxPieceBytes {
		return fmt.Errorf("storing piece %d of %s: %d bytes, want at most %d", n, id, len(piece), MaxPieceBytes)
	}
	defer c.memory.passed()
	return c.put(ctx, pieceSubject(id, n), piece)
}

func (c *Content) put(ctx context.Context, subject string, piece []byte) error {
	_, err := writeWithin(ctx, c.reach, func(ctx context.Context) (*jetstream.PubAck, error) {
		return c.js.Publish(ctx, subject, piece)
	})
	if full(err) {
		err = ErrFull
	}
	if err != nil {
		return fmt.Errorf("storing %s: %w", subject, explain(err))
	}
	return nil
}

// Piece gives one piece; ErrNotFound when it is not there.
func (c *Content) Piece(ctx context.Context, id string, n int) ([]byte, error) {
	select {
	case c.read <- struct{}{}:
		defer func() { <-c.read }()
	case <-ctx.Done():
		return nil, fmt.Errorf("reading piece %d of %s: %w", n, id, ctx.Err())
	}
	m, err := readWithin(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return c.stream.GetLastMsgForSubject(ctx, pieceSubject(id, n))
	})
	if err != nil {
		return nil, fmt.Errorf("reading piece %d of %s: %w", n, id, explain(err))
	}
	c.memory.passed()
	return m.Data, nil
}

// Forget removes a body.
func (c *Content) Forget(ctx context.Context, id string) error {
	_, err := writeWithin(ctx, c.reach, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, c.stream.Purge(ctx, jetstream.WithPurgeSubject(contentPrefix+id+".*"))
	})
	if err != nil {
		return fmt.Errorf("removing %s: %w", id, explain(err))
	}
	return nil
}

// IDs names every body that has a piece here.
func (c *Content) IDs(ctx context.Context) ([]string, error) {
	info, err := readWithin(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) {
		return c.stream.Info(ctx, jetstream.WithSubjectFilter(contentPrefix+">"))
	})
	if err != nil {
		return nil, fmt.Errorf("listing bodies: %w", explain(err))
	}
	seen, ids := map[string]bool{}, []string{}
	for subject := range info.State.Subjects {
		id, _, _ := strings.Cut(strings.TrimPrefix(subject, contentPrefix), ".")
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// copyContent copies every piece from a sequence on, and says where what comes later begins;
// a copy that is repeated replaces what is there.
func copyContent(ctx context.Context, from, to *Content, cursor uint64) (next uint64, err error) {
	for {
		m, err := readWithin(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
			return from.stream.GetMsg(ctx, cursor, jetstream.WithGetMsgSubject(contentPrefix+">"))
		})
		err = explain(err)
		if errors.Is(err, ErrNotFound) {
			return cursor, nil
		}
		if err != nil {
			return cursor, fmt.Errorf("copying bodies: %w", err)
		}
		if err := to.put(ctx, m.Subject, m.Data); err != nil {
			return cursor, err
		}
		cursor = m.Sequence + 1
	}
}

// codeMaxBytes is JetStream's answer of a stream that has no more room.
const codeMaxBytes jetstream.ErrorCode = 10077

func full(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == codeMaxBytes
}
