package poolmanager

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// MaxRequestBytes is the default bound of a native call's request, and the largest:
	// images travel in them.
	MaxRequestBytes = 32 << 20
	// maxAnswerBytes is the largest bound of an event of a native call, or of an answer
	// in one piece.
	maxAnswerBytes = adapter.DefaultMaxAnswer
)

// RemoteMedia says what of the web an engine may fetch for a request.
type RemoteMedia string

// The choices.
const (
	RemoteMediaNone RemoteMedia = "none" // media travel in the request; the default
	RemoteMediaAny  RemoteMedia = "any"  // whatever address the client names
)

// errProtocol says that a pool's engine has no such API.
var errProtocol = errors.New("the pool does not serve this protocol")

// allProtocols is what the engine speaks by its kind and its workloads, in the order of
// [nodeapi.Protocols].
func (t Template) allProtocols() (all []nodeapi.Protocol) {
	if t.takes(nodeapi.WorkloadCompletion) {
		all = append(all, nodeapi.Chat, nodeapi.Completions, nodeapi.Responses, nodeapi.Messages)
	}
	if t.takes(nodeapi.WorkloadEmbedding) {
		all = append(all, nodeapi.Embeddings)
	}
	if t.takes(nodeapi.WorkloadRerank) {
		all = append(all, nodeapi.RerankCalls)
	}
	if t.Engine == "ollama" || t.Engine == "demo" {
		all = append(all, nodeapi.Ollama)
	}
	return all
}

// protocols is the APIs that pass through: all, or those that the configuration names.
func (t Template) protocols() []nodeapi.Protocol {
	if t.Protocols == nil {
		return t.allProtocols()
	}
	return t.Protocols
}

// speaks refuses a protocol that does not pass through.
func (t Template) speaks(p nodeapi.Protocol) error {
	if !slices.Contains(t.protocols(), p) {
		return fmt.Errorf("%w: %s", errProtocol, p)
	}
	return nil
}

// requestBytes bounds the request of a native call.
func (t Template) requestBytes() int64 { return cmp.Or(t.RequestBytes, MaxRequestBytes) }

// checkCalls checks what the template says of native calls.
func (t Template) checkCalls() error {
	all := t.allProtocols()
	for i, p := range t.Protocols {
		if !slices.Contains(all, p) || slices.Contains(t.Protocols[:i], p) {
			return fmt.Errorf("protocols: %q; this engine with these workloads has %s, each at most once", p, list(all))
		}
	}
	switch {
	case t.RemoteMedia != "" && t.RemoteMedia != RemoteMediaNone && t.RemoteMedia != RemoteMediaAny:
		return errors.New("remote_media: want none or any")
	case t.RequestBytes < 0 || t.RequestBytes > MaxRequestBytes:
		return fmt.Errorf("request_bytes: want 1 to %d, or 0 for the default", MaxRequestBytes)
	case t.AnswerBytes < 0 || t.AnswerBytes > maxAnswerBytes:
		return fmt.Errorf("answer_bytes: want 1 to %d, or 0 for the default", maxAnswerBytes)
	}
	if _, err := t.refusals(); err != nil {
		return err
	}
	return nil
}

func list(all []nodeapi.Protocol) (text string) {
	for i, p := range all {
		if i > 0 {
			text += ", "
		}
		text += string(p)
	}
	return text
}
