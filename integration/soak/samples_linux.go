package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	// sampleEvery is between two samples of every process.
	sampleEvery = 10 * time.Second
	// maxSamples is what a day has.
	maxSamples = int(maxDuration/sampleEvery) + 1
	// metricsLimit bounds one look at the metrics of a process.
	metricsLimit = 3 * time.Second
)

// sample is one process at one time. Goroutines is 0 where the process did not say.
type sample struct {
	At          time.Time
	Starts      int
	ResidentKiB int64
	Goroutines  int64
	Descriptors int64
	DiskBytes   int64
	CPU         time.Duration // since its start
}

// series is the samples of each process, at most maxSamples each, and the file that has
// them as well.
type series struct {
	csv *os.File

	mu    sync.Mutex
	names []string
	all   map[string][]sample
}

func newSeries(path string) (*series, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("writing the samples: %w", err)
	}
	_, err = fmt.Fprintln(f, "time,process,pid,starts,rss_kib,goroutines,descriptors,disk_bytes,cpu_seconds")
	return &series{csv: f, all: map[string][]sample{}}, err
}

func (r *series) add(name string, pid int, v sample) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all[name] == nil {
		r.names = append(r.names, name)
	}
	if len(r.all[name]) < maxSamples {
		r.all[name] = append(r.all[name], v)
	}
	_, err := fmt.Fprintf(r.csv, "%s,%s,%d,%d,%d,%d,%d,%d,%.2f\n", v.At.UTC().Format(time.RFC3339), name, pid,
		v.Starts, v.ResidentKiB, v.Goroutines, v.Descriptors, v.DiskBytes, v.CPU.Seconds())
	return err
}

// sampleAll takes samples until ctx ends. A process that does not run, or is paused, has none.
func (s *soakRun) sampleAll(ctx context.Context, r *series) {
	for pause(ctx, sampleEvery) {
		at := time.Now()
		for _, h := range s.hosts {
			s.sampleHost(ctx, r, h, at)
		}
		_, cpu := stat(os.Getpid())
		own := sample{At: at, Starts: 1, ResidentKiB: resident(os.Getpid()), Goroutines: int64(runtime.NumGoroutine()), Descriptors: descriptors(os.Getpid()), CPU: cpu}
		if err := r.add("soak", os.Getpid(), own); err != nil {
			s.progress("writing the samples: %v", err)
		}
	}
}

func (s *soakRun) sampleHost(ctx context.Context, r *series, h *host, at time.Time) {
	for _, p := range h.processes() {
		pid, starts, paused := p.state()
		if pid == 0 || paused {
			continue
		}
		v := sampleOf(pid, starts, at)
		v.DiskBytes = diskUse(p.dir)
		switch p {
		case h.gateway:
			v.Goroutines = goroutines(ctx, socketClient(h.socket()), "http://localhost/metrics", authmin.Secret{})
		case h.orchestrator:
			v.Goroutines = goroutines(ctx, s.direct, "http://"+h.http+"/metrics", s.upstream)
		case h.pools:
			v.Goroutines = goroutines(ctx, s.direct, "http://"+h.poolAddress+"/metrics", h.upstream)
			if engine := child(pid); engine != 0 {
				_ = r.add("engine"+h.name[4:], engine, sampleOf(engine, starts, at)) // as below
			}
		}
		if err := r.add(p.name, pid, v); err != nil {
			s.progress("writing the samples: %v", err)
		}
	}
}

func sampleOf(pid, starts int, at time.Time) sample {
	_, cpu := stat(pid)
	return sample{At: at, Starts: starts, ResidentKiB: resident(pid), Descriptors: descriptors(pid), CPU: cpu}
}

// goroutines is what a process says in its metrics; 0 when it does not answer in time.
func goroutines(ctx context.Context, client *http.Client, url string, upstream authmin.Secret) int64 {
	ctx, cancel := context.WithTimeout(ctx, metricsLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	if !upstream.IsZero() {
		sign(r, upstream, "soak", "metrics")
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(io.LimitReader(answer.Body, 4<<20)); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			n, _ := strconv.ParseFloat(value, 64)
			return int64(n)
		}
	}
	return 0
}

// beside is the name of a file next to the report, with another extension.
func beside(report, extension string) string {
	return strings.TrimSuffix(report, filepath.Ext(report)) + extension
}
