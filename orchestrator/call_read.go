package orchestrator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/llorch/gateway/authmin/jsonbody"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// inlineBytes is up to which size a body is part of the task's record. Each change
	// of a task writes its record again; a piece is written once.
	inlineBytes = 16 << 10
	// pieceBytes is how a longer body is stored and read. With its record's head and its
	// encryption a piece fits in the store's smallest buffer, of 256 KiB; the next has 1 MiB.
	pieceBytes = 255 << 10
	// maxUploads bounds the bodies that are being stored, by identity: each has one
	// piece in memory, 32 MiB together.
	maxUploads = 128
)

// watched are the members of a request that are read, by protocol. Each may occur once.
var watched = map[nodeapi.Protocol][]string{
	nodeapi.Chat:        {"model", "stream", "stream_options.include_usage"},
	nodeapi.Completions: {"model", "stream", "stream_options.include_usage"},
	nodeapi.Responses:   {"model", "stream", "previous_response_id", "store", "conversation", "background"},
	nodeapi.Messages:    {"model", "stream"},
	nodeapi.Embeddings:  {"model"},
	nodeapi.RerankCalls: {"model"},
	nodeapi.Ollama:      {"model", "name", "stream"},
}

// watching are the members of these protocols that the scan of a body looks for.
func watching(protocols ...nodeapi.Protocol) []string {
	members := slices.Concat([]string{"stream_options"}, attributingMembers)
	for _, p := range protocols {
		members = append(members, watched[p]...)
	}
	return members
}

// scanners look for these members, by protocol; "" is for all of them. They are copied
// for each body.
var scanners = func() map[nodeapi.Protocol]*jsonbody.Scanner {
	all := map[nodeapi.Protocol]*jsonbody.Scanner{"": jsonbody.New(jsonbody.Options{Watch: watching(nodeapi.Protocols()...)})}
	for _, p := range nodeapi.Protocols() {
		all[p] = jsonbody.New(jsonbody.Options{Watch: watching(p)})
	}
	return all
}()

// reading is one body that is being read, scanned and stored.
type reading struct {
	o     *Orchestrator
	owner string
	limit int64
	scan  *jsonbody.Scanner
	sum   hash.Hash
	call  *Call
	id    string // of the pieces
	key   string // they are encrypted with it
	held  int64  // of the owner's share of the content
}

// readCall reads the body of a call to its end, and gives the model that the client
// named. After an error nothing is left behind; otherwise the caller removes the body
// when no record comes to name it.
func (o *Orchestrator) readCall(ctx context.Context, who Who, op nodeapi.Operation, body io.Reader) (*Call, content, string, error) {
	r, err := o.readBody(ctx, who, op.Protocol, body)
	if err != nil {
		return nil, content{}, "", err
	}
	model, err := r.call.describe(op, r.scan)
	if err != nil {
		r.drop(ctx)
		return nil, content{}, "", err
	}
	return r.call, r.at(), model, nil
}

// readBody reads a body of a protocol, "" for any of them, to its end: small ones stay with
// the record, of others the pieces are stored. After an error nothing is left behind.
func (o *Orchestrator) readBody(ctx context.Context, who Who, p nodeapi.Protocol, body io.Reader) (_ *reading, err error) {
	r := &reading{o: o, owner: who.Identity, limit: o.content.request, sum: sha256.New(), call: &Call{}, scan: scanners[p].Copy()}
	defer func() {
		if err != nil {
			r.drop(ctx)
		}
	}()
	first := make([]byte, inlineBytes+1)
	n, whole, err := fill(body, first)
	if err != nil {
		return nil, err
	}
	r.call.Places.Opened = int64(bytes.IndexByte(first[:n], '{')) + 1
	if err := r.take(first[:n]); err != nil {
		return nil, err
	}
	if whole {
		r.call.Body = first[:n]
	} else if err := r.store(ctx, first[:n], body); err != nil {
		return nil, err
	}
	if err := r.scan.Close(); err != nil {
		return nil, badBody(err)
	}
	r.call.Digest = hex.EncodeToString(r.sum.Sum(nil))
	r.call.Attribution = attribution(who.Identity, nil, r.scan)
	return r, nil
}

// at says where the body is.
func (r *reading) at() content { return content{Body: r.id, Bytes: r.held, Key: r.key} }

// drop removes what is stored, and gives the owner's share back.
func (r *reading) drop(ctx context.Context) {
	r.o.content.held.Add(r.owner, -r.held)
	r.o.content.discard(ctx, r.at())
	r.held = 0
}

// fill reads until p is full, or the body has ended. An io.ErrUnexpectedEOF is the body's
// own: it was cut.
func fill(body io.Reader, p []byte) (n int, end bool, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = body.Read(p[n:])
		n += more
	}
	if errors.Is(err, io.EOF) {
		return n, true, nil
	}
	return n, false, err
}

// take scans some bytes of the body.
func (r *reading) take(p []byte) error {
	if r.call.Bytes += int64(len(p)); r.call.Bytes > r.limit {
		return fail(TooLarge, "BODY_TOO_LARGE", "send a body of at most %d bytes", r.limit)
	}
	r.sum.Write(p)
	if _, err := r.scan.Write(p); err != nil {
		return badBody(err)
	}
	return nil
}

// badBody is the answer to a body that cannot be read, or has several readings.
func badBody(err error) error {
	bad, ok := errors.AsType[*jsonbody.Error](err)
	if !ok {
		return err
	}
	code := "INVALID_JSON"
	if bad.Code == jsonbody.Ambiguous {
		code = "MEMBER_AMBIGUOUS"
	}
	return fail(Malformed, code, "send one JSON object: %s", bad.Error())
}

// store stores a body whose beginning has been read.
func (r *reading) store(ctx context.Context, begin []byte, rest io.Reader) error {
	if !r.o.content.uploads.Take(r.owner) {
		return r.o.content.busy()
	}
	defer r.o.content.uploads.Add(r.owner, -1)
	r.id = uuid.Must(uuid.NewV7()).String()
	var err error
	if r.key, err = r.o.seals.newKey(ctx); err != nil {
		return err
	}
	piece := make([]byte, pieceBytes)
	n := copy(piece, begin)
	for {
		more, last, err := fill(rest, piece[n:])
		if err != nil {
			return err
		}
		if err := r.take(piece[n : n+more]); err != nil {
			return err
		}
		if n += more; n > 0 {
			if err := r.put(ctx, piece[:n]); err != nil {
				return err
			}
		}
		if n = 0; last {
			return nil
		}
	}
}

func (r *reading) put(ctx context.Context, piece []byte) error {
	size := int64(len(piece))
	if !r.o.content.held.Admits(r.owner, size) {
		return r.o.content.full()
	}
	r.o.content.held.Add(r.owner, size)
	r.held += size
	piece, err := r.o.seals.seal(ctx, r.key, pieceName(r.id, r.call.Pieces), piece)
	if err != nil {
		return err
	}
	err = r.o.store.Content().Put(ctx, r.id, r.call.Pieces, piece)
	if errors.Is(err, store.ErrFull) {
		return r.o.content.full()
	}
	r.call.Pieces++
	return err
}

// describe notes what the scan has found of the operation's own members, and gives the
// model.
func (c *Call) describe(op nodeapi.Operation, scan *jsonbody.Scanner) (string, error) {
	c.Operation = op.Name
	own := watching(op.Protocol)
	find := func(name string) (jsonbody.Member, bool) {
		if !slices.Contains(own, name) { // the scan may look for those of other protocols, too
			return jsonbody.Member{}, false
		}
		return scan.Member(name)
	}
	named := "model"
	m, ok := find(named)
	if !ok && op.Protocol == nodeapi.Ollama { // its older name
		named = "name"
		m, ok = find(named)
	}
	model, isText := m.Text()
	switch {
	case !ok:
		return "", fail(Malformed, "MODEL_MISSING", "name the model in the member model")
	case !isText || model == "" || len(model) > maxModelName:
		return "", fail(Malformed, "MODEL_MISSING", "the member %s must be the name of a model, of at most %d bytes", named, maxModelName)
	}
	if other, both := find("name"); both && named != "name" && op.Protocol == nodeapi.Ollama {
		if text, isText := other.Text(); !isText || text != model && text != "" { // Ollama's own client sends an empty one
			return "", fail(Malformed, "MEMBER_AMBIGUOUS", "the members model and name must have one value")
		}
	}
	if c.Places.Opened == 0 {
		return "", fail(Malformed, "INVALID_JSON", "begin the body with its object")
	}
	c.Places.Model = [2]int64{m.Start, m.End}
	if s, ok := find("stream"); ok {
		on, isBool := s.Bool()
		if !isBool && s.Kind != jsonbody.Null {
			return "", fail(Malformed, "INVALID_MEMBER", "the member stream must be true or false")
		}
		c.Stream = on
	} else {
		c.Stream = op.Name == "ollama-chat" || op.Name == "ollama-generate" // unless told otherwise
	}
	if s, ok := find("stream_options"); ok {
		c.Places.Options = [2]int64{s.Start, s.End}
	}
	if s, ok := find("stream_options.include_usage"); ok {
		c.Places.Usage = [2]int64{s.Start, s.End}
		c.ShowUsage, _ = s.Bool()
	}
	if s, ok := find("previous_response_id"); ok && s.Kind != jsonbody.Null {
		if c.Previous, ok = s.Text(); !ok || c.Previous == "" || len(c.Previous) > maxModelName {
			return "", fail(Malformed, "INVALID_MEMBER", "the member previous_response_id must be the id of a response")
		}
	}
	if s, ok := find("store"); ok {
		c.Unstored = s.Kind == jsonbody.False
	}
	if s, ok := find("background"); ok && s.Kind != jsonbody.False && s.Kind != jsonbody.Null {
		return "", notHere("background", "send the call with an Idempotency-Key instead, and read it later")
	}
	if s, ok := find("conversation"); ok && s.Kind != jsonbody.Null {
		return "", notHere("conversation", "use previous_response_id")
	}
	return model, nil
}

func notHere(member, instead string) *Error {
	return fail(Malformed, "MEMBER_NOT_ALLOWED", "the member %s is not served: %s", member, instead)
}

// bodyReader reads a body that is in pieces, one piece in memory.
type bodyReader struct {
	ctx   context.Context
	o     *Orchestrator
	at    content
	n, of int
	piece []byte
}

// Read is io.Reader. A piece that is not there is an error.
func (r *bodyReader) Read(p []byte) (int, error) {
	for len(r.piece) == 0 {
		if r.n == r.of {
			return 0, io.EOF
		}
		piece, err := r.o.store.Content().Piece(r.ctx, r.at.Body, r.n)
		if err == nil {
			piece, err = r.o.seals.open(r.ctx, r.at.Key, pieceName(r.at.Body, r.n), piece)
		}
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errBodyLost, err)
		}
		r.piece = piece
		r.n++
	}
	n := copy(p, r.piece)
	r.piece = r.piece[n:]
	return n, nil
}

// pieceName is a piece's place.
func pieceName(id string, n int) string { return id + "." + strconv.Itoa(n) }

// errBodyLost is a body of which the store has not all pieces.
var errBodyLost = errors.New("the request's body cannot be read")
