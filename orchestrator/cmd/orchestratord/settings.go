package main

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/httpapi"
	"github.com/llorch/gateway/poolmanager/modelref"
)

// Settings declares every key: the one place where a setting gets its key, variable and
// help. Its field, default and bounds are in [orchestrator.Settings].
func (d *config) Settings() backend.Settings {
	o := &d.options
	return backend.Settings{
		{Key: "addr", Variable: "ORCHD_ADDR", Default: app.DefaultListen, Value: backend.Text(&o.Listen, authmin.CheckListen),
			Doc: "where to listen: host:port or unix//path"},
		{Key: "state_dir", Variable: "ORCHD_STATE_DIR", Value: backend.Text(&o.StateDir, nil),
			Doc: "directory of tasks and everything else that must survive; required, unless nats_url is set"},
		{Key: "durability", Variable: "ORCHD_DURABILITY", Default: app.Full, Value: backend.Choice(&o.Durability, app.Full, app.Fast),
			Doc: "full: acknowledged means fsynced"},
		{Key: "drain_ms", Variable: "ORCHD_DRAIN_MS", Default: "0", Unit: "ms", Value: backend.Milliseconds(&o.Drain, 0, orchestrator.MaxDrain),
			Doc: "how long running tasks may go on after SIGTERM; in a cluster the others take new ones at once"},

		{Section: "Tasks", Key: "admission_capacity", Variable: "ORCHD_ADMISSION_CAPACITY", Default: fmt.Sprint(orchestrator.DefaultCapacity), Unit: "tasks",
			Value: backend.Number(&o.Capacity, 1, orchestrator.MaxCapacity), Doc: "how many tasks may wait"},
		{Key: "admission_policy", Variable: "ORCHD_ADMISSION_POLICY", Default: string(orchestrator.Reject),
			Value: backend.Choice(&o.Policy, orchestrator.Reject, orchestrator.DropLRU),
			Doc:   "what a full queue does: drop-lru ends the oldest batch task of the identity with the most tasks"},
		{Key: "placement_strategy", Variable: "ORCHESTRATORD_PLACEMENT_STRATEGY", Default: string(orchestrator.MostFreeVRAM),
			Value: backend.Choice(&o.Strategy, orchestrator.MostFreeVRAM, orchestrator.LeastLoaded, orchestrator.RoundRobin),
			Doc:   "which of the pools that can run a task gets it"},
		{Key: "deadline_ms", Variable: "ORCHD_DEADLINE_MS", Default: backend.InMilliseconds(orchestrator.DefaultDeadline), Unit: "ms",
			Value: backend.Milliseconds(&o.Deadline, time.Millisecond, orchestrator.MaxDeadline),
			Doc:   "how long a task that names no deadline may take to its first token, waiting included"},
		{Key: "stream_limit_ms", Variable: "ORCHD_STREAM_LIMIT_MS", Default: "0", Unit: "ms",
			Value: backend.Limit(&o.StreamLimit, orchestrator.MaxDeadline),
			Doc:   "how long an answer may take from its first token on, where the task names no limit"},
		{Key: "keep_ended_ms", Variable: "ORCHD_KEEP_ENDED_MS", Default: backend.InMilliseconds(orchestrator.DefaultKeepEnded), Unit: "ms",
			Value: backend.Milliseconds(&o.KeepEnded, orchestrator.MinKeepEnded, orchestrator.MaxKeepEnded), Doc: "how long an ended task can be asked for"},
		{Key: "keep_ended_tasks", Variable: "ORCHD_KEEP_ENDED_TASKS", Default: fmt.Sprint(orchestrator.DefaultKeepEndedTasks), Unit: "tasks",
			Value: backend.Number(&o.KeepEndedTasks, 1, orchestrator.MaxKeepEndedTasks), Doc: "how many ended tasks are kept for one identity"},

		{Section: "Native calls", Key: "request_bytes", Variable: "ORCHD_REQUEST_BYTES", Default: fmt.Sprint(orchestrator.DefaultRequestBytes), Unit: "bytes",
			Value: backend.NotZero(backend.Number(&o.RequestBytes, 1<<20, orchestrator.MaxRequestBytes), int64(orchestrator.DefaultRequestBytes)), Doc: "how large the body of an engine's own request may be"},
		{Key: "event_bytes", Variable: "ORCHD_EVENT_BYTES", Default: fmt.Sprint(orchestrator.DefaultEventBytes), Unit: "bytes",
			Value: backend.Number(&o.EventBytes, 64<<10, orchestrator.MaxEventBytes), Doc: "how large one event, or one whole answer, of an engine may be"},
		{Key: "commit_ms", Variable: "ORCHD_COMMIT_MS", Default: backend.InMilliseconds(httpapi.DefaultCommit), Unit: "ms",
			Value: backend.Milliseconds(&o.Commit, time.Millisecond, httpapi.MaxCommit),
			Doc:   "how long the status of a stream waits for the engine's; what fails later is an event"},
		{Key: "keep_content_ms", Variable: "ORCHD_KEEP_CONTENT_MS", Default: backend.InMilliseconds(orchestrator.DefaultKeepContent), Unit: "ms",
			Value: backend.Milliseconds(&o.KeepContent, time.Millisecond, orchestrator.MaxKeepContent),
			Doc:   "how long the answer to an engine's own request without an Idempotency-Key is kept"},
		{Key: "content_bytes", Variable: "ORCHD_CONTENT_BYTES", Default: fmt.Sprint(int64(orchestrator.DefaultContentBytes)), Unit: "bytes",
			Value: backend.Number(&o.ContentBytes, orchestrator.MinContentBytes, orchestrator.MaxContentBytes), Doc: "how many bytes of requests are kept in all"},

		{Section: "Nodes and models", Key: "node_timeout_ms", Variable: "ORCHESTRATORD_NODE_TIMEOUT_MS", Default: backend.InMilliseconds(orchestrator.DefaultNodeTimeout), Unit: "ms",
			Value: backend.Milliseconds(&o.NodeTimeout, orchestrator.MinNodeTimeout, orchestrator.MaxNodeTimeout), Doc: "after how much silence a node is offline"},
		{Key: "node_networks", Variable: "ORCHD_NODE_NETWORKS", Value: backend.List(&o.NodeNetworks, network),
			Doc: "CIDRs where nodes may be, besides loopback"},
		{Key: "node_addresses", Variable: "ORCHD_NODE_ADDRESSES", Value: backend.List(&o.NodeAddresses, nodeAddress),
			Doc: "base URLs of the nodes that may get POOL_MANAGER_TOKEN"},
		{Key: "node_ca", Variable: "ORCHD_NODE_CA", Value: backend.Text(&d.nodeCA, nil),
			Doc: "PEM file of the authorities that the nodes' certificates may come from, and no others; read at the start", DefaultDoc: "those of the system"},
		{Key: "node_models", Variable: "ORCHD_NODE_MODELS", Value: backend.TextLists(&o.NodeModels, grants),
			Doc: "which models an identity's nodes may offer, * for any characters; a model that is given to some is offered by no others"},
		{Key: "model_root", Variable: "ORCHD_MODEL_ROOT", Value: backend.Text(&o.ModelRoot, absolute),
			Doc: "directory of the models that the catalog names as file:NAME"},
		{Key: "model_hosts", Variable: "ORCHD_MODEL_HOSTS", Value: backend.List(&o.ModelHosts, modelHost),
			Doc: "https hosts, host or host:port, that the catalog may read models from"},

		{Section: "Several replicas", Key: "cluster_name", Variable: "ORCHD_CLUSTER_NAME", Value: backend.Text(&d.cluster.Name, nil),
			Doc: "makes this one of several replicas; the same on each"},
		{Key: "cluster_replica", Variable: "ORCHD_CLUSTER_REPLICA", Value: backend.Text(&d.cluster.Replica, nil),
			DefaultDoc: "the host's name", Doc: "this replica's own name, for ever"},
		{Key: "cluster_addr", Variable: "ORCHD_CLUSTER_ADDR", Value: backend.Text(&d.cluster.Listen, nil),
			Doc: "where to listen for the other replicas, host:port"},
		{Key: "cluster_peers", Variable: "ORCHD_CLUSTER_PEERS", Value: backend.List(&d.cluster.Peers, asItIs),
			Doc: "host:port of all replicas, this one too: 3 or 5"},
		{Key: "cluster_advertise", Variable: "ORCHD_CLUSTER_ADVERTISE", Value: backend.Text(&d.cluster.Advertise, nil),
			Doc: "which of the peers this one is, where address and certificate do not tell"},
		{Key: "cluster_cert", Variable: "ORCHD_CLUSTER_CERT", Value: backend.Text(&d.cluster.CertFile, nil),
			Doc: "certificate for mutual TLS between replicas, a PEM file; required beyond loopback"},
		{Key: "cluster_key", Variable: "ORCHD_CLUSTER_KEY", Value: backend.Text(&d.cluster.KeyFile, nil), Doc: "its key, a PEM file"},
		{Key: "cluster_ca", Variable: "ORCHD_CLUSTER_CA", Value: backend.Text(&d.cluster.CAFile, nil), Doc: "its authority, a PEM file"},
		{Key: "nats_url", Variable: "ORCHD_NATS_URL", Value: backend.Text(&d.nats.URL, nil),
			Doc: "an existing NATS cluster to use instead: tls://host:port, several separated by commas"},
		{Key: "nats_creds", Variable: "ORCHD_NATS_CREDS", Value: backend.Text(&d.nats.CredsFile, nil), Doc: "its credentials file"},
		{Key: "nats_ca", Variable: "ORCHD_NATS_CA", Value: backend.Text(&d.nats.CAFile, nil),
			Doc: "its authority, a PEM file, where that is not one of the system's"},
	}
}

// Secrets declares the credentials.
func (d *config) Secrets() backend.Secrets {
	return backend.Secrets{
		{Variable: "LLORCH_API_TOKEN", Source: &d.own, Doc: "a caller's own"},
		{Variable: "LLORCH_UPSTREAM_TOKEN", Source: &d.upstream, Doc: "the gateway's"},
		{Variable: "POOL_MANAGER_TOKEN", Source: &d.poolManager, Fallback: "LLORCH_API_TOKEN", Doc: "for nodes that bring no token of their own"},
	}
}

func network(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return prefix, fmt.Errorf("%q is not a CIDR such as 10.1.0.0/16", text)
	}
	return prefix.Masked(), nil
}

// nodeAddress does not repeat the address: it could hold a password.
func nodeAddress(text string) (string, error) {
	text = strings.TrimRight(text, "/")
	if err := orchestrator.CheckNodeAddress(text); err != nil {
		return "", fmt.Errorf("%w; want such as https://gpu1.internal", err)
	}
	return text, nil
}

func grants(models orchestrator.ModelGrants) error {
	if err := models.Check(); err != nil {
		return fmt.Errorf("%w; want identity: [model, …]", err)
	}
	return nil
}

func absolute(path string) error {
	if path != "" && !filepath.IsAbs(path) {
		return fmt.Errorf("invalid value %q: want an absolute path", path)
	}
	return nil
}

func modelHost(text string) (string, error) {
	return text, modelref.CheckHost(text)
}

func asItIs(text string) (string, error) { return text, nil }
