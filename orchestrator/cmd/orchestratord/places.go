package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// variables are the environment variables of the keys.
var variables = map[string]string{
	"addr": "ORCHD_ADDR", "state_dir": "ORCHD_STATE_DIR", "admission_capacity": "ORCHD_ADMISSION_CAPACITY",
	"admission_policy": "ORCHD_ADMISSION_POLICY", "placement_strategy": "ORCHESTRATORD_PLACEMENT_STRATEGY",
	"node_timeout_ms": "ORCHESTRATORD_NODE_TIMEOUT_MS", "node_networks": "ORCHD_NODE_NETWORKS", "node_addresses": "ORCHD_NODE_ADDRESSES",
	"deadline_ms": "ORCHD_DEADLINE_MS", "stream_limit_ms": "ORCHD_STREAM_LIMIT_MS",
	"keep_ended_ms": "ORCHD_KEEP_ENDED_MS", "keep_ended_tasks": "ORCHD_KEEP_ENDED_TASKS",
	"node_models": "ORCHD_NODE_MODELS",
	"model_root":  "ORCHD_MODEL_ROOT", "model_hosts": "ORCHD_MODEL_HOSTS",
	"drain_ms": "ORCHD_DRAIN_MS", "durability": "ORCHD_DURABILITY", "cluster_name": "ORCHD_CLUSTER_NAME", "cluster_replica": "ORCHD_CLUSTER_REPLICA",
	"cluster_addr": "ORCHD_CLUSTER_ADDR", "cluster_peers": "ORCHD_CLUSTER_PEERS", "cluster_advertise": "ORCHD_CLUSTER_ADVERTISE", "cluster_cert": "ORCHD_CLUSTER_CERT",
	"cluster_key": "ORCHD_CLUSTER_KEY", "cluster_ca": "ORCHD_CLUSTER_CA",
	"nats_url": "ORCHD_NATS_URL", "nats_creds": "ORCHD_NATS_CREDS", "nats_ca": "ORCHD_NATS_CA", "log_level": "ORCHD_LOG_LEVEL",
}

// places remembers where each key got its value: "file:line".
type places map[string]string

// find notes the lines of the file's keys.
func (p places) find(file string, text []byte) error {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("%s: %s", file, oneLine(err))
	}
	for _, root := range document.Content {
		for i := 0; i+1 < len(root.Content); i += 2 {
			p[root.Content[i].Value] = fmt.Sprintf("%s:%d", file, root.Content[i].Line)
		}
	}
	return nil
}

// override notes that a variable has replaced what the file said.
func (p places) override(variable string) {
	for key, name := range variables {
		if name == variable {
			p[key] = "environment"
		}
	}
}

// keyError is a key with a value that cannot be.
type keyError struct{ key, text string }

func (e keyError) Error() string {
	return fmt.Sprintf("%s (%s) %s", e.key, variables[e.key], e.text)
}

func badKey(key, format string, args ...any) error {
	return keyError{key, fmt.Sprintf(format, args...)}
}

// name puts the place of the key before its error.
func (p places) name(err error) error {
	if bad, ok := errors.AsType[keyError](err); ok && p[bad.key] != "" {
		return fmt.Errorf("%s: %w", p[bad.key], err)
	}
	return err
}

// oneLine gives YAML's error without its line breaks and our type names, and
// with the keys that there are.
func oneLine(err error) string {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:")
	text = strings.ReplaceAll(text, "in type main.config", "; the keys are "+strings.Join(keys(), ", "))
	return strings.Join(strings.Fields(text), " ")
}

func keys() []string {
	var names []string
	for field := range reflect.TypeFor[config]().Fields() {
		names = append(names, field.Tag.Get("yaml"))
	}
	return names
}
