package poolmanager

import (
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/llorch/gateway/poolmanager/gpu"
)

// passedOn lists the variables of our environment that every engine gets. No token is
// among them, and no other variable is passed on.
var passedOn = []string{
	"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "XDG_CACHE_HOME",
	"CUDA_HOME", "CUDA_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES",
	"HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HF_HOME", "OLLAMA_MODELS",
}

// startValues is what placeholders stand for in one start.
type startValues struct {
	port    int
	model   model
	keyFile string
}

func (t Template) replacer(v startValues) *strings.Replacer {
	return strings.NewReplacer(
		"{port}", strconv.Itoa(v.port), "{model}", v.model.name, "{model_path}", v.model.path,
		"{ctx}", strconv.Itoa(t.Ctx), "{slots}", strconv.Itoa(t.Slots), "{key_file}", v.keyFile,
		"{gpu_mask}", strings.Join(t.Devices, ","))
}

// arguments fills the placeholders; one element stays one argument, whatever
// the value holds.
func (t Template) arguments(v startValues) []string {
	replacer := t.replacer(v)
	list := make([]string, len(t.Command))
	for i, text := range t.Command {
		list[i] = replacer.Replace(text)
	}
	return list
}

func (t Template) environment(lookup func(string) (string, bool), v startValues) []string {
	values := map[string]string{} // the template's own come last, and win
	for _, name := range slices.Concat(passedOn, t.PassEnv) {
		if len(t.Devices) > 0 && gpu.IsMaskVariable(name) {
			continue
		}
		if value, ok := lookup(name); ok {
			values[name] = value
		}
	}
	maps.Copy(values, gpu.MaskEnvironment(t.Devices))
	replacer := t.replacer(v)
	for name, value := range t.Env {
		values[name] = replacer.Replace(value)
	}
	var list []string
	for name, value := range values {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// freePort asks the kernel for an unused port. Another program may open it before
// the engine does: then the engine exits, and the next start has another port.
// Until then checkPort keeps the key and the tasks from another user's program, and
// ports keeps two starts of ours apart.
func freePort() (int, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return 0, fmt.Errorf("closing the probe of a free port: %w", err)
	}
	return port, nil
}

// writeKey writes the key for one start into a file that only we can read. On a
// failure, as on a full disk, it leaves no file. The file is not synced:
// it is removed as soon as the engine has read it.
func writeKey(path string, style KeyStyle, key string) error {
	text := key + "\n"
	if style == KeyVLLMYAML {
		text = "api-key: \"" + key + "\"\n"
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the engine's key: %w", err)
	}
	_, err = file.WriteString(text)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("writing the engine's key: %w", err)
	}
	return nil
}
