package poolmanager

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// The fields that are asked for. Drivers before 510 do not know the last two:
// they then answer that the field is not valid, and are asked for the first ones.
const (
	nvidiaFields    = "index,uuid,name,memory.total,memory.free,compute_cap,mig.mode.current"
	nvidiaOldFields = "index,uuid,name,memory.total,memory.free"
	nvidiaFormat    = "--format=csv,noheader,nounits"
)

// readNVIDIA asks nvidia-smi for the devices, and for the instances of those that
// are divided (MIG).
func readNVIDIA(run func(args ...string) (string, error)) ([]gpuDevice, error) {
	output, err := run("--query-gpu="+nvidiaFields, nvidiaFormat)
	columns := 7
	if strings.Contains(output, "is not a valid field to query") {
		output, err = run("--query-gpu="+nvidiaOldFields, nvidiaFormat)
		columns = 5
	}
	if strings.Contains(output, "No devices were found") {
		return nil, nil
	}
	if err != nil {
		return nil, toolFailure(output, err)
	}
	devices, divided, err := parseNVIDIA(output, columns, meminfo("/proc/meminfo", "MemTotal"), meminfo("/proc/meminfo", "MemAvailable"))
	if err != nil || !divided {
		return devices, err
	}
	list, err := run("-L")
	if err != nil {
		return devices, toolFailure(list, err)
	}
	details, err := run("-q", "-x")
	if err != nil {
		return devices, toolFailure(details, err)
	}
	return withInstances(devices, list, details)
}

// parseNVIDIA reads the CSV that nvidia-smi prints; memory is in mebibytes. What
// a device does not have is "[N/A]" or "[Not Supported]", what it cannot say now
// "[GPU is lost]", "[Unknown Error]" and the like. Names are not quoted. A device
// without a memory of its own has the machine's (GB10, Jetson).
func parseNVIDIA(output string, columns int, ramTotal, ramFree int64) (devices []gpuDevice, divided bool, err error) {
	strange := ""
	for line := range strings.Lines(output) {
		row := strings.Split(strings.TrimSpace(line), ",")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		if _, err := strconv.ParseUint(row[0], 10, 8); err != nil || len(row) < columns {
			if strange == "" {
				strange = strings.TrimSpace(line) // a warning, perhaps
			}
			continue
		}
		after := row[len(row)-columns+3:]
		d := gpuDevice{index: row[0], GPU: nodeapi.GPU{DeviceID: row[1], Name: strings.Join(row[2:len(row)-columns+3], ", ")}}
		if strings.HasPrefix(d.DeviceID, "[") || strings.HasPrefix(d.Name, "[") {
			strange = strings.TrimSpace(line)
			continue // it is lost
		}
		total, free := after[0], after[1]
		switch total {
		case "[N/A]", "N/A", "[Not Supported]", "Not Supported":
			d.unified, d.VRAMTotalBytes, d.free = true, ramTotal, ramFree
		default:
			if d.VRAMTotalBytes, err = mebibytes(total); err != nil {
				return nil, false, err
			}
			if d.free, err = mebibytes(free); err != nil {
				return nil, false, err
			}
		}
		if columns == 7 {
			if d.ComputeCapability = after[2]; strings.HasPrefix(after[2], "[") {
				d.ComputeCapability = ""
			}
			divided = divided || after[3] == "Enabled"
		}
		devices = append(devices, d)
	}
	if len(devices) == 0 && strange != "" {
		return nil, false, fmt.Errorf("reading nvidia-smi's output: %.200q", strange)
	}
	return devices, divided, nil
}

// mebibytes reads an amount; one in brackets, or N/A in XML, is not known now.
func mebibytes(text string) (int64, error) {
	if strings.HasPrefix(text, "[") || text == "N/A" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(text, " MiB"), 10, 44)
	if err != nil || n < 0 || n > maxDeviceBytes>>20 {
		return 0, fmt.Errorf("reading nvidia-smi's output: %.40q is no amount of memory", text)
	}
	return n << 20, nil
}

var (
	listedGPU      = regexp.MustCompile(`^GPU (\d+): .*\(UUID: (GPU-[0-9a-f-]+)\)`)
	listedInstance = regexp.MustCompile(`^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[0-9A-Za-z/-]+)\)`)
)

// nvidiaLog is the part of nvidia-smi -q -x that has the instances' memory.
type nvidiaLog struct {
	GPUs []struct {
		UUID      string `xml:"uuid"`
		Instances []struct {
			Index  string `xml:"index"`
			Memory struct {
				Total string `xml:"total"`
				Free  string `xml:"free"`
			} `xml:"fb_memory_usage"`
		} `xml:"mig_devices>mig_device"`
	} `xml:"gpu"`
}

// withInstances puts the instances of a divided device in its place: a process
// can use nothing else of it. Their ids are in the list, their memory in the log.
func withInstances(devices []gpuDevice, list, details string) ([]gpuDevice, error) {
	var log nvidiaLog
	if err := xml.Unmarshal([]byte(details), &log); err != nil {
		return devices, fmt.Errorf("reading nvidia-smi's XML: %w", err)
	}
	memory := map[string][2]int64{} // by GPU and instance
	for _, gpu := range log.GPUs {
		for _, instance := range gpu.Instances {
			total, err := mebibytes(instance.Memory.Total)
			if err != nil {
				return devices, err
			}
			free, err := mebibytes(instance.Memory.Free)
			if err != nil {
				return devices, err
			}
			memory[gpu.UUID+"/"+instance.Index] = [2]int64{total, free}
		}
	}
	instances := map[string][]gpuDevice{}
	gpu := ""
	for line := range strings.Lines(list) {
		if m := listedGPU.FindStringSubmatch(line); m != nil {
			gpu = m[2]
		} else if m := listedInstance.FindStringSubmatch(line); m != nil {
			bytes := memory[gpu+"/"+m[2]]
			instances[gpu] = append(instances[gpu], gpuDevice{
				GPU: nodeapi.GPU{DeviceID: m[3], Name: "MIG " + m[1], VRAMTotalBytes: bytes[0]}, free: bytes[1],
			})
		}
	}
	var all []gpuDevice
	for _, d := range devices {
		parts := instances[d.DeviceID]
		for i := range parts {
			parts[i].Name, parts[i].ComputeCapability = d.Name+" "+parts[i].Name, d.ComputeCapability
		}
		if len(parts) == 0 {
			parts = []gpuDevice{d}
		}
		all = append(all, parts...)
	}
	return all, nil
}
