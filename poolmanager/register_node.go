package poolmanager

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"regexp"
	"runtime"
	"strings"

	"github.com/llorch/gateway/poolmanager/gpu"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// machineID is stable for this machine and reveals no more: systemd asks
// that /etc/machine-id be hashed before it leaves the host (machine-id(5)).
func machineID(nodeID string) string {
	seed, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(seed) == 0 {
		seed = []byte(nodeID)
	}
	sum := sha256.Sum256(append([]byte("llorch pool manager "), seed...))
	return hex.EncodeToString(sum[:16])
}

// nodeIDPattern is what a node may be called: it is a path segment at the
// orchestrator.
var nodeIDPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}[a-z0-9]$|^[a-z0-9]$`)

var notNodeID = regexp.MustCompile(`[^a-z0-9_-]+`)

// defaultNodeID is the host's name, made fit for a path.
func defaultNodeID() string {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	id := strings.Trim(notNodeID.ReplaceAllString(strings.ToLower(name), "-"), "-_")
	id = strings.Trim(id[:min(len(id), 64)], "-_")
	if id == "" {
		return "node"
	}
	return id
}

// capabilities is what this machine has; a machine without a GPU is fine.
func capabilities(gpus []nodeapi.GPU) nodeapi.Capabilities {
	if gpus == nil {
		gpus = []nodeapi.GPU{}
	}
	ram, _ := gpu.MachineMemory()
	return nodeapi.Capabilities{GPUs: gpus, CPUCores: runtime.NumCPU(), RAMTotalBytes: ram}
}
