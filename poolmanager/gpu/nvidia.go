package gpu

import (
	"fmt"
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
func readNVIDIA(run func(args ...string) (string, error)) ([]device, error) {
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
	ramTotal, ramFree := MachineMemory()
	devices, divided, err := parseNVIDIA(output, columns, ramTotal, ramFree)
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
func parseNVIDIA(output string, columns int, ramTotal, ramFree int64) (devices []device, divided bool, err error) {
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
		d := device{index: row[0], GPU: nodeapi.GPU{DeviceID: row[1], Name: strings.Join(row[2:len(row)-columns+3], ", ")}}
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

// mebibytes reads an amount; 0 for a text in brackets, or N/A in XML: nvidia-smi cannot tell
// it now.
func mebibytes(text string) (int64, error) {
	if strings.HasPrefix(text, "[") || text == "N/A" {
		return 0, nil
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(text, " MiB"), 10, 44)
	if err != nil || n < 0 || n > maxDeviceBytes>>20 {
		return 0, fmt.Errorf("reading nvidia-smi's output: %.40q is not an amount of memory", text)
	}
	return n << 20, nil
}
