package gpu

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

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
func withInstances(devices []device, list, details string) ([]device, error) {
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
	instances := map[string][]device{}
	gpu := ""
	for line := range strings.Lines(list) {
		if m := listedGPU.FindStringSubmatch(line); m != nil {
			gpu = m[2]
		} else if m := listedInstance.FindStringSubmatch(line); m != nil {
			bytes := memory[gpu+"/"+m[2]]
			instances[gpu] = append(instances[gpu], device{
				GPU: nodeapi.GPU{DeviceID: m[3], Name: "MIG " + m[1], VRAMTotalBytes: bytes[0]}, free: bytes[1],
			})
		}
	}
	var all []device
	for _, d := range devices {
		parts := instances[d.DeviceID]
		for i := range parts {
			parts[i].Name, parts[i].ComputeCapability = d.Name+" "+parts[i].Name, d.ComputeCapability
		}
		if len(parts) == 0 {
			parts = []device{d}
		}
		all = append(all, parts...)
	}
	return all, nil
}
