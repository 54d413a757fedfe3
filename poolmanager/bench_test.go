//go:build linux

package poolmanager

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// addedMost is what a dispatch may add to the engine's first token, at the median.
const addedMost = 500 * time.Microsecond

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// BenchmarkDispatchAddsToTheFirstToken asks the same engine for the same task in
// turn, directly and through the pool manager, so that whatever else the machine
// does counts for both.
func BenchmarkDispatchAddsToTheFirstToken(b *testing.B) {
	for _, delay := range []string{"0", "5ms"} {
		b.Run("engine="+delay, func(b *testing.B) { firstToken(b, delay) })
	}
}

func firstToken(b *testing.B, delay string) {
	r := startRig(b, func(o *Options) { o.Templates[0].Command = append(o.Templates[0].Command, "--token-delay", delay) })
	r.ready(b, "p", "demo", "")
	inst := r.engine(b, "p")
	task := nodeapi.DispatchRequest{Prompt: "hello", MaxTokens: 1}
	hc := engineClient()
	defer hc.CloseIdleConnections()
	direct := func() time.Duration {
		begin, first := time.Now(), time.Duration(0)
		_, err := inst.template.Dialect.Stream(b.Context(), hc, inst.target("demo"), task, func(string) error {
			first = time.Since(begin)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		return first
	}
	through := func() time.Duration {
		begin := time.Now()
		stream, err := r.client.Dispatch(b.Context(), "p", task)
		if err != nil {
			b.Fatal(err)
		}
		defer stream.Close()
		if e, err := stream.Next(); err != nil || e.Type != nodeapi.EventToken {
			b.Fatal(e, err)
		}
		first := time.Since(begin)
		for err == nil {
			_, err = stream.Next()
		}
		return first
	}
	var directs, throughs []time.Duration
	for b.Loop() {
		directs, throughs = append(directs, direct()), append(throughs, through())
	}
	d, t := median(directs), median(throughs)
	b.ReportMetric(float64(d.Microseconds()), "µs-direct")
	b.ReportMetric(float64(t.Microseconds()), "µs-through")
	b.ReportMetric(float64((t - d).Microseconds()), "µs-added")
	if len(directs) > 100 && t-d > addedMost {
		b.Errorf("a dispatch adds %v to the first token, want under %v", t-d, addedMost)
	}
}

// residentOf is the memory of a process in kibibytes, from VmRSS and VmHWM of
// /proc/PID/status.
func residentOf(b *testing.B, pid int) (now, peak int) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &now)
		fmt.Sscanf(line, "VmHWM: %d kB", &peak)
	}
	return now, peak
}

// BenchmarkTwoHundredStreamsOnOnePool runs 200 tasks of 100 tokens at a time in a
// pool manager of its own process, and writes down its memory.
func BenchmarkTwoHundredStreamsOnOnePool(b *testing.B) {
	const streams, tokens = 200, 100
	k := startKillable(b, b.TempDir(), "wide")
	c := k.client(b)
	testkit.Eventually(b, "the pool", func() bool { s, err := c.Status(b.Context(), "a"); return err == nil && s.Ready })
	before, _ := residentOf(b, k.Process.Pid)
	var got atomic.Int64
	task := nodeapi.DispatchRequest{Prompt: "hello", MaxTokens: tokens}
	for b.Loop() {
		var group sync.WaitGroup
		for range streams {
			group.Go(func() {
				stream, err := c.Dispatch(b.Context(), "a", task)
				if err != nil {
					b.Error(err)
					return
				}
				defer stream.Close()
				for {
					e, err := stream.Next()
					if err == io.EOF {
						return
					}
					if err != nil || e.Type == nodeapi.EventError {
						b.Error(e, err)
						return
					}
					if e.Type == nodeapi.EventToken {
						got.Add(1)
					}
				}
			})
		}
		group.Wait()
	}
	_, peak := residentOf(b, k.Process.Pid)
	if want := int64(b.N * streams * tokens); got.Load() != want {
		b.Errorf("got %d tokens, want %d", got.Load(), want)
	}
	if s, err := c.Status(b.Context(), "a"); err != nil || s.SlotsFree != streams {
		b.Errorf("afterwards: %+v, %v", s, err)
	}
	b.ReportMetric(float64(got.Load())/b.Elapsed().Seconds(), "tokens/s")
	b.ReportMetric(float64(before)/1024, "MiB-before")
	b.ReportMetric(float64(peak)/1024, "MiB-peak")
	b.ReportMetric(float64(peak-before)/streams, "KiB/stream")
}

// cpuOf is the processor time of a process, from /proc/PID/stat in ticks of 10 ms.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		b.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// BenchmarkAHundredIdleEngines measures the processor time of a pool manager that
// supervises a hundred idle engines: over 10 s, or a minute with LLORCH_LONG_TESTS.
func BenchmarkAHundredIdleEngines(b *testing.B) {
	over := 10 * time.Second
	if os.Getenv("LLORCH_LONG_TESTS") != "" {
		over = time.Minute
	}
	k := startKillable(b, b.TempDir(), "hundred")
	c := k.client(b)
	testkit.Eventually(b, "all engines", func() bool {
		pools, err := c.Pools(b.Context())
		return err == nil && !slices.ContainsFunc(pools, func(s nodeapi.Status) bool { return !s.Ready })
	})
	for range b.N {
		before := cpuOf(b, k.Process.Pid)
		<-time.After(over)
		used := cpuOf(b, k.Process.Pid) - before
		b.ReportMetric(100*used.Seconds()/over.Seconds(), "%-of-a-core")
	}
	memory, _ := residentOf(b, k.Process.Pid)
	b.ReportMetric(float64(memory)/1024, "MiB")
}
