package poolmanager

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/llorch/gateway/poolmanager/client"
)

const (
	// gpuEvery is how often free memory is measured; nvidia-smi takes up to a second.
	gpuEvery = 10 * time.Second
	// gpuLimit bounds one run of nvidia-smi: it hangs when the driver does.
	gpuLimit = 5 * time.Second
	// maxGPUs bounds what is believed of its output.
	maxGPUs = 64
)

var nvidiaSMI = []string{"nvidia-smi", "--query-gpu=uuid,name,memory.total,memory.free,compute_cap", "--format=csv,noheader,nounits"}

// gpuMonitor measures the devices' memory in the background.
type gpuMonitor struct {
	mu   sync.Mutex
	gpus []client.GPU
	free int64
}

// measure runs nvidia-smi once. A machine without it has no GPU.
func (m *gpuMonitor) measure(ctx context.Context) error {
	path, err := exec.LookPath(nvidiaSMI[0])
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, gpuLimit)
	defer cancel()
	command := exec.CommandContext(ctx, path, nvidiaSMI[1:]...)
	command.WaitDelay = time.Second
	output, err := command.Output()
	if err != nil {
		return fmt.Errorf("running nvidia-smi: %w", err)
	}
	gpus, free, err := parseNVIDIA(string(output))
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gpus, m.free = gpus, free
	return nil
}

// run measures until ctx ends; changes of the error are what is logged.
func (m *gpuMonitor) run(ctx context.Context, report func(error)) {
	if _, err := exec.LookPath(nvidiaSMI[0]); err != nil {
		return
	}
	ticker := time.NewTicker(gpuEvery)
	defer ticker.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := m.measure(ctx)
		if err != nil && err.Error() != last && ctx.Err() == nil {
			report(err)
		}
		if last = ""; err != nil {
			last = err.Error()
		}
	}
}

func (m *gpuMonitor) devices() []client.GPU {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gpus
}

func (m *gpuMonitor) freeBytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.free
}

// parseNVIDIA reads the CSV that nvidia-smi prints; memory is in mebibytes. A
// value that a device does not have is "[N/A]" or "[Not Supported]".
func parseNVIDIA(output string) (gpus []client.GPU, free int64, err error) {
	rows := csv.NewReader(strings.NewReader(output))
	rows.FieldsPerRecord, rows.TrimLeadingSpace = 5, true
	for len(gpus) < maxGPUs {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, fmt.Errorf("reading nvidia-smi's output: %w", err)
		}
		total, err := mebibytes(row[2])
		if err != nil {
			return nil, 0, err
		}
		unused, err := mebibytes(row[3])
		if err != nil {
			return nil, 0, err
		}
		free += unused
		gpu := client.GPU{DeviceID: row[0], Name: row[1], VRAMTotalBytes: total}
		if !strings.HasPrefix(row[4], "[") {
			gpu.ComputeCapability = row[4]
		}
		gpus = append(gpus, gpu)
	}
	return gpus, free, nil
}

func mebibytes(text string) (int64, error) {
	if strings.HasPrefix(text, "[") {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 44)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("reading nvidia-smi's output: %q is no amount of memory", text)
	}
	return n << 20, nil
}
