package nodeapi

import "time"

// Pool is one pool of a node in its registration and heartbeats.
type Pool struct {
	PoolID        string   `json:"pool_id"`
	Engine        string   `json:"engine"`
	ModelRef      string   `json:"model_ref"`
	Ready         bool     `json:"ready"`
	Draining      bool     `json:"draining"`
	SlotsFree     int      `json:"slots_free"`
	SlotsTotal    int      `json:"slots_total"`
	VRAMFreeBytes int64    `json:"vram_free_bytes"`
	Models        []string `json:"models"`
	// Workloads is what the pool takes; empty means completions only.
	Workloads []string `json:"workloads,omitempty"`
	// Loadable says that no engine runs, but a dispatch is accepted: the pool loads its
	// model first, and Ready, SlotsFree and Models are those of the loaded engine. A
	// pool that runs already answers sooner.
	Loadable bool `json:"loadable,omitempty"`
	// State, Restarts and LastError say why a pool is not ready; they are left out of
	// one that is.
	State     string `json:"state,omitempty"`
	Restarts  int    `json:"restarts,omitempty"`
	LastError string `json:"last_error,omitempty"`
}

// GPU is one device of a node.
type GPU struct {
	DeviceID          string `json:"device_id"`
	Name              string `json:"name"`
	VRAMTotalBytes    int64  `json:"vram_total_bytes"`
	ComputeCapability string `json:"compute_capability,omitempty"`
}

// Capabilities is a node's hardware; a node may have no GPU.
type Capabilities struct {
	GPUs          []GPU `json:"gpus"`
	CPUCores      int   `json:"cpu_cores"`
	RAMTotalBytes int64 `json:"ram_total_bytes"`
}

// RegisterRequest introduces a node to the orchestrator. DispatchToken is the
// token the node's own gateway wants for scope dispatch: it is for the
// orchestrator's memory only.
type RegisterRequest struct {
	NodeID        string       `json:"node_id"`
	MachineID     string       `json:"machine_id"`
	Address       string       `json:"address"`
	Pools         []Pool       `json:"pools"`
	Capabilities  Capabilities `json:"capabilities"`
	Version       string       `json:"version"`
	DispatchToken string       `json:"dispatch_token,omitempty"`
}

// RegisterResponse says under which name, and how soon to call again.
type RegisterResponse struct {
	NodeID          string `json:"node_id"`
	NextHeartbeatMS int64  `json:"next_heartbeat_ms"`
}

// HeartbeatRequest is the present state of every pool of a node.
type HeartbeatRequest struct {
	Timestamp time.Time `json:"timestamp"`
	Pools     []Pool    `json:"pools"`
}

// HeartbeatResponse says how soon to call again.
type HeartbeatResponse struct {
	NextHeartbeatMS int64 `json:"next_heartbeat_ms"`
}

// Status is the answer of GET /pools/{id}/status.
type Status struct {
	PoolID        string `json:"pool_id" doc:"Name of the pool"`
	Engine        string `json:"engine" doc:"Kind of engine, e.g. llamacpp"`
	ModelRef      string `json:"model_ref" doc:"The model it holds or is loading"`
	State         string `json:"state" doc:"stopped, starting, ready, draining, stopping or failed"`
	Live          bool   `json:"live" doc:"The engine is running"`
	Ready         bool   `json:"ready" doc:"The engine takes new work"`
	Draining      bool   `json:"draining" doc:"Running work ends, new work is refused"`
	SlotsFree     int    `json:"slots_free" doc:"Tasks it would take now"`
	SlotsTotal    int    `json:"slots_total" doc:"Tasks it can run at once"`
	ActiveLeases  int    `json:"active_leases" doc:"Tasks running now"`
	Suspect       bool   `json:"suspect,omitempty" doc:"A task stopped making progress here lately; the engine is restarted when that repeats"`
	Restarts      int    `json:"restarts" doc:"Restarts since the pool was preloaded"`
	VRAMFreeBytes int64  `json:"vram_free_bytes" doc:"Free memory of its devices; 0 without a GPU"`
	LastError     string `json:"last_error" doc:"Why the pool is not ready, or why it last failed; empty when it is ready and never did"`

	NextStart *time.Time `json:"next_start,omitempty" doc:"When a failed pool starts its engine again; absent when it does not wait for that"`

	Workloads []string   `json:"workloads,omitempty" doc:"What it takes: completion, embedding, rerank; absent means completion"`
	Protocols []Protocol `json:"protocols,omitempty" doc:"The engine's own APIs that pass through: chat, completions, responses, messages, embeddings, rerank, ollama"`
	Loadable  bool       `json:"loadable,omitempty" doc:"No engine runs, but a dispatch is taken: it loads the model first"`
	Progress  *Progress  `json:"progress,omitempty" doc:"How far a start or a download is; absent when there is none"`

	Listed Listing `json:"listed,omitempty" doc:"What an engine of Ollama's protocol tells of its models, at the last probe"`
}

// The phases of a preload.
const (
	PhaseDownloading = "downloading"
	PhaseStarting    = "starting"
)

// Progress is how far a preload is. TotalBytes is the model's size, 0 when it is
// not known; DoneBytes counts the download, and stays 0 while the engine starts.
type Progress struct {
	Phase      string `json:"phase" doc:"downloading or starting"`
	DoneBytes  int64  `json:"done_bytes" doc:"Bytes that are here"`
	TotalBytes int64  `json:"total_bytes" doc:"Bytes in all; 0 when not known"`
}

// PoolList is the answer of GET /pools.
type PoolList struct {
	Pools []Status `json:"pools" nullable:"false"`
	Count int      `json:"count"`
}

// PreloadRequest names a template of the pool manager's own configuration. It
// cannot carry a command, an argument or a path.
type PreloadRequest struct {
	Template string `json:"template" minLength:"1" maxLength:"64" doc:"A template of the local configuration"`
	ModelRef string `json:"model_ref,omitempty" maxLength:"256" doc:"file:name under the model root, or a name the template knows; empty for the template's own"`
	WaitMS   int64  `json:"wait_ms,omitempty" minimum:"0" maximum:"600000" doc:"How long to wait for ready before answering"`
}

// PoolState is the answer to a command on a pool.
type PoolState struct {
	PoolID   string    `json:"pool_id"`
	State    string    `json:"state"`
	Progress *Progress `json:"progress,omitempty" doc:"How far the preload is, while it runs"`
}

// DrainRequest says how long running tasks may still take.
type DrainRequest struct {
	DeadlineMS int64 `json:"deadline_ms" minimum:"0" maximum:"86400000"`
}

// ReloadRequest names the model that replaces the present one.
type ReloadRequest struct {
	ModelRef string `json:"model_ref" minLength:"1" maxLength:"256"`
}

// LogLines is the answer of GET /pools/{id}/logs.
type LogLines struct {
	PoolID string   `json:"pool_id"`
	Lines  []string `json:"lines" nullable:"false"`
}

// Message is one turn of a chat.
type Message struct {
	Role    string `json:"role" enum:"system,developer,user,assistant,tool"`
	Content string `json:"content"`
}

// The workloads. An empty one means WorkloadCompletion.
const (
	WorkloadCompletion = "completion"
	WorkloadEmbedding  = "embedding"
	WorkloadRerank     = "rerank"
)

// MaxInputs bounds the texts of one embedding or rerank task: a batch that an
// engine still answers within seconds. A request's body is at most 1 MiB anyway.
const MaxInputs = 256

// MaxVector bounds one embedding, in numbers: four times the longest of the
// models in use (4096), and about 200 KiB as one line of the stream.
const MaxVector = 16384

// DispatchRequest is one task for an engine. A completion has Prompt or
// Messages, not both; an embedding has Inputs; a rerank has Inputs, the
// documents, and Prompt, the query. MaxTokens 0 leaves the limit to the pool
// manager. DeadlineMS is for the wait and the first token; StreamLimitMS is for the
// answer, from its first token on. 0 sets none.
type DispatchRequest struct {
	TaskID      string    `json:"task_id,omitempty" maxLength:"64"`
	Workload    string    `json:"workload,omitempty" maxLength:"32" doc:"completion (default), embedding or rerank"`
	ModelRef    string    `json:"model_ref,omitempty" maxLength:"256"`
	Prompt      string    `json:"prompt,omitempty"`
	Messages    []Message `json:"messages,omitempty" maxItems:"1024"`
	Inputs      []string  `json:"inputs,omitempty" maxItems:"256" doc:"The texts to embed, or the documents to rank against the prompt"`
	MaxTokens   int       `json:"max_tokens,omitempty" minimum:"0" maximum:"1048576"`
	Seed        *int64    `json:"seed,omitempty"`
	Temperature *float64  `json:"temperature,omitempty" minimum:"0" maximum:"10"`
	TopP        *float64  `json:"top_p,omitempty" minimum:"0" maximum:"1"`
	Stop        []string  `json:"stop,omitempty" maxItems:"16"`
	DeadlineMS  int64     `json:"deadline_ms,omitempty" minimum:"0" maximum:"86400000" doc:"For the wait and the first token"`

	StreamLimitMS int64 `json:"stream_limit_ms,omitempty" minimum:"0" maximum:"86400000" doc:"For the answer, from its first token on; 0 sets none"`
}
