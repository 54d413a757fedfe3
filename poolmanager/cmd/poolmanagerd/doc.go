// Command poolmanagerd is the pool manager as a daemon.
//
//	poolmanagerd [--config F] [--check] [--version]
//	poolmanagerd health [--config F] [--ready]   (exit status 0 if the running one answers)
//	poolmanagerd demo-engine [flags]   (what the template demo starts)
//
// TERM or INT stops it: it deregisters, ends its engines and leaves within 3 s. It
// is not for the open network: a gateway stands in front of it.
//
// # Configuration
//
// One YAML file, in which an unknown key is an error, and the variables in brackets,
// which override it; an empty variable is an error. --check reports the first error with
// its line, and starts no engine.
//
//	listen            where to listen, 127.0.0.1:9200 [POOL_MANAGERD_ADDR]
//	runtime_dir       keys, locks, and engines/ for handoff files [POOL_MANAGERD_RUNTIME_DIR]
//	model_root        files of models; downloads go there too [POOL_MANAGERD_MODEL_ROOT]
//	model_hosts       servers that models of the catalog may come from [POOL_MANAGERD_MODEL_HOSTS, with commas]
//	node_id           this node's name, the host's [POOL_MANAGERD_NODE_ID]
//	address           the URL of this node's gateway [POOL_MANAGERD_ADDRESS]
//	orchestrator_url  where to register, and whose catalog to ask [ORCHESTRATORD_URL]
//	memory_bytes      what engines may have together without a GPU [POOL_MANAGERD_MEMORY_BYTES]
//	log_level         debug, info, warn or error; HUP takes up another one [POOL_MANAGERD_LOG_LEVEL]
//	templates         ways to run an engine, below; none: demo alone
//	preload           pools to have from the start: pool_id, template, model_ref, on_demand
//
// A variable that begins with POOL_MANAGERD_ and is not listed here, or is spelled
// almost as one of them, is refused by its name: it is a typing error.
//
// Tokens come from variables or, better, from files that NAME_FILE names:
// LLORCH_API_TOKEN (a caller's own), LLORCH_UPSTREAM_TOKEN (the gateway's),
// POOL_MANAGERD_DISPATCH_TOKEN (what the orchestrator must send to address), and
// ORCHESTRATORD_TOKEN, which needs scope nodes, and scope catalog as well where
// models of the catalog are used. A token in a file, and the key that url_key_file
// names, may change while it runs: the new one is in use within a second, and a
// bad one leaves the last good one in use, which the log and the metric
// poolmanager_token_source_errors_total say.
//
// HUP reads these files and the log level again, and logs what is in use now and what
// needs a restart. Engines and requests are not affected.
//
// HTTPS_PROXY is ignored, for the orchestrator, models, engines and traces. Where the
// orchestrator cannot be reached directly, orchestrator_url must name a server that
// forwards to it.
//
// # Templates
//
// A template has a name and either a base that ships (demo, llamacpp,
// llamacpp-embedding, llamacpp-rerank, vllm, ollama, url), with what is to be
// different, or no base; then engine, command or url, dialect, health_path, slots and
// ready_limit are required. Times are written as 90s or 10m, those of
// keys that end in _ms as a number.
//
//	name, base               its name, and what it begins as
//	engine, dialect          what status shows; llamacpp or openai
//	command                  the program and its arguments; no shell sees them
//	env, pass_env            variables to set; names of ours to pass on, e.g. HF_TOKEN
//	dir                      the working directory, absolute
//	max_open_files           RLIMIT_NOFILE of the engine
//	max_address_space_bytes  RLIMIT_AS; for engines without a GPU
//	devices                  its GPUs: indexes as nvidia-smi counts, or GPU-… and MIG-… ids
//	url, url_key_file        a server that already runs, with or without /v1, and the file of its key
//	key                      file or vllm-yaml: how {key_file} gives the engine its key
//	takes_file, lists_models a model is a file; the engine knows its models itself
//	model                    the reference when a preload names none
//	health_path              what answers 200 when the engine is ready
//	workloads                completion, embedding, rerank
//	protocols                which of the engine's own APIs pass, all; [] for none
//	stream_usage             the engine knows stream_options.include_usage
//	request_bytes            limit of a native call's request, 33554432, which is the most
//	answer_bytes             limit of one of its events or of its answer in one piece, 16777216,
//	                         which is the most
//	remote_media             none or any: what a native call may have the engine fetch
//	refuse_members           members that a native call may not have; default: the engine's list
//	swap, ttl                may be ended when idle; after so long
//	memory_bytes             what it will take, until that was measured
//	ctx, slots               context in tokens; tasks at once
//	ready_limit, stop_grace  how long a start and a stop may take
//	first_token_limit_ms     how long a task may wait for its first token, 600000
//	between_tokens_limit_ms  and then for each further one, 120000
//
// A task that exceeds one of the last two is cancelled in the engine; before its first
// token the orchestrator retries it. The pool's status shows suspect then, and its engine
// is restarted when that repeats. Comments and empty events of an engine are no progress.
//
// A native call is a request to the engine's own API that passes as it is. The
// protocols are chat, completions, responses, messages, embeddings, rerank and ollama.
// Members that affect other callers of the engine are refused with 400
// MEMBER_NOT_ALLOWED: an address to fetch, unless remote_media is any, and
// refuse_members. An entry is a member, keep_alive; a member with a limit,
// options.num_ctx <= 8192; or a text in a member, tools.type = web_search*. The list
// replaces that of the engine; deploy/docs/engines.md has these lists.
//
// Arguments of command and values of env may contain {model_path}, {model}, {port},
// {ctx}, {slots}, {gpu_mask} and {key_file}. A value never becomes several arguments,
// and the name of the program cannot contain one.
//
// # Models
//
// A model_ref is file:NAME below model_root, catalog:ID, or, for an engine that
// finds its models itself, their name. A model of the catalog is asked of the
// orchestrator, which must not have retired it, and read from its source_url: a
// file below model_root, or https on a host that model_hosts names in full. A
// host is resolved once and must not lead to this machine, its link or its cloud's
// metadata service; redirects lead only to named hosts; no credential is sent. The bytes go to
// model_root/.staging, which is resumed after a cut or a restart, and get their
// name, sha256-HEX in model_root, when all of them have the catalog's digest. 1 GiB
// of the disk stays free. model_root must belong to this user or to root, and no
// other user may write to it.
//
// # Handoff files
//
// runtime_dir/engines/*.json, renamed into place, each an object with pool_id,
// replica_id, engine, engine_version, url (on loopback), slots_total, model_ref,
// and, if wanted, pid and device_mask. Such an engine is used and never stopped;
// removing the file drains its pool. The files, the directory and all above it
// must be safe from other users.
package main
