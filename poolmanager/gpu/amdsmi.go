package gpu

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// readAMD runs amd-smi twice: it lists the devices and their use in separate documents.
func readAMD(run func(args ...string) (string, error)) ([]device, error) {
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

// UnmarshalJSON takes all three, and refuses an amount that no device can have.
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
		return fmt.Errorf("%.40q is not an amount of memory", text)
	}
	*a = amdAmount(int64(n) << shift)
	return nil
}

func parseAMD(static, metric string) ([]device, error) {
	known, err := amdDocument(static)
	if err != nil {
		return nil, err
	}
	used, err := amdDocument(metric)
	if err != nil {
		return nil, err
	}
	var devices []device
	for _, a := range known {
		d := device{index: strconv.Itoa(a.GPU), GPU: nodeapi.GPU{
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
