package gpu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// recorded is a machine whose tools print what a file of testdata says.
type recorded struct {
	sections map[string]string
	exits    map[string]bool
}

func readRecorded(t *testing.T, path string) recorded {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := recorded{map[string]string{}, map[string]bool{}}
	for _, f := range archive.Files {
		name, status, fails := strings.Cut(f.Name, " exit ")
		r.sections[name], r.exits[name] = string(f.Data), fails && status != "0"
	}
	return r
}

// exec is a RunTool.
func (r recorded) exec(_ context.Context, _ string, args ...string) (string, error) {
	name := args[0]
	switch {
	case name == "--query-gpu="+nvidiaFields:
		name = "query"
	case name == "--query-gpu="+nvidiaOldFields:
		name = "query-old"
	}
	output, ok := r.sections[name]
	if !ok {
		return "", ErrNoTool
	}
	if r.exits[name] {
		return output, errors.New("exit status")
	}
	return output, nil
}

func TestRecordedOutputsAreRead(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	ramBytes, _ := MachineMemory()
	ram := fmt.Sprint(ramBytes >> 20)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			r := readRecorded(t, file)
			m := &Monitor{Exec: r.exec}
			err := m.Measure(t.Context())
			want := strings.TrimSpace(r.sections["error"])
			if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
			var got []string
			for _, d := range m.found {
				total, free, kind := fmt.Sprint(d.VRAMTotalBytes>>20), fmt.Sprint(d.free>>20), ""
				if d.unified && total == ram && d.free > 0 {
					total, free, kind = "ram", "ram", "unified"
				}
				got = append(got, strings.Join([]string{d.index, d.DeviceID, d.Name, total, free, d.ComputeCapability, kind}, "|"))
			}
			var expected []string
			for line := range strings.Lines(r.sections["want"]) {
				columns := strings.Split(strings.TrimRight(line, "\n"), "|")
				for i := range columns {
					columns[i] = strings.TrimSpace(columns[i])
				}
				expected = append(expected, strings.Join(columns, "|"))
			}
			if diff := cmp.Diff(expected, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestInvalidOutputIsAnErrorAndNoDevice(t *testing.T) {
	for _, output := range []string{
		"a,b,c\n", "0, GPU-a, X, many, 1, 8.6, [N/A]\n", "0, GPU-a, X, -1, 1, 8.6, [N/A]\n", "0, GPU-a, X, 99999999999999999999, 1, 8, x\n", "<html>",
	} {
		if devices, _, err := parseNVIDIA(output, 7, 0, 0); err == nil {
			t.Errorf("%q was read as %+v", output, devices)
		}
	}
	for _, output := range []string{"{", `{"card0": 1}`, `{"card0": {"VRAM Total Memory (B)": "lots"}}`, `{"card0": {"VRAM Total Memory (B)": "-1"}}`} {
		if devices, err := parseROCm(output); err == nil {
			t.Errorf("%q was read as %+v", output, devices)
		}
	}
	if _, err := parseAMD("no JSON", "[]"); err == nil {
		t.Error("no JSON was read")
	}
	if devices, divided, err := parseNVIDIA("", 7, 0, 0); err != nil || divided || len(devices) > 0 {
		t.Errorf("nothing: %v, %v", devices, err)
	}
}

func TestAPoolHasTheMemoryOfItsDevicesOnly(t *testing.T) {
	m := &Monitor{found: []device{
		{index: "0", free: 1, GPU: nodeapi.GPU{DeviceID: "GPU-aaaa1111"}}, {index: "1", free: 10, GPU: nodeapi.GPU{DeviceID: "GPU-bbbb2222"}},
		{free: 100, GPU: nodeapi.GPU{DeviceID: "MIG-cccc3333"}}, {index: "2", free: 1000, unified: true}, {index: "3", free: 2000, unified: true},
	}}
	for mask, want := range map[string]int64{
		"": 2111, "0": 1, "1": 10, "0,1": 11, "GPU-bbbb2222": 10, "GPU-bbbb": 10, "GPU-": 0, "MIG-cccc3333": 100, "9": 0, "2,3": 2000, "GPU-zzzz": 0,
	} {
		names, _ := ParseMask(mask)
		if got := m.Free(names); got != want {
			t.Errorf("%q: got %d, want %d", mask, got, want)
		}
	}
	if m.Free(nil) != 2111 || len(m.Devices()) != 5 {
		t.Errorf("all: %d bytes, %d devices", m.Free(nil), len(m.Devices()))
	}
}

func TestAfterAFailedReadingNoMemoryCountsAsFree(t *testing.T) {
	fail := false
	m := &Monitor{Exec: func(_ context.Context, path string, _ ...string) (string, error) {
		switch {
		case path != "nvidia-smi":
			return "", ErrNoTool
		case fail:
			return "Failed to initialize NVML: Unknown Error\n", errors.New("exit status 255")
		}
		return "0, GPU-aaaa, X, 100, 50, 8.6, [N/A]\n", nil
	}}
	if err := m.Measure(t.Context()); err != nil || m.Free(nil) != 50<<20 {
		t.Errorf("%v, %d free", err, m.Free(nil))
	}
	fail = true
	gaveUp, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Measure(gaveUp); err == nil || m.Free(nil) != 50<<20 {
		t.Errorf("one who gave up asking: %v, %d free", err, m.Free(nil))
	}
	if err := m.Measure(t.Context()); err == nil || m.Free(nil) != 0 || len(m.Devices()) != 1 {
		t.Errorf("%v, %d free, %d devices", err, m.Free(nil), len(m.Devices()))
	}
}

// TestAToolThatHangsIsGivenUp: a real process that ignores TERM and holds its
// output open.
func TestAToolThatHangsIsGivenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nvidia-smi")
	if err := os.WriteFile(path, []byte("#!/bin/sh\ntrap '' TERM\nsleep 60 & wait\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := withPath().runCommand(ctx, path); err == nil || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	if _, err := withPath().runCommand(t.Context(), filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent tool ran")
	}
}

// TestToolsMayRunBesideEachOther: the background measures while a pool asks.
func TestToolsMayRunBesideEachOther(t *testing.T) {
	dir := t.TempDir()
	path, gate := filepath.Join(dir, "nvidia-smi"), filepath.Join(dir, "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LLORCH_API_TOKEN", "never")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nif [ \"$1\" = wait ]; then cat "+gate+"; fi\necho ok$LLORCH_API_TOKEN\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	first := make(chan error, 1)
	go func() { _, err := withPath().runCommand(t.Context(), path, "wait"); first <- err }()
	writer, err := os.OpenFile(gate, os.O_WRONLY, 0) // opens when the first one reads
	if err != nil {
		t.Fatal(err)
	}
	if output, err := withPath().runCommand(t.Context(), path); err != nil || output != "ok\n" {
		t.Errorf("beside another: %q, %v", output, err)
	}
	writer.Close()
	if err := testkit.Receive(t, first, "the end of the first tool"); err != nil {
		t.Error(err)
	}
	hung.Store(path, true)
	defer hung.Delete(path)
	if _, err := withPath().runCommand(t.Context(), path); err == nil || !strings.Contains(err.Error(), "has not exited") {
		t.Errorf("beside one that hangs for good: %v", err)
	}
}

func TestAToolsOutputIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nvidia-smi")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nhead -c 20000000 /dev/zero\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	output, err := withPath().runCommand(t.Context(), path)
	if err != nil || len(output) != maxToolBytes {
		t.Errorf("%d bytes, %v", len(output), err)
	}
}

// withPath gives tools a PATH, and nothing else of the environment.
func withPath() *Monitor { return &Monitor{Environment: []string{"PATH=" + os.Getenv("PATH")}} }
