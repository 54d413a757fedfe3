// Command orchestratord runs the orchestrator as a daemon.
//
//	orchestratord --config F              runs
//	orchestratord --config F --check      validates and exits
//	orchestratord --version               prints the version and exits
//	orchestratord health --config F       exit status 0 if the one of F answers; --ready: takes work
//	orchestratord migrate --help          a single server's state into a cluster, and back
//
// TERM and INT stop it: no new tasks, running ones finished (after the time that
// drain_ms gives them), streams ended. The process is then gone within 5 s.
//
// HUP reads again what can change while it runs: tokens in files, the cluster's
// certificate and the log level. It says what is in use now and what needs a
// restart, and disturbs no request. Tokens in files need no HUP: a change is in
// use within a second.
//
// # Configuration
//
// One YAML file, in which a key that is not listed here is an error, and the
// variables in brackets, which win; one that is empty is an error. A list in a
// variable is separated by commas.
//
//	addr                where to listen, 127.0.0.1:8081 or unix//path [ORCHD_ADDR]
//	state_dir           tasks and everything else that must survive; required [ORCHD_STATE_DIR]
//	log_level           debug, info, warn or error; HUP takes up another one [ORCHD_LOG_LEVEL]
//	durability          full: acknowledged means fsynced; or fast [ORCHD_DURABILITY]
//	drain_ms            how long running tasks may go on after TERM, 0 [ORCHD_DRAIN_MS]
//
// Tasks:
//
//	admission_capacity  how many may wait, 1000 [ORCHD_ADMISSION_CAPACITY]
//	admission_policy    of a full queue: reject; or drop-lru, which ends the oldest batch
//	                    task of the identity with the most tasks [ORCHD_ADMISSION_POLICY]
//	placement_strategy  most-free-vram, least-loaded or round-robin [ORCHESTRATORD_PLACEMENT_STRATEGY]
//	deadline_ms         how long a task that names no deadline may take to its first
//	                    token, waiting included, 600000 [ORCHD_DEADLINE_MS]
//	stream_limit_ms     how long an answer may take from its first token on, where the
//	                    task names no limit; 0: no limit [ORCHD_STREAM_LIMIT_MS]
//	keep_ended_ms       how long an ended task can be asked for, 3600000 [ORCHD_KEEP_ENDED_MS]
//	keep_ended_tasks    how many ended tasks are kept for one identity, 10000 [ORCHD_KEEP_ENDED_TASKS]
//
// A task may set both limits itself, as deadline_ms and stream_limit_ms.
//
// Native calls, which are requests to an engine's own API, such as POST
// /v1/chat/completions; the header X-Deadline-Ms replaces deadline_ms:
//
//	request_bytes       limit of the body, 33554432 [ORCHD_REQUEST_BYTES]
//	event_bytes         limit of one event, or of an answer in one piece, 16777216 [ORCHD_EVENT_BYTES]
//	commit_ms           how long a stream's status waits for that of the engine; then it is
//	                    200, and a later error is an event, 10000 [ORCHD_COMMIT_MS]
//	keep_content_ms     how long the answer to a call without Idempotency-Key is kept,
//	                    60000 [ORCHD_KEEP_CONTENT_MS]
//	content_bytes       limit of all stored bodies together, 4294967296 [ORCHD_CONTENT_BYTES]
//
// Nodes and models:
//
//	node_timeout_ms     after how much silence a node is offline, 30000 [ORCHESTRATORD_NODE_TIMEOUT_MS]
//	node_networks       CIDRs where nodes may be, besides loopback [ORCHD_NODE_NETWORKS]
//	node_addresses      URLs of nodes that may get POOL_MANAGER_TOKEN [ORCHD_NODE_ADDRESSES]
//	node_models         which models an identity's nodes may offer, * for any characters;
//	                    what is given to some, no others offer
//	                    [ORCHD_NODE_MODELS, as identity=model,model;identity=model]
//	model_root          directory of the models that the catalog names as file:NAME [ORCHD_MODEL_ROOT]
//	model_hosts         https hosts that the catalog may read models from [ORCHD_MODEL_HOSTS]
//
// Several replicas, as deploy/README.md says:
//
//	cluster_name        the same on each replica [ORCHD_CLUSTER_NAME]
//	cluster_replica     this replica's own name; default: the host's [ORCHD_CLUSTER_REPLICA]
//	cluster_addr        where to listen for the others, host:port [ORCHD_CLUSTER_ADDR]
//	cluster_peers       host:port of all replicas, this one too: 3 or 5 [ORCHD_CLUSTER_PEERS]
//	cluster_advertise   which of the peers this one is, where address and certificate
//	                    do not tell [ORCHD_CLUSTER_ADVERTISE]
//	cluster_cert, cluster_key, cluster_ca
//	                    PEM files for mutual TLS; required beyond loopback
//	                    [ORCHD_CLUSTER_CERT, ORCHD_CLUSTER_KEY, ORCHD_CLUSTER_CA]
//	nats_url            an existing NATS cluster instead, tls://host:port [ORCHD_NATS_URL]
//	nats_creds, nats_ca its credentials file, and its authority where that is not one of
//	                    the system's [ORCHD_NATS_CREDS, ORCHD_NATS_CA]
//
// A variable that begins with ORCHD_ or ORCHESTRATORD_ and is not listed here, or is
// spelled almost as one of them, is a typing error and refused by its name.
//
// Tokens come from variables or, better, from files that NAME_FILE names, never from
// the YAML: LLORCH_API_TOKEN (a caller's own), LLORCH_UPSTREAM_TOKEN (the gateway's),
// and POOL_MANAGER_TOKEN (for nodes that bring no token of their own). A token in a
// file may change while it runs: the new one is in use within a second, and a bad one
// leaves the last good one in use, which the log and the metric
// orchd_token_source_errors_total say.
package main
