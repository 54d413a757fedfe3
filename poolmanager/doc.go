// Package poolmanager keeps inference engines up on one node: it starts them as
// supervised child processes from templates of its own configuration, hands
// tasks to them over HTTP, and tells an orchestrator what it has.
//
// It is not a scheduler (the orchestrator is), not a way to run commands (a
// request names a template and a model, never a program or an argument), and
// not an edge: it listens on loopback or a Unix socket, wants a credential on
// every route but GET /health, and leaves TLS to the gateway in front of it.
//
// # Capacity
//
// A task takes one of its pool's slots, or is refused with 429; slots are given
// back by the end of the request, whatever became of it. A template with Swap
// lets its engine be ended while it is idle: after its TTL, or when another needs
// its memory, the least recently used first. Such a pool takes tasks while no
// engine runs ("loadable" in its status): the first one starts it, and as many as
// there are slots wait for that. Where the memory is taken by engines that work,
// or came less than 10 s ago, a task waits 5 s for it and is then refused with 429
// NO_MEMORY; an engine with a task is never ended for another. A pool that was
// stopped or drained is not started by tasks, only by a preload.
//
// Memory is measured: free before and after each load, by the GPUs' own tools,
// or, without a GPU, by the resident memory of the engines' processes against
// Options.MemoryBytes; without either there is no limit. The orchestrator is told
// that a loadable pool is ready, because it takes tasks, and that it is loadable.
//
// A preload is a job: the answer comes at once, or when the engine is ready within
// wait_ms, and the status has its progress. The time to become ready is the
// template's, and the model's size read at 50 MiB/s on top.
//
// # After a kill of the pool manager
//
// Engines are killed with it. Survivors are killed, never adopted, when it starts
// again: an engine's key is lost with the process that made it, and so are the
// connections of its tasks' callers.
//
// The example of the package starts a pool of the demo engine and dispatches a task to it.
//
// # Names
//
//   - Start and stop: [Start], [Options], [Options.Check], [Options.Settings], [Service],
//     [Service.Stop], [Preload].
//   - Credentials: [Tokens], [Service.SetTokens], [Service.SourceFailed].
//   - Engines: [Template], [KeyStyle] and [RemoteMedia]; the templates that ship are
//     [DemoTemplate], [LlamaCPPTemplate], [LlamaCPPEmbeddingTemplate],
//     [LlamaCPPRerankTemplate], [VLLMTemplate], [OllamaTemplate], [URLTemplate].
//   - What a pool reports: [State], [Reason].
//   - The API: [Routes], [Route].
//
// # Files
//
// A file's first word says which idea it belongs to.
//
//	service_   from start to stop: options, settings, the tokens
//	api_       the HTTP API: routes, problems, the stream of a dispatch, native calls
//	call_      the request of a native call on its way to the engine
//	pool_      one pool: its states, supervision, restarts, loading and unloading
//	slot       one task's slot of a pool
//	memory_    the ledger of memory, and which idle engine is evicted
//	engine_    one engine's process: command, port, probes, output, failure
//	template_  what an operator configures: command, environment, workloads, model
//	handoff_   engines that another program started and hands over
//	register_  registration with the orchestrator, heartbeats, what this node is
//	runtime_   the runtime directory, and what an earlier run left in it
//	trace      spans of requests to engines
//	kit_       what the tests share
package poolmanager
