package poolmanager

import (
	"errors"
	"fmt"
	"math"
	"net/url"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/modelref"
)

// Settings declares the options that are a key of a configuration each, but for
// templates and preload. What it says of them holds for Start as well.
func (o *Options) Settings() backend.Settings {
	return backend.Settings{
		{Key: "listen", Variable: "POOL_MANAGERD_ADDR", Default: DefaultListen, Value: backend.Text(&o.Listen, authmin.CheckListen),
			Doc: "where to listen: host:port or unix//path"},
		{Key: "runtime_dir", Variable: "POOL_MANAGERD_RUNTIME_DIR", Value: backend.Text(&o.RuntimeDir, nil),
			Doc: "private directory of keys, locks, and engines/ for handoff files", DefaultDoc: "$RUNTIME_DIRECTORY, or llorch-poolmanager in $XDG_RUNTIME_DIR"},
		{Key: "model_root", Variable: "POOL_MANAGERD_MODEL_ROOT", Value: backend.Text(&o.ModelRoot, nil),
			Doc: "directory of the files of models; downloads go there too"},
		{Key: "model_hosts", Variable: "POOL_MANAGERD_MODEL_HOSTS", Value: backend.Texts(&o.ModelHosts, modelref.CheckHost),
			Doc: "servers that models of the catalog may come from: host or host:port for https, or http://LOOPBACK:PORT"},
		{Key: "node_id", Variable: "POOL_MANAGERD_NODE_ID", Default: defaultNodeID(), Value: backend.Text(&o.NodeID, checkNodeID),
			Doc: "this node's name at the orchestrator", DefaultDoc: "the host's name"},
		{Key: "address", Variable: "POOL_MANAGERD_ADDRESS", Value: backend.Text(&o.Address, checkOptionalURL),
			Doc: "the URL under which the orchestrator reaches this node: its gateway", DefaultDoc: "the listening address"},
		{Key: "orchestrator_url", Variable: "ORCHESTRATORD_URL", Value: backend.Text(&o.OrchestratorURL, checkOptionalURL),
			Doc: "where to register, and whose catalog to ask", DefaultDoc: "nowhere"},
		{Key: "orchestrator_ca", Variable: "ORCHESTRATORD_CA", Value: backend.Text(&o.OrchestratorCA, nil),
			Doc: "PEM file of the authorities that the orchestrator's certificate may come from, and no others; read at the start", DefaultDoc: "those of the system"},
		{Key: "memory_bytes", Variable: "POOL_MANAGERD_MEMORY_BYTES", Unit: "bytes, such as 34359738368",
			Value: backend.Number(&o.MemoryBytes, 0, math.MaxInt64), Doc: "what the engines may have together without a GPU; 0: no limit"},
	}
}

func checkNodeID(id string) error {
	if !nodeIDPattern.MatchString(id) {
		return fmt.Errorf("invalid value %.64q: want 1 to 64 of a-z 0-9 _ -, beginning and ending with a letter or digit", id)
	}
	return nil
}

func checkOptionalURL(text string) error {
	if text == "" {
		return nil
	}
	if err := checkServerURL(text); err != nil {
		return err
	}
	if u, err := url.Parse(text); err != nil || u.RawQuery != "" {
		return errors.New("want a URL without a query")
	}
	return nil
}
