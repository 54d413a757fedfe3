package poolmanager

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
func readROCm(run func(args ...string) (string, error)) ([]gpuDevice, error) {
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
func parseROCm(output string) ([]gpuDevice, error) {
	var document map[string]map[string]any
	if err := json.Unmarshal([]byte(output[strings.Index(output, "{"):]), &document); err != nil {
		return nil, fmt.Errorf("reading rocm-smi's output: %w", err)
	}
	var devices []gpuDevice
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
		d := gpuDevice{index: number[1], free: max(total-used, 0), GPU: nodeapi.GPU{DeviceID: name, VRAMTotalBytes: total}}
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
	slices.SortFunc(devices, func(a, b gpuDevice) int { return number(a.index) - number(b.index) })
	return devices, nil
}

func rocmBytes(text string) (int64, error) {
	if text == "" || text == "N/A" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxDeviceBytes {
		return 0, fmt.Errorf("reading rocm-smi's output: %.40q is no amount of memory", text)
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

// readAMD asks amd-smi, which has what a device is and what it uses in two places.
func readAMD(run func(args ...string) (string, error)) ([]gpuDevice, error) {
	static, err := run("static", "--asic", "--json")
	if err != nil {
		return nil, toolFailure(static, err)
	}
	metric, err := run("metric", "--mem-usage", "--json")
	if err != nil {
		return nil, toolFailure(metric, err)
	}
	return parseAMD(static, metric)
}

// amdDevice is one device in either of amd-smi's documents.
type amdDevice struct {
	GPU  int `json:"gpu"`
	ASIC struct {
		Name   string `json:"market_name"`
		Serial string `json:"asic_serial"`
		GFX    string `json:"target_graphics_version"`
	} `json:"asic"`
	Memory struct {
		Total amdAmount `json:"total_vram"`
		Used  amdAmount `json:"used_vram"`
	} `json:"mem_usage"`
}

// amdAmount is {"value": 196592, "unit": "MB"} in most versions, a bare number in
// some, and "N/A"; MB means mebibytes.
type amdAmount int64

// UnmarshalJSON takes all three. What no device can have is refused.
func (a *amdAmount) UnmarshalJSON(text []byte) error {
	var measured struct {
		Value json.RawMessage `json:"value"`
		Unit  string          `json:"unit"`
	}
	value := text
	if json.Unmarshal(text, &measured) == nil && measured.Value != nil {
		value = measured.Value
	}
	n, err := strconv.ParseFloat(strings.Trim(string(value), `"`), 64)
	if err != nil {
		return nil // "N/A": not known
	}
	shift := 20
	switch measured.Unit {
	case "GB":
		shift = 30
	case "KB":
		shift = 10
	case "B":
		shift = 0
	}
	if bytes := n * float64(int64(1)<<shift); !(bytes >= 0 && bytes <= maxDeviceBytes) { // nor NaN
		return fmt.Errorf("%.40q is no amount of memory", text)
	}
	*a = amdAmount(int64(n) << shift)
	return nil
}

func parseAMD(static, metric string) ([]gpuDevice, error) {
	known, err := amdDocument(static)
	if err != nil {
		return nil, err
	}
	used, err := amdDocument(metric)
	if err != nil {
		return nil, err
	}
	var devices []gpuDevice
	for _, a := range known {
		d := gpuDevice{index: strconv.Itoa(a.GPU), GPU: nodeapi.GPU{
			DeviceID: "card" + strconv.Itoa(a.GPU), Name: a.ASIC.Name, ComputeCapability: a.ASIC.GFX,
		}}
		if strings.HasPrefix(a.ASIC.Serial, "0x") {
			d.DeviceID = "GPU-" + strings.ToLower(strings.TrimPrefix(a.ASIC.Serial, "0x"))
		}
		for _, u := range used {
			if u.GPU == a.GPU {
				d.VRAMTotalBytes = int64(u.Memory.Total)
				d.free = max(int64(u.Memory.Total)-int64(u.Memory.Used), 0)
			}
		}
		devices = append(devices, d)
	}
	return devices, nil
}

// amdDocument reads a list of devices, which ROCm 7 wraps in an object. Warnings
// may stand before it.
func amdDocument(output string) ([]amdDevice, error) {
	begin := strings.IndexAny(output, "[{")
	if begin < 0 {
		return nil, fmt.Errorf("reading amd-smi's output: no JSON in it")
	}
	text := []byte(output[begin:])
	var list []amdDevice
	var wrapped struct {
		Data []amdDevice `json:"gpu_data"`
	}
	var err error
	if text[0] == '[' {
		err = json.Unmarshal(text, &list)
	} else if err = json.Unmarshal(text, &wrapped); err == nil {
		list = wrapped.Data
	}
	if err != nil {
		return nil, fmt.Errorf("reading amd-smi's output: %w", err)
	}
	return list, nil
}
