package poolmanager

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/gpu"
	"github.com/llorch/gateway/poolmanager/modelref"
	"github.com/llorch/gateway/poolmanager/nodeapi"
	"github.com/llorch/gateway/poolmanager/ownfile"
)

// maxHandoffBytes bounds one file; a typical one has 400 bytes.
const maxHandoffBytes = 16 << 10

// handoff is what another provisioner says of an engine that it runs.
type handoff struct {
	PoolID        string `json:"pool_id"`
	ReplicaID     string `json:"replica_id"`
	Engine        string `json:"engine"`
	EngineVersion string `json:"engine_version"`
	URL           string `json:"url"`
	SlotsTotal    int    `json:"slots_total"`
	ModelRef      string `json:"model_ref"`
	PID           int    `json:"pid,omitempty"`
	DeviceMask    string `json:"device_mask,omitempty"`
}

// The keys that a file must have, and those that it may.
var (
	handoffMust = []string{"pool_id", "replica_id", "engine", "engine_version", "url", "slots_total", "model_ref"}
	handoffMay  = []string{"pid", "device_mask"}
)

var (
	handoffReplica = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	handoffVersion = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+ ()-]{0,63}$`)
)

func outcomeOf(err error) handoffOutcome {
	if errors.Is(err, ownfile.ErrUnsafe) {
		return handoffUnsafe
	}
	return handoffInvalid
}

// openHandoff opens a regular file of this user in dir, without following links or
// blocking on a FIFO.
func openHandoff(dir *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: opening it: %w", ownfile.ErrUnsafe, err)
	}
	file := os.NewFile(uintptr(fd), name)
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%w: not a regular file", ownfile.ErrUnsafe)
	case info.Sys().(*syscall.Stat_t).Nlink != 1:
		err = fmt.Errorf("%w: it has a second name", ownfile.ErrUnsafe)
	case info.Size() > maxHandoffBytes:
		err = fmt.Errorf("longer than %d bytes", maxHandoffBytes)
	default:
		err = ownfile.CheckInfo(info)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// parseHandoff reads one file: exactly its keys, and each within its bounds.
func parseHandoff(r io.Reader) (handoff, error) {
	var h handoff
	text, err := io.ReadAll(io.LimitReader(r, maxHandoffBytes+1))
	if err != nil {
		return h, fmt.Errorf("reading it: %w", err)
	}
	if len(text) > maxHandoffBytes {
		return h, fmt.Errorf("longer than %d bytes", maxHandoffBytes)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return h, fmt.Errorf("want one JSON object: %w", err)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) { // the same file is named the same way
		if !slices.Contains(handoffMust, key) && !slices.Contains(handoffMay, key) {
			return h, fmt.Errorf("unknown key %.40q", key)
		}
	}
	for _, key := range handoffMust {
		if _, ok := keys[key]; !ok {
			return h, fmt.Errorf("%s is missing", key)
		}
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&h); err != nil {
		return h, fmt.Errorf("reading it: %w", err)
	}
	return h, h.check()
}

func (h handoff) check() error {
	switch {
	case !nodeapi.ValidPoolID(h.PoolID):
		return fmt.Errorf("pool_id: %w", errPoolID)
	case !handoffReplica.MatchString(h.ReplicaID):
		return errors.New("replica_id: want 1 to 64 of A-Z a-z 0-9 . _ -")
	case !templateName.MatchString(h.Engine):
		return errors.New("engine: want 1 to 64 of a-z 0-9 _ -")
	case h.EngineVersion != "" && !handoffVersion.MatchString(h.EngineVersion):
		return errors.New("engine_version: want at most 64 of A-Z a-z 0-9 . _ + - ( ) and space")
	case h.SlotsTotal < 1 || h.SlotsTotal > maxSlots:
		return fmt.Errorf("slots_total: want 1 to %d", maxSlots)
	case h.PID < 0:
		return errors.New("pid: want a positive number")
	}
	if err := checkModelRefSpelling(h.ModelRef); err != nil {
		return fmt.Errorf("model_ref: %w", err)
	}
	if _, err := gpu.ParseMask(h.DeviceMask); err != nil {
		return fmt.Errorf("device_mask: %w", err)
	}
	u, err := url.Parse(h.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || !authmin.IsLoopbackHost(u.Hostname()) {
		return errors.New("url: want http://127.0.0.1:PORT")
	}
	return checkEngineURL(h.URL)
}

func (h handoff) same(other handoff) bool { return reflect.DeepEqual(h, other) }

// spec is how the pool is served: as a url template would, in the engine's own way.
func (h handoff) spec() launchSpec {
	t := URLTemplate(strings.TrimRight(h.URL, "/"))
	t.Name, t.Engine, t.Slots, t.ReadyLimit = "handoff", h.Engine, h.SlotsTotal, time.Hour
	switch h.Engine {
	case "llamacpp":
		t.Dialect, t.HealthPath = adapter.LlamaCPP, "/health"
	case "vllm":
		t.HealthPath = "/health"
	case "ollama":
		t.HealthPath = "/api/version"
	}
	t.Devices, _ = gpu.ParseMask(h.DeviceMask) // checked with the file
	m := model{ref: h.ModelRef}
	if kind, _ := modelref.Split(h.ModelRef); kind == modelref.Named {
		m.name = h.ModelRef // as the engine calls it; else it is asked for its models
	}
	spec, _ := newLaunchSpec(t, m) // the lists that we ship are checked by a test
	return spec
}
