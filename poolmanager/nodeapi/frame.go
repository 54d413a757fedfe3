package nodeapi

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// CallContentType is the media type of the answer to a native call: frames, each a
// byte for its kind, four bytes for the length of its payload (big endian), and the
// payload.
const CallContentType = "application/vnd.llorch.call-frames"

// MaxFrameBytes bounds the payload of a frame: room for an error with the 64 KiB of an
// engine's own answer, in base64. Data is in pieces of at most MaxPieceBytes.
const (
	MaxFrameBytes = 128 << 10
	MaxPieceBytes = 64 << 10
)

// FrameKind says what a frame is.
type FrameKind byte

// The kinds. A call has at most one head, before any data; then data; then one end or
// one error, and nothing after it. FrameAlive may come anywhere before that, and is
// skipped by readers.
const (
	FrameHead  FrameKind = 'H' // a CallHead
	FramePart  FrameKind = 'P' // the beginning of an event that is longer than a frame; more of it follows
	FrameData  FrameKind = 'D' // an event of a stream as the client gets it, or its last part; or a piece of a body
	FrameLast  FrameKind = 'L' // as FrameData: the event that says that the stream is whole. Only the end follows
	FrameEnd   FrameKind = 'E' // a CallEnd
	FrameError FrameKind = 'X' // a CallError
	FrameAlive FrameKind = 'A' // nothing: the engine works
)

// Last reports whether nothing follows a frame of this kind.
func (k FrameKind) Last() bool { return k == FrameEnd || k == FrameError }

// Frame is one frame. The payload is valid until the next one is read.
type Frame struct {
	Kind    FrameKind
	Payload []byte
}

// CallHead is how the engine's answer begins.
type CallHead struct {
	Status      int               `json:"status"`
	ContentType string            `json:"content_type"`
	Header      map[string]string `json:"header,omitempty"` // see TravelsWithAnswer
}

// CallEnd is how a call ended whose answer is complete. FinishReason is the engine's own
// word; Succeeded says whether it is in the list of successes. Estimated says
// that the engine reported no figures, and that TokensOut is the number of its events.
type CallEnd struct {
	TokensIn     int    `json:"tokens_in"`
	TokensOut    int    `json:"tokens_out"`
	CachedIn     int    `json:"cached_in,omitempty"`
	ReasoningOut int    `json:"reasoning_out,omitempty"`
	Estimated    bool   `json:"estimated,omitempty"`
	DecodeMS     int64  `json:"decode_ms"`
	FinishReason string `json:"finish_reason"`
	Succeeded    bool   `json:"succeeded"`
	Bytes        int64  `json:"bytes"`                 // of all data
	ResponseID   string `json:"response_id,omitempty"` // that the engine gave a response
}

// CallError is why a call failed. Status, ContentType, Header and Body are the engine's
// own answer where it refused the request; Status is 0 otherwise. The token
// figures are what was produced before.
type CallError struct {
	Code         string            `json:"code"`
	Message      string            `json:"message"`
	Engine       string            `json:"engine"`
	RetryAfterMS int64             `json:"retry_after_ms,omitempty"`
	Status       int               `json:"status,omitempty"`
	ContentType  string            `json:"content_type,omitempty"`
	Header       map[string]string `json:"header,omitempty"`
	Body         []byte            `json:"body,omitempty"`
	TokensIn     int               `json:"tokens_in,omitempty"`
	TokensOut    int               `json:"tokens_out,omitempty"`
}

// FrameHeaderBytes is what is before the payload of a frame.
const FrameHeaderBytes = 5

// AppendFrame appends a frame. A payload over MaxFrameBytes is a defect of the caller,
// and an error.
func AppendFrame(dst []byte, kind FrameKind, payload []byte) ([]byte, error) {
	if len(payload) > MaxFrameBytes {
		return dst, fmt.Errorf("encoding a frame of %d bytes: want at most %d", len(payload), MaxFrameBytes)
	}
	dst = append(dst, byte(kind))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(payload)))
	return append(dst, payload...), nil
}

// BeginFrame appends the head of a frame whose payload is appended next; EndFrame ends
// it, given where it began.
func BeginFrame(dst []byte, kind FrameKind) []byte {
	return append(dst, byte(kind), 0, 0, 0, 0)
}

// EndFrame writes down how long the payload is that was appended since BeginFrame. One
// over MaxFrameBytes is a defect of the caller, and an error.
func EndFrame(dst []byte, began int) error {
	size := len(dst) - began - FrameHeaderBytes
	if size > MaxFrameBytes {
		return fmt.Errorf("encoding a frame of %d bytes: want at most %d", size, MaxFrameBytes)
	}
	binary.BigEndian.PutUint32(dst[began+1:], uint32(size))
	return nil
}

// AppendJSONFrame appends a frame whose payload is JSON: a head, an end or an error.
func AppendJSONFrame(dst []byte, kind FrameKind, value any) ([]byte, error) {
	payload, err := json.Marshal(value)
	if err != nil {
		return dst, fmt.Errorf("encoding a frame: %w", err)
	}
	return AppendFrame(dst, kind, payload)
}

// CallStream is the answer to a native call. It is for one goroutine; the context given
// to Call, or Close, ends it from another.
type CallStream struct {
	ctx    context.Context
	body   io.ReadCloser
	frames *bufio.Reader
	buffer []byte
	done   bool
}

func newCallStream(ctx context.Context, body io.ReadCloser) *CallStream {
	return &CallStream{ctx: ctx, body: body, frames: bufio.NewReaderSize(body, 4096)}
}

// Next gives the next frame. After an end or error it gives io.EOF. A stream that stops
// before is io.ErrUnexpectedEOF, unless the context ended it; bytes that are not a frame are
// ErrForeign.
func (s *CallStream) Next() (Frame, error) {
	if s.done {
		return Frame{}, io.EOF
	}
	for {
		f, err := s.frame()
		if err != nil || f.Kind != FrameAlive {
			s.done = err == nil && f.Kind.Last()
			return f, err
		}
	}
}

func (s *CallStream) frame() (Frame, error) {
	var header [FrameHeaderBytes]byte
	if _, err := io.ReadFull(s.frames, header[:]); err != nil {
		return Frame{}, s.failure(err)
	}
	f, size := Frame{Kind: FrameKind(header[0])}, binary.BigEndian.Uint32(header[1:])
	switch f.Kind {
	case FrameHead, FramePart, FrameData, FrameLast, FrameEnd, FrameError, FrameAlive:
	default:
		return Frame{}, fmt.Errorf("%w: a frame of an unknown kind", ErrForeign)
	}
	if size > MaxFrameBytes {
		return Frame{}, fmt.Errorf("%w: a frame of %d bytes", ErrForeign, size)
	}
	if uint32(cap(s.buffer)) < size {
		s.buffer = make([]byte, size)
	}
	f.Payload = s.buffer[:size]
	if _, err := io.ReadFull(s.frames, f.Payload); err != nil {
		return Frame{}, s.failure(err)
	}
	return f, nil
}

func (s *CallStream) failure(err error) error {
	if ctxErr := s.ctx.Err(); ctxErr != nil {
		return fmt.Errorf("reading the call's stream: %w", ctxErr)
	}
	return broken("call", "frame", err)
}

// Decode reads the JSON of a head, an end or an error.
func (f Frame) Decode(into any) error {
	if err := json.Unmarshal(f.Payload, into); err != nil {
		return fmt.Errorf("%w: decoding a frame of kind %q: %w", ErrForeign, byte(f.Kind), err)
	}
	return nil
}

// Close hangs up, which cancels the call in the engine if it still runs. After the last
// frame the connection is kept for the next call.
func (s *CallStream) Close() error {
	if s.done {
		timer := time.AfterFunc(drainLimit, func() { s.body.Close() })
		defer timer.Stop()
		// An error, or more than that, costs only the connection.
		_, _ = io.CopyN(io.Discard, s.frames, maxDrained)
	}
	s.done = true
	return s.body.Close()
}
