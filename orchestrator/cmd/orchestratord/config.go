package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/app"
)

// maxConfigBytes bounds the file; a real one has less than 4 KiB.
const maxConfigBytes = 256 << 10

// config is the file. doc.go is the documentation of its keys; each has an
// environment variable, which wins over the file.
type config struct {
	// Addr is where to listen: host:port or unix//path. ORCHD_ADDR.
	Addr string `yaml:"addr"`
	// StateDir holds tasks and everything else that must survive. ORCHD_STATE_DIR, required.
	StateDir string `yaml:"state_dir"`
	// AdmissionCapacity is how many tasks may wait. ORCHD_ADMISSION_CAPACITY.
	AdmissionCapacity int `yaml:"admission_capacity"`
	// AdmissionPolicy is what a full queue does: reject, or drop-lru, which ends the oldest batch task of whoever has most. ORCHD_ADMISSION_POLICY.
	AdmissionPolicy string `yaml:"admission_policy"`
	// PlacementStrategy is most-free-vram, least-loaded or round-robin. ORCHESTRATORD_PLACEMENT_STRATEGY.
	PlacementStrategy string `yaml:"placement_strategy"`
	// DeadlineMS is how long a task that names no deadline may wait for its first token. ORCHD_DEADLINE_MS.
	DeadlineMS int `yaml:"deadline_ms"`
	// StreamLimitMS is how long the answer of a task that names no limit may take from its first token on; 0: as long as it flows. ORCHD_STREAM_LIMIT_MS.
	StreamLimitMS int `yaml:"stream_limit_ms"`
	// KeepEndedMS is how long an ended task can still be asked for. ORCHD_KEEP_ENDED_MS.
	KeepEndedMS int `yaml:"keep_ended_ms"`
	// KeepEndedTasks is how many ended tasks are kept for one identity. ORCHD_KEEP_ENDED_TASKS.
	KeepEndedTasks int `yaml:"keep_ended_tasks"`
	// NodeTimeoutMS is after how much silence a node is offline. ORCHESTRATORD_NODE_TIMEOUT_MS.
	NodeTimeoutMS int `yaml:"node_timeout_ms"`
	// DrainMS is how long running tasks may go on after TERM; in a cluster the others take new ones at once. ORCHD_DRAIN_MS.
	DrainMS int `yaml:"drain_ms"`
	// NodeNetworks are the CIDRs where nodes may be, besides loopback. ORCHD_NODE_NETWORKS, comma separated.
	NodeNetworks []string `yaml:"node_networks"`
	// NodeAddresses are the base URLs of nodes that may get POOL_MANAGER_TOKEN. ORCHD_NODE_ADDRESSES, comma separated.
	NodeAddresses []string `yaml:"node_addresses"`
	// NodeModels says which models an identity's nodes may offer, * for any characters; what is given to some, no others offer.
	// ORCHD_NODE_MODELS, as identity=model,model;identity=model.
	NodeModels map[string][]string `yaml:"node_models"`
	// ModelRoot is the directory of the models that the catalog names as file:NAME. ORCHD_MODEL_ROOT.
	ModelRoot string `yaml:"model_root"`
	// ModelHosts are the https hosts (host or host:port) that the catalog may read models from. ORCHD_MODEL_HOSTS, comma separated.
	ModelHosts []string `yaml:"model_hosts"`
	// Durability is full (acknowledged means fsynced) or fast. ORCHD_DURABILITY.
	Durability string `yaml:"durability"`

	// ClusterName makes this one of several replicas; it is the same on each. ORCHD_CLUSTER_NAME.
	ClusterName string `yaml:"cluster_name"`
	// ClusterReplica is this replica's own name, for ever; default: the host's name. ORCHD_CLUSTER_REPLICA.
	ClusterReplica string `yaml:"cluster_replica"`
	// ClusterAddr is where to listen for the other replicas: host:port. ORCHD_CLUSTER_ADDR.
	ClusterAddr string `yaml:"cluster_addr"`
	// ClusterPeers are the host:port of all replicas, this one too: 3 or 5. ORCHD_CLUSTER_PEERS, comma separated.
	ClusterPeers []string `yaml:"cluster_peers"`
	// ClusterAdvertise is which of the peers this one is, where address and certificate do not tell. ORCHD_CLUSTER_ADVERTISE.
	ClusterAdvertise string `yaml:"cluster_advertise"`
	// ClusterCert, ClusterKey and ClusterCA are PEM files for mutual TLS between replicas; needed beyond loopback.
	// ORCHD_CLUSTER_CERT, ORCHD_CLUSTER_KEY, ORCHD_CLUSTER_CA.
	ClusterCert string `yaml:"cluster_cert"`
	ClusterKey  string `yaml:"cluster_key"`
	ClusterCA   string `yaml:"cluster_ca"`
	// NATSURL is an existing NATS cluster to use instead: tls://host:port, comma separated. ORCHD_NATS_URL.
	NATSURL string `yaml:"nats_url"`
	// NATSCreds is the credentials file for it, NATSCA its authority when it is not one of the system's. ORCHD_NATS_CREDS, ORCHD_NATS_CA.
	NATSCreds string `yaml:"nats_creds"`
	NATSCA    string `yaml:"nats_ca"`
	// LogLevel is debug, info, warn or error; HUP takes up another one. ORCHD_LOG_LEVEL.
	LogLevel string `yaml:"log_level"`
}

func defaults() config {
	return config{
		Addr: app.DefaultListen, AdmissionCapacity: orchestrator.DefaultCapacity, AdmissionPolicy: "reject",
		PlacementStrategy: string(orchestrator.MostFreeVRAM), Durability: "full",
		DeadlineMS:  int(orchestrator.DefaultDeadline / time.Millisecond),
		KeepEndedMS: int(orchestrator.DefaultKeepEnded / time.Millisecond), KeepEndedTasks: orchestrator.DefaultKeepEndedTasks,
		NodeTimeoutMS: int(orchestrator.DefaultNodeTimeout / time.Millisecond), LogLevel: "info",
	}
}

// maxCapacity is what issue-sized measurements cover; each waiting task costs
// about 1 KiB of memory and its record on disk.
const maxCapacity = 100_000

// maxKept bounds the ended tasks of one identity: each costs 2 KiB of memory on each
// replica.
const maxKept = 100_000

// settings are all that the daemon starts with.
type settings struct {
	options app.Options
	config  config
	secrets secrets
}

// configure reads the file, then the environment, then checks everything.
func configure(file string, lookup func(string) (string, bool)) (app.Options, error) {
	s, err := readSettings(file, lookup)
	return s.options, err
}

// readConfig reads and checks what is no secret.
func readConfig(file string, lookup func(string) (string, bool)) (config, app.Options, error) {
	c, at := defaults(), places{}
	if file != "" {
		if err := c.read(file, at); err != nil {
			return c, app.Options{}, err
		}
	}
	if err := c.environment(lookup, at); err != nil {
		return c, app.Options{}, err
	}
	options, err := c.options()
	if err == nil {
		err = c.state(&options)
	}
	if err == nil {
		_, err = parseLevel(c.LogLevel)
	}
	if err != nil {
		return c, app.Options{}, at.name(err)
	}
	return c, options, nil
}

func readSettings(file string, lookup func(string) (string, bool)) (s settings, err error) {
	if s.config, s.options, err = readConfig(file, lookup); err != nil {
		return s, err
	}
	if s.secrets, err = readSecrets(lookup); err != nil {
		return settings{}, err
	}
	tokens := s.secrets.tokens((*authmin.SecretSource).Secret)
	s.options.Token, s.options.UpstreamToken, s.options.PoolManagerToken = tokens.Own, tokens.Upstream, tokens.PoolManager
	_, err = backend.NewAuthenticator(backend.AuthOptions{
		Service: "orchestrator", Listen: s.options.Listen, Token: tokens.Own, UpstreamToken: tokens.Upstream,
	})
	return s, err
}

// read takes the file; its errors carry the file's name and line.
func (c *config) read(file string, at places) error {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe is not waited for
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxConfigBytes {
		return fmt.Errorf("%s: not a regular file of at most %d KiB", file, maxConfigBytes>>10)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxConfigBytes))
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %s", file, oneLine(err))
	}
	if err := decoder.Decode(new(config)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: more than one document; keep the first", file)
	}
	return at.find(file, text)
}

// environment takes what is set; an empty value is a mistake.
func (c *config) environment(lookup func(string) (string, bool), at places) error {
	for name, to := range map[string]any{
		"ORCHD_ADDR": &c.Addr, "ORCHD_STATE_DIR": &c.StateDir, "ORCHD_ADMISSION_CAPACITY": &c.AdmissionCapacity,
		"ORCHD_ADMISSION_POLICY": &c.AdmissionPolicy, "ORCHESTRATORD_PLACEMENT_STRATEGY": &c.PlacementStrategy,
		"ORCHESTRATORD_NODE_TIMEOUT_MS": &c.NodeTimeoutMS, "ORCHD_NODE_NETWORKS": &c.NodeNetworks, "ORCHD_NODE_ADDRESSES": &c.NodeAddresses,
		"ORCHD_DEADLINE_MS": &c.DeadlineMS, "ORCHD_STREAM_LIMIT_MS": &c.StreamLimitMS,
		"ORCHD_KEEP_ENDED_MS": &c.KeepEndedMS, "ORCHD_KEEP_ENDED_TASKS": &c.KeepEndedTasks,
		"ORCHD_NODE_MODELS": &c.NodeModels,
		"ORCHD_DRAIN_MS":    &c.DrainMS, "ORCHD_MODEL_ROOT": &c.ModelRoot, "ORCHD_MODEL_HOSTS": &c.ModelHosts, "ORCHD_DURABILITY": &c.Durability,
		"ORCHD_CLUSTER_NAME": &c.ClusterName, "ORCHD_CLUSTER_REPLICA": &c.ClusterReplica, "ORCHD_CLUSTER_ADDR": &c.ClusterAddr,
		"ORCHD_CLUSTER_PEERS": &c.ClusterPeers, "ORCHD_CLUSTER_ADVERTISE": &c.ClusterAdvertise, "ORCHD_CLUSTER_CERT": &c.ClusterCert, "ORCHD_CLUSTER_KEY": &c.ClusterKey,
		"ORCHD_CLUSTER_CA": &c.ClusterCA, "ORCHD_NATS_URL": &c.NATSURL, "ORCHD_NATS_CREDS": &c.NATSCreds, "ORCHD_NATS_CA": &c.NATSCA, "ORCHD_LOG_LEVEL": &c.LogLevel,
	} {
		value, ok := lookup(name)
		if !ok {
			continue
		}
		if value == "" {
			return fmt.Errorf("%s is set but empty; give it a value or unset it", name)
		}
		at.override(name)
		switch to := to.(type) {
		case *string:
			*to = value
		case *[]string:
			*to = strings.Split(value, ",")
		case *map[string][]string:
			*to = lists(value)
		case *int:
			n, err := strconv.Atoi(value)
			if err != nil {
				return fmt.Errorf("%s: %q is not a number", name, value)
			}
			*to = n
		}
	}
	return nil
}

// lists reads name=value,value;name=value. What has no = is a name without values,
// which is refused where it is checked.
func lists(text string) map[string][]string {
	all := map[string][]string{}
	for part := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, values, _ := strings.Cut(part, "=")
		for value := range strings.SplitSeq(values, ",") {
			all[strings.TrimSpace(name)] = append(all[strings.TrimSpace(name)], strings.TrimSpace(value))
		}
	}
	return all
}

// options checks each value and says which key to change.
func (c config) options() (app.Options, error) {
	o := app.Options{
		Listen: c.Addr, StateDir: c.StateDir, Capacity: c.AdmissionCapacity,
		ModelRoot: c.ModelRoot, Strategy: orchestrator.Strategy(c.PlacementStrategy), NodeTimeout: time.Duration(c.NodeTimeoutMS) * time.Millisecond,
		Deadline: time.Duration(c.DeadlineMS) * time.Millisecond, StreamLimit: time.Duration(c.StreamLimitMS) * time.Millisecond,
		KeepEnded: time.Duration(c.KeepEndedMS) * time.Millisecond, KeepEndedTasks: c.KeepEndedTasks,
		Drain: time.Duration(c.DrainMS) * time.Millisecond, Policy: orchestrator.Policy(c.AdmissionPolicy),
	}
	if err := authmin.CheckListen(c.Addr); err != nil {
		return o, badKey("addr", "%v", err)
	}
	switch {
	case c.StateDir == "" && c.NATSURL == "":
		return o, badKey("state_dir", "is not set: name a directory of this service's own")
	case c.AdmissionCapacity < 1 || c.AdmissionCapacity > maxCapacity:
		return o, badKey("admission_capacity", "is %d: want 1 to %d", c.AdmissionCapacity, maxCapacity)
	case !o.Policy.Valid():
		return o, badKey("admission_policy", "is %q: want reject or drop-lru", c.AdmissionPolicy)
	case !o.Strategy.Valid():
		return o, badKey("placement_strategy", "is %q: want most-free-vram, least-loaded or round-robin", c.PlacementStrategy)
	case c.NodeTimeoutMS < 1000 || c.NodeTimeoutMS > 3_600_000:
		return o, badKey("node_timeout_ms", "is %d: want 1000 to 3600000", c.NodeTimeoutMS)
	case c.DeadlineMS < 1 || c.DeadlineMS > int(orchestrator.MaxDeadline/time.Millisecond):
		return o, badKey("deadline_ms", "is %d: want 1 to %d", c.DeadlineMS, orchestrator.MaxDeadline/time.Millisecond)
	case c.StreamLimitMS < 0 || c.StreamLimitMS > int(orchestrator.MaxDeadline/time.Millisecond):
		return o, badKey("stream_limit_ms", "is %d: want 0 (none) to %d", c.StreamLimitMS, orchestrator.MaxDeadline/time.Millisecond)
	case c.KeepEndedMS < 1000 || c.KeepEndedMS > 86_400_000:
		return o, badKey("keep_ended_ms", "is %d: want 1000 to 86400000", c.KeepEndedMS)
	case c.KeepEndedTasks < 1 || c.KeepEndedTasks > maxKept:
		return o, badKey("keep_ended_tasks", "is %d: want 1 to %d", c.KeepEndedTasks, maxKept)
	case c.DrainMS < 0 || c.DrainMS > 3_600_000:
		return o, badKey("drain_ms", "is %d: want 0 to 3600000", c.DrainMS)
	}
	if c.ModelRoot != "" && !filepath.IsAbs(c.ModelRoot) {
		return o, badKey("model_root", "is %q: want an absolute path", c.ModelRoot)
	}
	for _, text := range c.ModelHosts {
		host := strings.TrimSpace(text)
		if u, err := url.Parse("https://" + host); err != nil || u.Host != host || u.Hostname() == "" {
			return o, badKey("model_hosts", "%q is not a host or host:port", text)
		}
		o.ModelHosts = append(o.ModelHosts, host)
	}
	for _, text := range c.NodeNetworks {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return o, badKey("node_networks", "%q is not a CIDR such as 10.1.0.0/16", text)
		}
		o.NodeNetworks = append(o.NodeNetworks, prefix.Masked())
	}
	o.NodeModels = c.NodeModels
	if err := o.NodeModels.Check(); err != nil {
		return o, badKey("node_models", "cannot be: %v; want identity: [model, …]", err)
	}
	for i, text := range c.NodeAddresses {
		text = strings.TrimRight(strings.TrimSpace(text), "/")
		if err := orchestrator.CheckNodeAddress(text); err != nil {
			return o, badKey("node_addresses", "number %d: %v; want such as https://gpu1.internal", i+1, err) // it could hold a password
		}
		o.NodeAddresses = append(o.NodeAddresses, text)
	}
	return o, nil
}
