// Command poolmanagerd is the pool manager as a daemon.
//
//	poolmanagerd [--config F] [--check] [--version]
//	poolmanagerd health [--config F] [--ready]   (exit status 0 if the running one answers)
//	poolmanagerd manpage --directory DIR   (writes its manual page)
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
// --help lists the keys, with defaults and variables, as does
// deploy/docs/configuration.md: both are made from the settings as they are declared.
//
// A variable that begins with POOL_MANAGERD_ and is none of these, or is spelled
// almost as one of them, is refused by its name: it is a typing error.
//
// Credentials come from variables or, better, from files that NAME_FILE names. One in a
// file, and the key that url_key_file names, may change while it runs: the new one is in
// use within a second, and a bad one leaves the last good one in use, which the log and
// the metric llorch_token_source_errors_total say.
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
// A task that exceeds first_token_limit_ms or between_tokens_limit_ms is cancelled in the
// engine; before its first token the orchestrator retries it. The pool's status shows
// suspect then, and its engine is restarted when that repeats. Comments and empty events
// of an engine are no progress.
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
