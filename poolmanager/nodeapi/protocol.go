package nodeapi

import (
	"net/http"
	"slices"
	"strings"
)

// Protocol is one HTTP API of engines that passes through the queue as it is. A pool
// says which ones its engine speaks.
type Protocol string

// The protocols.
const (
	Chat        Protocol = "chat"
	Completions Protocol = "completions"
	Responses   Protocol = "responses"
	Messages    Protocol = "messages"
	Embeddings  Protocol = "embeddings"
	RerankCalls Protocol = "rerank"
	Ollama      Protocol = "ollama"
)

// Protocols lists all of them.
func Protocols() []Protocol {
	return []Protocol{Chat, Completions, Responses, Messages, Embeddings, RerankCalls, Ollama}
}

// Operation is one route of a protocol: the same at the orchestrator and at the engine.
type Operation struct {
	Name     string // as it travels: chat, messages-count-tokens
	Protocol Protocol
	Method   string
	Path     string // as in net/http's patterns; {id} is the id of a response
}

// HasObject reports whether the path names one object.
func (o Operation) HasObject() bool { return strings.Contains(o.Path, "{id}") }

// operations is every route that passes through.
var operations = []Operation{
	{"chat", Chat, http.MethodPost, "/v1/chat/completions"},
	{"completions", Completions, http.MethodPost, "/v1/completions"},
	{"responses", Responses, http.MethodPost, "/v1/responses"},
	{"responses-input-tokens", Responses, http.MethodPost, "/v1/responses/input_tokens"},
	{"responses-compact", Responses, http.MethodPost, "/v1/responses/compact"},
	{"responses-get", Responses, http.MethodGet, "/v1/responses/{id}"},
	{"responses-delete", Responses, http.MethodDelete, "/v1/responses/{id}"},
	{"responses-input-items", Responses, http.MethodGet, "/v1/responses/{id}/input_items"},
	{"responses-cancel", Responses, http.MethodPost, "/v1/responses/{id}/cancel"},
	{"messages", Messages, http.MethodPost, "/v1/messages"},
	{"messages-count-tokens", Messages, http.MethodPost, "/v1/messages/count_tokens"},
	{"embeddings", Embeddings, http.MethodPost, "/v1/embeddings"},
	{"rerank", RerankCalls, http.MethodPost, "/v1/rerank"},
	{"ollama-chat", Ollama, http.MethodPost, "/api/chat"},
	{"ollama-generate", Ollama, http.MethodPost, "/api/generate"},
	{"ollama-embed", Ollama, http.MethodPost, "/api/embed"},
	{"ollama-embeddings", Ollama, http.MethodPost, "/api/embeddings"},
	{"ollama-show", Ollama, http.MethodPost, "/api/show"},
}

// FindOperation gives the operation of that name.
func FindOperation(name string) (Operation, bool) {
	at := slices.IndexFunc(operations, func(o Operation) bool { return o.Name == name })
	if at < 0 {
		return Operation{}, false
	}
	return operations[at], true
}

// Operations lists the operations of a protocol.
func Operations(p Protocol) []Operation {
	return slices.DeleteFunc(slices.Clone(operations), func(o Operation) bool { return o.Protocol != p })
}

// callEntry begins the workloads that name protocols: the number is the version of
// the wire. Orchestrators that do not know it take such a workload for an unknown one,
// keep it, and place nothing there; a member of its own in [Pool] they would refuse.
const callEntry = "call1:"

// maxCallEntry is the length that those orchestrators allow a workload to have.
const maxCallEntry = 32

// WithProtocols adds the protocols of a pool to its workloads, as few entries as fit.
func WithProtocols(workloads []string, protocols []Protocol) []string {
	out, entry := slices.Clone(workloads), ""
	for _, p := range protocols {
		switch {
		case entry == "":
			entry = callEntry + string(p)
		case len(entry)+1+len(p) > maxCallEntry:
			out, entry = append(out, entry), callEntry+string(p)
		default:
			entry += "," + string(p)
		}
	}
	if entry != "" {
		out = append(out, entry)
	}
	return out
}

// Protocols gives the protocols that are part of a pool's workloads.
func (p Pool) Protocols() (all []Protocol) {
	for _, w := range p.Workloads {
		names, ok := strings.CutPrefix(w, callEntry)
		if !ok {
			continue
		}
		for name := range strings.SplitSeq(names, ",") {
			all = append(all, Protocol(name))
		}
	}
	return all
}
