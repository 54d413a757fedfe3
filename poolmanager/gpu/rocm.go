package gpu

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// readROCm asks rocm-smi.
func readROCm(run func(args ...string) (string, error)) ([]device, error) {
	output, err := run("--showuniqueid", "--showproductname", "--showmeminfo", "vram", "--json")
	if !strings.Contains(output, "{") {
		if err == nil || strings.Contains(output, "No AMD GPUs") {
			return nil, nil // no card, no document
		}
		return nil, toolFailure(output, err)
	}
	return parseROCm(output)
}

var rocmCard = regexp.MustCompile(`^card(\d{1,3})$`)

// parseROCm reads the JSON of rocm-smi: an object of strings for each card, and
// one for the system. Warnings may stand before it. The keys' spelling differs
// between versions ("Card series", "Card Series"), and so does what is in them.
func parseROCm(output string) ([]device, error) {
	var document map[string]map[string]any
	if err := json.Unmarshal([]byte(output[strings.Index(output, "{"):]), &document); err != nil {
		return nil, fmt.Errorf("reading rocm-smi's output: %w", err)
	}
	var devices []device
	for name, card := range document {
		number := rocmCard.FindStringSubmatch(name)
		if number == nil {
			continue
		}
		values := map[string]string{}
		for key, value := range card {
			values[strings.ToLower(key)] = strings.TrimSpace(fmt.Sprint(value))
		}
		total, err := rocmBytes(values["vram total memory (b)"])
		if err != nil {
			return nil, err
		}
		used, err := rocmBytes(values["vram total used memory (b)"])
		if err != nil {
			return nil, err
		}
		d := device{index: number[1], free: max(total-used, 0), GPU: nodeapi.GPU{DeviceID: name, VRAMTotalBytes: total}}
		if id := values["unique id"]; strings.HasPrefix(id, "0x") {
			d.DeviceID = "GPU-" + strings.TrimPrefix(id, "0x") // as ROCR_VISIBLE_DEVICES names it
		}
		for _, key := range []string{"card series", "device name", "card model", "device id", "gpu id"} {
			if text := values[key]; text != "" && text != "N/A" && (d.Name == "" || strings.HasPrefix(d.Name, "0x")) {
				d.Name = text
			}
		}
		if gfx := values["gfx version"]; strings.HasPrefix(gfx, "gfx") {
			d.ComputeCapability = gfx
		}
		devices = append(devices, d)
	}
	slices.SortFunc(devices, func(a, b device) int { return number(a.index) - number(b.index) })
	return devices, nil
}

func rocmBytes(text string) (int64, error) {
	if text == "" || text == "N/A" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxDeviceBytes {
		return 0, fmt.Errorf("reading rocm-smi's output: %.40q is not an amount of memory", text)
	}
	return n, nil
}

func number(index string) int {
	n, err := strconv.Atoi(index)
	if err != nil {
		return 0
	}
	return n
}
