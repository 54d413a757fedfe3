package orchestrator

import (
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// DefaultMaxTokens is for a task that names none; MaxMaxTokens is the most one
	// may name: as much as the longest contexts of today have.
	DefaultMaxTokens = 256
	MaxMaxTokens     = 1 << 20
)

// Priority is a class of the queue.
type Priority string

// The two classes.
const (
	Interactive Priority = "interactive"
	Batch       Priority = "batch"
)

// TaskRequest is what a caller sends. The tags are the validation that
// httpapi applies.
type TaskRequest struct {
	TaskID         string            `json:"task_id,omitempty" format:"uuid" doc:"Made when absent"`
	SessionID      string            `json:"session_id,omitempty" format:"uuid" doc:"Made when absent"`
	Workload       string            `json:"workload,omitempty" enum:"completion,embedding,rerank" default:"completion"`
	ModelRef       string            `json:"model_ref,omitempty" minLength:"1" maxLength:"256" example:"demo" doc:"Required, but for native, whose body names it"`
	Engine         string            `json:"engine,omitempty" maxLength:"64" pattern:"^[a-z0-9_-]+$" doc:"Only pools of this engine"`
	Ctx            int               `json:"ctx,omitempty" minimum:"0" maximum:"16777216" doc:"The least context, in tokens, that the pool must have for the model, where its engine tells it"`
	Priority       Priority          `json:"priority,omitempty" enum:"interactive,batch" default:"interactive"`
	MaxTokens      int               `json:"max_tokens,omitempty" minimum:"0" maximum:"1048576" default:"256"`
	DeadlineMS     int64             `json:"deadline_ms,omitempty" minimum:"0" maximum:"86400000" doc:"From admission to the first token; when absent, the operator's deadline_ms, by default 600000"`
	StreamLimitMS  int64             `json:"stream_limit_ms,omitempty" minimum:"0" maximum:"86400000" doc:"From the first token to the last; when absent, the operator's stream_limit_ms, by default none"`
	Seed           *int64            `json:"seed,omitempty"`
	Temperature    *float64          `json:"temperature,omitempty" minimum:"0" maximum:"10"`
	TopP           *float64          `json:"top_p,omitempty" minimum:"0" maximum:"1" doc:"Nucleus sampling: of the likeliest tokens, those that make up this share"`
	Stop           []string          `json:"stop,omitempty" maxItems:"16"`
	Determinism    string            `json:"determinism,omitempty" enum:"strict,best_effort" default:"best_effort" doc:"strict: the same tokens for the same prompt and options each time; needs a seed, and placement that pins a pool whose engine is deterministic"`
	Prompt         string            `json:"prompt,omitempty" doc:"Or messages, not both; the query of a rerank"`
	Messages       []nodeapi.Message `json:"messages,omitempty" maxItems:"1024"`
	Inputs         []string          `json:"inputs,omitempty" maxItems:"256" doc:"The texts of an embedding, the documents of a rerank"`
	ExpectedTokens int               `json:"expected_tokens,omitempty" minimum:"0" maximum:"1048576" doc:"How many tokens the answer is expected to have: the admission then predicts its end"`
	KVHint         string            `json:"kv_hint,omitempty" enum:"reuse,cold" doc:"cold: placed without regard to the session's KV cache; the default is reuse, but for determinism strict"`
	Placement      *PlacementHint    `json:"placement,omitempty"`

	Native *NativeRequest `json:"native,omitempty" doc:"In place of prompt, messages and inputs: an engine's own request, which reaches the engine as it is"`

	call    *Call // of a native one
	content content
	models  *authmin.Models // of the identity that made it; nil: every model
	unclear error           // its JSON has more than one reading

	sealed            []byte // what it says to the engine, as its record has it; nil: in the clear
	bare              bool   // that is not here
	sealedProtocol    nodeapi.Protocol
	sealedAttribution string
}

// NativeRequest is an engine's own request as part of a task.
type NativeRequest struct {
	Protocol nodeapi.Protocol `json:"protocol" enum:"chat,completions,responses,messages,embeddings,rerank,ollama" doc:"Whose request it is; of ollama that of /api/chat"`
	Body     json.RawMessage  `json:"body" doc:"The request"`

	received *Received // in place of Body
}

// PlacementHint narrows where a task may run.
type PlacementHint struct {
	Mode              string   `json:"mode,omitempty" enum:"pin,prefer,auto" default:"auto"`
	PinPoolID         string   `json:"pin_pool_id,omitempty" maxLength:"324" doc:"node_id/pool_id, or pool_id where one node has it"`
	PreferPools       []string `json:"prefer_pools,omitempty" maxItems:"64" doc:"As pin_pool_id"`
	AvoidPools        []string `json:"avoid_pools,omitempty" maxItems:"64" doc:"As pin_pool_id"`
	RequireDeviceMask string   `json:"require_device_mask,omitempty" maxLength:"256" doc:"Device ids, comma separated, that the node must have"`
	AllowFallback     *bool    `json:"allow_fallback,omitempty" doc:"Run elsewhere when the wanted pools cannot: default false for pin, true for prefer"`
}

// normalize fills in what was left out and checks what tags cannot say.
func (r *TaskRequest) normalize() error {
	setDefault(&r.Workload, Completion)
	if r.ModelRef == "" {
		return fail(Invalid, "INVALID_TASK", "name the model in model_ref")
	}
	if err := r.checkWorkload(); err != nil {
		return err
	}
	if slices.Contains(r.Stop, "") {
		return fail(Invalid, "INVALID_TASK", "a stop sequence is empty: engines refuse it, or stop at once")
	}
	if p := r.Placement; p != nil && p.Mode == "pin" && p.PinPoolID == "" {
		return fail(Invalid, "INVALID_TASK", "placement mode pin needs pin_pool_id")
	}
	if err := r.checkDeterminism(); err != nil {
		return err
	}
	for _, id := range []*string{&r.TaskID, &r.SessionID} {
		if *id == "" {
			*id = uuid.Must(uuid.NewV7()).String()
		}
		parsed, err := uuid.Parse(*id)
		if err != nil {
			return fail(Invalid, "INVALID_TASK", "task_id and session_id are UUIDs")
		}
		*id = parsed.String() // one spelling: it becomes a key
	}
	setDefault(&r.Priority, Interactive)
	setDefault(&r.MaxTokens, DefaultMaxTokens)
	if r.Workload != Completion {
		r.MaxTokens = 0 // it makes none
	}
	setDefault(&r.DeadlineMS, DefaultDeadline.Milliseconds())
	if r.Priority != Interactive && r.Priority != Batch {
		return fail(Invalid, "INVALID_TASK", "priority is interactive or batch")
	}
	if r.MaxTokens < 0 || r.MaxTokens > MaxMaxTokens {
		return fail(Invalid, "INVALID_TASK", "max_tokens is at most %d", MaxMaxTokens)
	}
	if r.DeadlineMS < 0 || r.DeadlineMS > MaxDeadline.Milliseconds() {
		return fail(Invalid, "INVALID_TASK", "deadline_ms is at most %d", MaxDeadline.Milliseconds())
	}
	if r.StreamLimitMS < 0 || r.StreamLimitMS > MaxDeadline.Milliseconds() {
		return fail(Invalid, "INVALID_TASK", "stream_limit_ms is at most %d", MaxDeadline.Milliseconds())
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
